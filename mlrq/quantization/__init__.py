"""From float weights to integer codes: `quantize.quantize` and its `settings` make a `model.QuantizedLinear`.

`inputs.InputGrid` is the grid of integer inputs. Nothing is imported here: the settings need no NumPy.
"""
