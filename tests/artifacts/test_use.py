"""Artifacts that are valid whatever their numbers: each use gives what the others give, or one line."""
