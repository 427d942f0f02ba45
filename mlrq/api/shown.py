"""How an integer model shows itself: lines of text, and HTML for a notebook."""

import html

from mlrq.artifacts.documents import QuantizedArtifact
from mlrq.errors import printable
from mlrq.pipeline.intervals import half_width

SHOWN = 12  # features
VALUES = 4  # targets of a feature


def text(artifact: QuantizedArtifact) -> str:
    """Lines without an end."""
    lines = ["QuantizedModel", *(f"  {name:<10} {told}" for name, told in _about(artifact)), ""]
    rows = [("feature", "code", "weight"), *_weights(artifact)]
    wide = [max(len(row[i]) for row in rows) for i in range(2)]
    lines += [f"  {name:<{wide[0]}}  {code:>{wide[1]}}  {weight}" for name, code, weight in rows]
    more = _more(artifact)
    return "\n".join([*lines, *([f"  {more}"] if more else [])])


def page(artifact: QuantizedArtifact) -> str:
    """HTML, without anything of the model's names in it that is not escaped."""

    def row(tag: str, cells: tuple[str, ...]) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    about = "".join(row("td", pair) for pair in _about(artifact))
    weights = "".join(row("td", one) for one in _weights(artifact))
    head, more = row("th", ("feature", "code", "weight")), html.escape(_more(artifact))
    return f"<b>QuantizedModel</b><table>{about}</table><table>{head}{weights}</table>{more}"


def _about(artifact: QuantizedArtifact) -> list[tuple[str, str]]:
    """What there is to say of the model, by name."""
    model, training, certified = artifact.model, artifact.training, ""
    if found := artifact.certificate:
        certified = ", optimal (floating point)" if found.optimal else f", gap {found.gap:.3g}"
    return [
        ("targets", printable(", ".join(model.targets), 80)),
        ("codes", f"{model.bits} bits, {model.scheme}, {model.granularity}, {model.rounding}{certified}"),
        ("inputs", artifact.settings.inputs),
        ("excess", f"{artifact.excess:.4g}"),
        *([("interval", _within(artifact))] if model.interval else []),
        ("payload", f"{model.payload_bits:,} bits, of {model.float_payload_bits:,} in floats"),
        ("made with", f"{training.train_rows:,} rows of {printable(training.dataset, 40)}"),
    ]


def _within(artifact: QuantizedArtifact) -> str:
    """The level of the interval, and half-widths."""
    model = artifact.model
    assert model.interval
    wide = _first([f"{one:.4g}" for one in half_width(model).tolist()])
    rows = artifact.training.calibration_rows
    return f"{model.interval.level:g} within +- {wide}, calibrated on {rows:,} rows"


def _weights(artifact: QuantizedArtifact) -> list[tuple[str, str, str]]:
    """Name, codes and weights of the first features."""
    model = artifact.model
    shown = zip(model.features[:SHOWN], model.codes.T.tolist(), model.weights.T.tolist(), strict=False)
    return [
        (printable(name, 30), _first(list(map(str, codes))), _first([f"{one:.6g}" for one in weights]))
        for name, codes, weights in shown
    ]


def _first(values: list[str]) -> str:
    return " ".join([*values[:VALUES], *(["..."] if len(values) > VALUES else [])])


def _more(artifact: QuantizedArtifact) -> str:
    left = len(artifact.model.features) - SHOWN
    return f"and {left:,} more features" if left > 0 else ""
