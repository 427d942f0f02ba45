"""scikit-learn: the float model as a fitted `LinearRegression` in a joblib file.

Made from `float.json` alone, whatever fitted the model, a pipeline or a ridge regression among them: it
predicts what that predicts, and does not know how it was fitted.
"""

import io

import numpy as np

from mlrq.artifacts.documents import FloatArtifact, sha256
from mlrq.errors import MlrqError

try:
    import joblib
    from sklearn.linear_model import LinearRegression
except ModuleNotFoundError as error:
    raise MlrqError(
        f"export=sklearn needs scikit-learn, and {error.name} is not installed here: pip install scikit-learn"
    ) from error


def export(artifact: FloatArtifact) -> bytes:
    """The joblib file of a fitted estimator; the same `float.json` and packages give the same bytes.

    Its arrays are shaped as scikit-learn's own: with one target `coef_` is (features,) and predictions are
    (rows,), with several they are (targets, features) and (rows, targets).
    """
    model, estimator = artifact.model, LinearRegression()
    single = len(model.targets) == 1
    estimator.coef_ = np.array(model.coefficients[0] if single else model.coefficients)
    estimator.intercept_ = model.intercept[0] if single else np.array(model.intercept)
    estimator.n_features_in_ = len(model.features)
    # scikit-learn warns of rows without names where the model has some, and of rows with names where it has
    # none: one of the two it must be. With names, a DataFrame whose columns are others, or in another order,
    # is refused instead of being predicted wrongly.
    estimator.feature_names_in_ = np.array(model.features, dtype=object)
    estimator.mlrq_artifact_ = sha256(artifact)
    stream = io.BytesIO()
    joblib.dump(estimator, stream)
    return stream.getvalue()
