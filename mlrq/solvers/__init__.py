"""The best integer codes for a linear model, and the proof that they are: `solve.solve` is the entry."""
