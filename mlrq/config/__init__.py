"""The schema of the configuration, its validation, and the explanation of what is wrong with it."""
