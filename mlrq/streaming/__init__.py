"""Passes over the parts of a dataset, and the engines that run them."""
