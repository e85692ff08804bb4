"""What the model sees: the first batch of a stage, decoded, with what carries loss; nothing is trained or made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..progress import Progress
from .base import Stage
from .calibrate import Calibrate
from .data import IGNORE, Block
from .foreseeing import outlook
from .instruct import Instruct
from .stages import Align, Full, Monolingual

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from ..vocab import Vocabulary
    from .running import Opened

SHOWN = 8  # rows of a preview
ASKED = 8  # prompts that a preview of a calibration has answered


@dataclass(frozen=True)
class Seen:
    """One document as it lies in a block of the first batch: beside others, which it does not see.

    Attributes:
        block: which block of the batch, from 0.
        ids: its token ids.
        tokens: the same as one can read them, special tokens by name.
        learnt: of each token, whether predicting it counts. The first never does: nothing stands before it.
        text: it decoded, special tokens shown.
    """

    block: int
    ids: list[int]
    tokens: list[str]
    learnt: list[bool]
    text: str


@dataclass(frozen=True)
class Batch:
    """The first batch: its documents in their order, its tokens with padding, the tokens that carry loss, and what the stage would warn of."""

    documents: list[Seen]
    tokens: int
    padding: int
    learnt: int
    steps: int
    warnings: list[str]


def first_batch(stage: Stage, progress: Progress | None = None) -> Batch:
    """What a stage would train on first. Raises WorkbenchError for all that would keep it from starting: texts too short, a tokenizer that does not fit."""
    from ..vocab import Vocabulary
    from .running import opened, reading

    ready = opened(stage, progress)
    names, found = Vocabulary(ready.tokens), list(islice(reading(stage, ready)(), stage.batch_size))
    documents = [seen for n, block in enumerate(found) for seen in _documents(block, n, ready.tokens, names)]
    total = sum(len(block["input_ids"]) for block in found)
    return Batch(
        documents, total, total - sum(len(seen.ids) for seen in documents), sum(sum(seen.learnt) for seen in documents), _steps(stage, ready), ready.cautions
    )


def _steps(stage: Stage, ready: Opened) -> int:
    """The steps of the stage itself: where it passes over answers, a preview has seen only a few of them."""
    from .conversations import Conversations
    from .running import steps_of

    if not isinstance(stage, PreviewCalibrate) or stage.answers or not stage.epochs:
        return ready.steps
    counts, copies = ready.data.found["answers"], ready.data.found["copies"]
    prompts = min(stage.prompt_limit, Conversations(stage.prompts, stage.seed, held_out=0.0, replied=False).count)
    whole = counts["kept"] * prompts / sum(counts.values()) + copies
    return steps_of(stage.model_copy(update={"epochs": stage.epochs * whole / (counts["kept"] + copies)}), ready)  # blocks, not steps, grow with the answers


def _documents(block: Block, number: int, tokens: PreTrainedTokenizerFast, names: Vocabulary) -> Iterator[Seen]:
    """The documents of a block, told apart by positions that begin again; padding at its end is none."""
    starts = [n for n, position in enumerate(block["position_ids"]) if position == 0]
    for low, high in zip(starts, [*starts[1:], len(block["input_ids"])], strict=True):
        ids, learnt = block["input_ids"][low:high], [label != IGNORE for label in block["labels"][low:high]]
        if any(learnt) or high < len(block["input_ids"]) or set(ids) != {tokens.pad_token_id or 0}:
            yield Seen(number, ids, [names.printable(i) for i in ids], learnt, tokens.decode(ids))


class Preview:
    """What makes a preview of a stage: another command, and nothing made."""

    command: ClassVar[str] = "train.preview"
    makes: ClassVar[str] = ""
    heavy: ClassVar[bool] = False

    def run(self: Any, out: Path, progress: Progress) -> dict[str, Any]:
        found = first_batch(self, Progress(progress.sink, progress.stopping))  # no folder: a calibration would go on from the few answers asked here
        estimate, doubts = outlook(self, found.steps)
        warnings = [*found.warnings, *doubts]
        for said in warnings:
            progress.warn(said)
        rows = [
            {"block": seen.block, "tokens": len(seen.ids), "learnt": sum(seen.learnt), "sees": seen.text.replace("\n", "⏎"), "learns": "".join(_learnt(seen))}
            for seen in found.documents[:SHOWN]
        ]
        return {
            "estimate": estimate, "steps": found.steps, "documents": len(found.documents), "tokens": found.tokens, "padding": found.padding,
            "learnt": found.learnt, "rows": rows, "warnings": warnings,
        }  # fmt: skip


def _learnt(seen: Seen) -> Iterator[str]:
    """The tokens that carry loss, a mark where others stood between them."""
    before = True
    for token, learnt in zip(seen.tokens, seen.learnt, strict=True):
        if learnt:
            yield token
        elif before:
            yield "…"
        before = learnt


class PreviewAlign(Preview, Align):
    """Show what a stage would train on first, as text, and what of it counts; nothing is trained or made."""


class PreviewMonolingual(Preview, Monolingual):
    """Show what the monolingual stage would train on first, as text; nothing is trained or made."""


class PreviewInstruct(Preview, Instruct):
    """Show conversations as the instruct stage would learn them, and which part of them counts; nothing is trained or made."""


class PreviewCalibrate(Preview, Calibrate):
    """Show answers of the original model and copy tasks as the calibration would learn them; nothing is trained or made."""

    def prompts_asked(self) -> int:
        return min(self.prompt_limit, ASKED)


class PreviewFull(Preview, Full):
    """Show what full training would train on first, as text; nothing is trained or made."""
