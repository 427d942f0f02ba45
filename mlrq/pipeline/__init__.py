"""The stages, train, quantize, evaluate and predict, and the guard over what quantizing did."""
