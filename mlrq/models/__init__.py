"""`LinearModel`, and the ways to one: closed form, scikit-learn, a model that was fitted elsewhere."""
