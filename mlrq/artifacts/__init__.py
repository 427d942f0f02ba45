"""The JSON documents of the two models, and the checks of what is read from them."""
