"""The hidden-overlap score of the transfer that a model comes from: how well its method finds the rows of shared tokens that are hidden from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from ...errors import WorkbenchError
from ...progress import Progress
from ...specs import Seed
from ..base import Column, Found, Measure, Row, Sides, Subject

if TYPE_CHECKING:
    from ..steps import Evaluate


class HiddenOverlap(Measure):
    """Read from the transfer's own record, and computed where that has none; it says nothing of what was trained since."""

    kind: ClassVar[str] = "hidden"
    suites: ClassVar[tuple[str, ...]] = ("full",)
    columns: ClassVar[dict[str, Column]] = {
        "hidden_cosine": Column("hidden rows, cosine", "more", "Cosine of predicted and true rows of hidden shared tokens, for models that a transfer made."),
        "hidden_mrr": Column("hidden rows, MRR", "more", "Mean of 1 / the rank of the true row among all source rows."),
    }
    seed: Seed = Field(0, description="Which tokens are hidden, where the score is computed here.")

    @classmethod
    def asked(cls, knobs: Evaluate, side: Sides) -> Sequence[Measure]:
        return [cls()] if side == "target" else []

    @property
    def text(self) -> str:
        return "hidden shared tokens"

    def items(self) -> list[Any]:
        return [self.seed]

    def unfit(self, subject: Subject) -> str:
        from ...transfer.explaining import Origin

        try:
            Origin.open(subject.reference)
        except WorkbenchError:
            return "no transfer made it, or an ancestor of it"
        return ""

    def take(self, subject: Subject, items: list[Any], progress: Progress) -> Found:
        row = recorded(subject.reference, items[0])
        if not row:
            return Found([], notes=[f"{subject.name}: the method of its transfer has no hidden-overlap score (subtokens and the controls have none)."])
        ends = {"low": row["low"], "high": row["high"]}
        cosine = {"measure": "hidden_cosine", "value": row["cosine"], **ends, "n": row["tokens"]}
        return Found([], [cosine, {"measure": "hidden_mrr", "value": row["mrr"], "low": None, "high": None, "n": row["tokens"]}])


def recorded(reference: str, seed: int) -> Row:
    """The score over all hidden tokens of the transfer that this model descends from; {} where its method cannot be judged so."""
    from ... import store
    from ...transfer.assemble import Carry
    from ...transfer.explaining import Origin
    from ...transfer.hidden import compared_with, hidden_overlap

    artefact = store.open_artefact(Origin.open(reference).transfer.name)
    step, rows = artefact.step, artefact.metrics.get("hidden")
    if rows is None:
        rivals = compared_with(step.method)
        rows = hidden_overlap(Carry.open(step.model, step.tokenizer, step.seed, step.match).task, rivals, seed=seed) if rivals else []
    return next((row for row in rows if row["method"] == step.method.method and row["script"] == row["band"] == "all"), {})
