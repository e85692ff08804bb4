"""The scorecard: models × measures, every model on the same items in the same order, beside a control."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import WorkbenchError
from ..progress import Progress
from ..store import Artefact
from . import caching
from .base import AnyMeasure, Found, Row, Subject
from .scoring import Score

EXAMPLES = 3  # of a measure and model
LeftOut = dict[tuple[str, str], list[str]]  # (measure, why) → the models that could not be measured so


@dataclass
class Scorecard:
    """What was measured.

    Attributes:
        scorecard: one row a model, one column a measure and side: the values alone.
        rows: one row a model, measure and side: value with its 95 % interval (low, high) over n items.
        differences: of every model to the control on the same items: difference with its paired 95 % interval; `clear` where that leaves out zero.
        control: what the differences are to.
        models: what each model is: content, parameters, what its documents begin with, context, chat template.
        curves: values by position in a long text (from, to: bytes of text before).
        examples: a few items as each model answered them.
        notes: what was left out and why, and what else the reader must know.
    """

    scorecard: list[Row] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    differences: list[Row] = field(default_factory=list)
    control: str = ""
    models: list[Row] = field(default_factory=list)
    curves: list[Row] = field(default_factory=list)
    examples: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def json(self) -> dict[str, Any]:
        return asdict(self)


def scorecard(
    models: Sequence[str | Path | Artefact], measures: Sequence[AnyMeasure], *, control: str | Path | Artefact = "", device: str = "auto",
    dtype: str = "auto", batch_size: int = 16, progress: Progress | None = None,
) -> Scorecard:  # fmt: skip
    """Measure models in a row; `control` is the one that the others are compared to, the first unless told.

    What was measured before, by content of model and items, is read and not measured again. Raises WorkbenchError where an input is bad, where the
    control is not among the models, or where nothing at all could be measured.
    """
    progress = progress or Progress()
    models = [str(model) for model in models]  # an artefact's text is its id
    control = str(control) or models[0]
    if control not in models:
        raise WorkbenchError(f"The control {control} is not among the models; name it there, too.")
    progress.at(0, "reading what is measured on")
    items = [measure.items() for measure in measures]
    subjects = [Subject(reference, device, dtype, batch_size) for reference in models]
    card = Scorecard(control=next(s for s in subjects if s.reference == control).name)
    taken: dict[str, list[Found | None]] = {}
    left_out: LeftOut = {}
    for n, subject in enumerate(subjects):
        part = progress.part(0.02 + 0.98 * n / len(subjects), 0.02 + 0.98 * (n + 1) / len(subjects))
        taken.setdefault(subject.reference, _taken(subject, measures, items, left_out, part))
        card.models.append(_about(subject, measures))
        subject.__dict__.pop("model", None)  # one model in memory at a time
    card.notes += [f"{what} was left out for {' and '.join(dict.fromkeys(names))}: {why}." for (what, why), names in left_out.items()]
    for subject in subjects:
        _fill(card, subject, measures, taken[subject.reference], taken[control])
    if not card.rows and not card.curves:
        raise WorkbenchError(f"Nothing could be measured: {' '.join(card.notes) or 'no measure gave a score.'}")
    card.notes = list(dict.fromkeys(card.notes))
    card.scorecard = wide(card.rows)
    return card


def _taken(subject: Subject, measures: Sequence[AnyMeasure], items: Sequence[list[Any]], left_out: LeftOut, progress: Progress) -> list[Found | None]:
    """What each measure found, None where the model cannot be measured so."""
    every: list[Found | None] = []
    for m, (measure, given) in enumerate(zip(measures, items, strict=True)):
        part = progress.part(m / len(measures), (m + 1) / len(measures))
        part.at(0, f"{subject.name}: {measure.kind}, {measure.text}")
        if reason := measure.unfit(subject) if given else "there is nothing to measure on":
            left_out.setdefault((f"{measure.kind} ({measure.text})", reason), []).append(subject.name)
            every.append(None)
            continue
        key = caching.key_of(subject, measure, given)
        found = caching.read(key)
        if found is None:
            found = measure.take(subject, given, part)
            caching.write(key, found)
        every.append(found)
    return every


def _about(subject: Subject, measures: Sequence[AnyMeasure]) -> Row:
    """What a model is, as far as its numbers hang on it."""
    from .. import contents
    from ..checkpoint import Checkpoint
    from ..refs import locate
    from .bits import beginning

    checkpoint = Checkpoint.open(locate(subject.reference))
    return {
        "model": subject.name, "content": contents.digest(subject.content)[:12], "kind": checkpoint.config.get("model_type", ""), "rows": checkpoint.shape[0],
        "context": subject.context, "documents_begin_with": beginning(subject.tokenizer), "chat_template": bool(subject.tokenizer.chat_template),
    }  # fmt: skip


def _fill(card: Scorecard, subject: Subject, measures: Sequence[AnyMeasure], mine: Sequence[Found | None], control: Sequence[Found | None]) -> None:
    """The rows of one model."""
    for measure, found, theirs in zip(measures, mine, control, strict=True):
        if found is None:
            continue
        about = {"model": subject.name, "side": measure.side, "text": measure.text}
        for score in found.scores:
            if score.n < len(score.stats):
                left = len(score.stats) - score.n
                card.notes.append(
                    f"{subject.name}: {left} of {len(score.stats)} items of {measure.text} do not fit into its context and do not count ({score.name})."
                )
            low, high = score.interval()
            place = _place(about, score.name, score.text)
            card.rows.append(place | {"value": score.value, "low": low, "high": high, "n": score.n})
            other = next((s for s in theirs.scores if (s.name, s.text) == (score.name, score.text)), None) if theirs else None
            if other is not None and subject.name != card.control:
                card.differences.append(place | _difference(score, other))
        for row in found.stated:
            card.rows.append(_place(about, row["measure"], row.get("text", "")) | {key: row[key] for key in ("value", "low", "high", "n")})
        card.curves += [{**about, **row} for row in found.curves]
        card.examples += [{**about, "measure": measure.kind, **row} for row in found.examples[:EXAMPLES]]
        card.notes += found.notes


def _place(about: Row, name: str, text: str) -> Row:
    return {"model": about["model"], "measure": name, "side": about["side"], "text": text or about["text"]}


def _difference(score: Score, control: Score) -> Row:
    value, low, high = score.against(control)
    clear = low is not None and high is not None and (low > 0 or high < 0)
    return {"difference": value, "low": low, "high": high, "clear": clear}


def wide(rows: Sequence[Row]) -> list[Row]:
    """One row a model: what each measure gave, under its name and side, and its text where several have these."""
    places: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        places.setdefault((row["measure"], row["side"]), set()).add(row["text"])
    found: dict[str, Row] = {}
    for row in rows:
        found.setdefault(row["model"], {"model": row["model"]})[column(row, places)] = row["value"]
    columns = dict.fromkeys(key for row in found.values() for key in row)
    return [{key: row.get(key) for key in columns} for row in found.values()]


def column(row: Row, places: dict[tuple[str, str], set[str]]) -> str:
    from ..refs import short_names

    texts = places[row["measure"], row["side"]]
    return f"{row['measure']} {row['side']}" + (f" {short_names(texts)[row['text']]}" if len(texts) > 1 else "")
