"""From float weights to integer codes: `quantize.quantize`, its `settings`, and the `model.QuantizedLinear` it makes.

`inputs.InputGrid` is the grid of integer inputs. Nothing is imported here: the settings need no NumPy.
"""
