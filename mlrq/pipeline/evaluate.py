"""Evaluate: measure an integer model, beside the float model where that is at hand."""

from dataclasses import replace

from mlrq.artifacts import documents
from mlrq.artifacts.documents import FloatArtifact, QuantizedArtifact
from mlrq.errors import MlrqError
from mlrq.pipeline.intervals import coverage
from mlrq.pipeline.results import Evaluation
from mlrq.pipeline.train import require_same_training
from mlrq.streaming.train_test import TrainTest


def evaluate(
    data: TrainTest, artifact: QuantizedArtifact, origin: FloatArtifact | None, samples: int
) -> Evaluation:
    """Measure an integer model.

    Args:
        data: Rows with the model's features and targets.
        artifact: The integer model.
        origin: The float model that it was made from, or None.
        samples: How many of the first rows to show.

    Raises:
        MlrqError: If the dataset has other features or targets than the model.
    """
    model = artifact.model
    if (data.features, data.targets) != (model.features, model.targets):
        raise MlrqError(
            f"the model predicts {', '.join(model.targets)} from {', '.join(model.features)}, but "
            f"{data.name} has {', '.join(data.targets)} and {', '.join(data.features)}: name the dataset "
            f"that it was trained on, {artifact.training.dataset}"
        )
    notices = []
    if data.sha256 == artifact.training.sha256:
        require_same_training(artifact.training, data, "the model")
    else:
        notices.append(f"{data.name} is not the data that the model was trained on")
    scores = data.score((origin.model, model) if origin else (model,))
    unclamped, distance = None, scores[-1].distance
    if model.output_range is not None:
        (unclamped,) = data.score((replace(model, output_range=None),))
    rows, values = data.first(samples)
    return Evaluation(
        model=model,
        train=scores[-1].train,
        test=scores[-1].test,
        float_train=scores[0].train if origin else None,
        float_test=scores[0].test if origin else None,
        max_difference=None if distance is None or origin is None else float(distance.max()),
        quantized_bytes=len(documents.encode_quantized(artifact)),
        actual=values,
        predicted=model.predict(rows),
        unclamped=unclamped.test if unclamped else None,
        excess=artifact.excess,
        certificate=artifact.certificate,
        notices=notices,
        interval=coverage(data, artifact),
    )
