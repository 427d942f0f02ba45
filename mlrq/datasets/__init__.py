"""Tables to learn from: a loader is a module whose `load` returns a `parts.Stream`; `split.Split` cuts it.

Nothing is imported here: to predict rows needs neither.
"""
