"""Train a linear regression, quantize it to a few bits, prove how good it is, and ship it."""

__version__ = "0.1.0"
