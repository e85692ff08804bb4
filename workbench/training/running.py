"""A stage run from end to end: open and check, measure, fit, measure again, write."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import processes
from ..errors import Stopped, WorkbenchError
from ..progress import Progress
from . import cautions, feeds
from .data import IGNORE, SEEING, Block, Document, encode, start_ids

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from ..checkpoint import Checkpoint
    from .base import Stage
    from .feeds import Data

WRITTEN = 24  # tokens of a sample


@dataclass(frozen=True)
class Opened:
    """A stage's model folder, tokenizer and texts, checked; nothing heavy is loaded yet."""

    source: Checkpoint
    tokens: PreTrainedTokenizerFast
    data: Data
    steps: int
    cautions: list[str]

    @property
    def alone(self) -> bool:
        """Whether documents cannot share a block, as the model would see through from one to the next."""
        return self.source.config.get("model_type") in SEEING


def opened(stage: Stage, progress: Progress | None = None) -> Opened:
    """Raises WorkbenchError where the tokenizer does not fit the model, a block is longer than it reads, or a text is missing or too short."""
    from .. import checkpoint, refs, tokenizer

    source = checkpoint.Checkpoint.open(refs.locate(stage.model))
    tokens = tokenizer.load(source.path)
    source.check_fits(max(tokens.get_vocab().values()) + 1)
    check_block(source, stage.block)
    stage.trained_rows(again=True)
    data = stage.data(tokens, progress or Progress())
    said = [*cautions.of_tokenizer(source, tokens), *data.said]
    rates = [("tables", "learning_rate")] + ([(stage.kind, "body_learning_rate")] if stage.kind != "tables" else [])
    said += [word for kind, name in rates if (rate := getattr(stage, name)) and (word := cautions.of_rate(kind, name, rate, source.shape[1]))]
    if stage.epochs and progress:
        progress.at(0.01, "counting the blocks of one pass")
    found = Opened(source, tokens, data, 0, said)
    if found.alone:
        said.append(
            f"A model of type {source.config['model_type']} does not keep documents in one block apart, so each gets a block of its own; short ones waste room."
        )
    return replace(found, steps=steps_of(stage, found))


def steps_of(stage: Stage, ready: Opened) -> int:
    """Its own, or fewer where passes over the text end it before."""
    if not stage.epochs:
        return stage.steps
    per_step = stage.batch_size * stage.accumulate * processes.count()
    return min(feeds.passes(ready.data.feeds[0], stage.block, ready.tokens.pad_token_id or 0, per_step, stage.epochs, ready.alone), stage.steps)


def reading(stage: Stage, ready: Opened) -> Callable[[], Iterator[Block]]:
    """The blocks in the order in which they are trained on, from the first, at every call."""
    return lambda: feeds.endless(ready.data.feeds, stage.block, ready.tokens.pad_token_id or 0, stage.seed, ready.alone)


def train(stage: Stage, out: Path, progress: Progress) -> dict[str, Any]:
    """The whole stage; returns its metrics. After a stop the model is written all the same, but not measured: whoever asked for it is waiting."""
    from .. import tokenizer
    from ..models import open_model
    from .data import stream
    from .estimating import UnknownShape
    from .fitting import fit
    from .foreseeing import foresee
    from .writing import stored_names, write

    progress.at(0, "opening the model and the texts")
    ready = opened(stage, progress)
    for said in ready.cautions:
        progress.warn(said)
    with suppress(UnknownShape):
        foresee(stage, ready.steps).check()
    learner = stage.learner(open_model(ready.source.path, stage.device, "fp32")[0])
    stored_names(ready.source, learner.body)
    watch = Watch(stage, ready, learner.model, progress)
    progress.at(0.02, "measuring bits per byte before")
    before = watch.measure(0)
    body = getattr(stage, "body_learning_rate", 0.0) or stage.learning_rate
    groups = learner.groups(stage.learning_rate, body)
    done = fit(
        learner.model, stream(reading(stage, ready)), stage.settings(ready.steps), progress.part(0.05, 0.95), every=stage.eval_every, hook=watch.look,
        work=progress.work, groups=groups,
    )  # fmt: skip
    learner.merge()
    after = watch.bits() if done.ended != "stop" else {}
    write(ready.source, learner.model, out, learner.body, stage.generation(ready.tokens, ready.source))
    tokenizer.save(ready.tokens, out)
    with suppress(Stopped):  # asked for when all was done
        watch.warn(after)
    rows = stage.trained_rows()
    return {
        "bits_per_byte": {name: {"before": before[name], "after": after.get(name)} for name in before}, "loss": done.rows, "steps": done.steps,
        "tokens": done.tokens, "seconds": done.seconds, "tokens_per_second": done.speed, "ended": done.ended,
        "rows_trained": len(rows) if rows is not None else ready.source.shape[0],
        **({"layers_trained": len(learner.body)} if learner.body else {}), **ready.data.found, **stage.keep(ready.data, out), "warnings": watch.warnings,
    }  # fmt: skip


class Watch:
    """What is looked at before, during and after the training: bits per byte, and how the model goes on after a few words."""

    def __init__(self, stage: Stage, ready: Opened, model: PreTrainedModel, progress: Progress) -> None:
        self.stage, self.ready, self.model, self.progress = stage, ready, model, progress
        self.before: dict[str, float] = {}
        self.warnings = list(ready.cautions)

    def bits(self) -> dict[str, float]:
        from ..evaluation.bits import bits_per_byte

        data, tokens = self.ready.data, self.ready.tokens
        found = {name: bits_per_byte(self.model, tokens, texts, context=self.stage.block).bits_per_byte for name, texts in data.held_out.items()}
        return found | {f"{name}_replies": reply_bits(self.model, tokens, documents) for name, documents in data.asked.items() if documents}

    def measure(self, step: int) -> dict[str, float]:
        found = self.bits()
        self.before = self.before or found
        self.progress.metric(step=step, **{f"bits_per_byte_{name}": value for name, value in found.items()})
        return found

    def look(self, step: int) -> None:
        self.warn(self.measure(step))
        ids, shown = self._prompt()
        self.progress.sample(_written(self.model, self.ready.tokens, ids), step=step, prompt=shown)

    def warn(self, bits: dict[str, float]) -> None:
        """Say once of each text that the source language is being lost."""
        for name, now in bits.items():
            said = cautions.of_loss(name, self.before.get(name, math.inf), now)
            if said and not any(word.startswith(said[:60]) for word in self.warnings):
                self.warnings.append(said)
                self.progress.warn(said)

    def _prompt(self) -> tuple[list[int], str]:
        """The question of the first held-out conversation, or the first words of the first held-out text."""
        tokens = self.ready.tokens
        if asked := next((documents[0] for documents in self.ready.data.asked.values() if documents), None):
            first = next(n for n, label in enumerate(asked.labels) if label != IGNORE)
            return asked.ids[:first], tokens.decode(asked.ids[:first], skip_special_tokens=True).strip()
        text = next((texts[0] for texts in self.ready.data.held_out.values()), "")
        shown = " ".join(text.split()[:3])
        return start_ids(tokens) + encode(tokens, shown), shown


def reply_bits(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, documents: Sequence[Document], batch_size: int = 8) -> float:
    """Bits per byte of the replies alone: Σ −log2 p over the labelled tokens, what ends a reply among them / UTF-8 bytes of the replies as text."""
    from ..evaluation.bits import nats_of

    bits, size = 0.0, 0
    ordered = sorted(documents, key=lambda d: len(d.ids))
    for start in range(0, len(ordered), batch_size):
        part = ordered[start : start + batch_size]
        for document, nats in zip(part, nats_of(model, [d.ids for d in part]), strict=True):
            wanted = np.array(document.labels[1:]) != IGNORE
            bits += float(nats[wanted].sum()) / math.log(2)
            size += len(tokenizer.decode([i for i in document.labels[1:] if i != IGNORE], skip_special_tokens=True).encode())
    return bits / max(size, 1)


def check_block(source: Checkpoint, block: int) -> None:
    longest = (source.config.get("text_config") or source.config).get("max_position_embeddings", block)
    if block > longest:
        raise WorkbenchError(f"block={block} is more than the {longest} tokens that this model can read at once; use --block {longest} or less.")


def continuation(model: Any, tokenizer: PreTrainedTokenizerFast, text: str, tokens: int = WRITTEN) -> str:
    """How the model goes on after a text, greedily."""
    return _written(model, tokenizer, start_ids(tokenizer) + encode(tokenizer, text), tokens)


def _written(model: Any, tokenizer: PreTrainedTokenizerFast, ids: list[int], tokens: int = WRITTEN) -> str:
    from ..evaluation.asking import replies

    return replies(model, tokenizer, [ids], tokens)[0]
