"""What the stages made, as files of the output folder: the one place that writes them."""

from pathlib import Path

from mlrq.artifacts import documents
from mlrq.artifacts.documents import ESTIMATOR, FLOAT, QUANTIZED, FloatArtifact
from mlrq.artifacts.json_document import encode, seal
from mlrq.files import digest, replace_together
from mlrq.models import closed_form
from mlrq.pipeline.results import Evaluation, Quantized, Trained, summary

EVALUATION, EXPORTS, CERTIFICATE = "evaluation.json", "export", "certificate.json"
LISTED = (FLOAT, ESTIMATOR, QUANTIZED, EVALUATION)  # in SHA256SUMS, where they exist


def save(
    folder: Path,
    trained: Trained | None = None,
    quantized: Quantized | None = None,
    evaluated: Evaluation | None = None,
) -> list[Path]:
    """Write the artifacts of the stages that ran, and remove those that are no longer of the others.

    Returns:
        The files that were written, in the order of the stages.

    Raises:
        MlrqError: If the folder cannot be written to.
    """
    made: dict[str, bytes] = {}
    if trained:
        made[FLOAT] = documents.encode_float(trained.artifact)
        if trained.estimator is not None:
            made[ESTIMATOR] = trained.estimator
    if quantized:
        made[QUANTIZED] = documents.encode_quantized(quantized.artifact)
    if evaluated:
        made[EVALUATION] = encode(seal("evaluation", 1, summary(evaluated)))
    changed = [name for name, content in made.items() if _differs(folder / name, content)]
    # What was made of the models before goes first, lest it be taken for what is made of these.
    outdated = []
    if trained and FLOAT in changed and not _came_from(trained.artifact, folder / ESTIMATOR):
        outdated.append(ESTIMATOR)
    if FLOAT in changed or QUANTIZED in changed:
        outdated.append(EVALUATION)
    replace_together(folder, [*((name, None) for name in outdated), *made.items()], LISTED)
    return [folder / name for name in made]


def estimator(folder: Path, origin: FloatArtifact, content: bytes) -> list[Path]:
    """Write the float model as an estimator: beside it, unless the one that training fitted is there.

    Returns:
        The file.
    """
    described = origin.training.estimator
    fitted = "file" not in described and not closed_form.suffices(described["estimator"])
    if fitted or _came_from(origin, folder / ESTIMATOR):
        return exports(folder, {ESTIMATOR: content})
    replace_together(folder, [(ESTIMATOR, content)], LISTED)
    return [folder / ESTIMATOR]


def certificate(folder: Path, content: bytes) -> list[Path]:
    """Write the certificate of the integer model, and return the file."""
    replace_together(folder, [(CERTIFICATE, content)], LISTED)
    return [folder / CERTIFICATE]


def exports(folder: Path, files: dict[str, bytes]) -> list[Path]:
    """Write what was exported, and return the files."""
    replace_together(folder / EXPORTS, list(files.items()), ())
    return [folder / EXPORTS / name for name in files]


def _differs(path: Path, content: bytes) -> bool:
    return not path.is_file() or path.read_bytes() != content


def _came_from(artifact: FloatArtifact, path: Path) -> bool:
    """Whether a model was trained elsewhere, and `path` is the file that it came in, or a copy."""
    file = artifact.training.estimator.get("file")
    return file is not None and path.is_file() and digest(path.read_bytes()) == file["sha256"]
