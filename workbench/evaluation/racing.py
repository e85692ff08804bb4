"""Transfer methods against each other: bits per byte right after the transfer, and after short alignments on the same text in the same order.

Only one model is in memory; each method's tables are put into it in turn (METHODS: how methods are compared, 1 and 2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import WorkbenchError
from ..progress import Progress

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from ..training.fitting import Settings
    from ..transfer.assemble import Carry
    from ..transfer.base import AnyMethod

CONTROL, ORIGINAL = "random", "original"
Row = dict[str, Any]


@dataclass
class Raced:
    """What a race found.

    `rows`: method, seed, step, bits_per_byte (low, high: 95 % over documents); the original model with its own tokenizer as method "original", step 0.
    `summary`, one row per method: at_start and at_end (means over seeds, and at_end's spread low, high), and steps_to_random: the first measured step at
    which it is as good as random rows are at the end (None: never). `notes`: what could not run, and why.
    """

    rows: list[Row] = field(default_factory=list)
    summary: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Course:
    """What all runners share: text to train on and to measure on, when to measure, how often to repeat."""

    train: Any  # a stream that may be read again
    held_out: Sequence[str]
    steps: Sequence[int]
    seeds: Sequence[int]
    settings: Settings
    block: int


def race(carry: Carry, methods: Mapping[str, AnyMethod], course: Course, progress: Progress | None = None, device: str = "auto") -> Raced:
    """Run every method over the course. Raises WorkbenchError if none of them can run."""
    progress, found = progress or Progress(), Raced()
    runners = _ready(carry, methods, found, progress.part(0, 0.1))
    if not runners:
        raise WorkbenchError(f"No method can run: {found.notes[0]}")
    model, original = _opened(carry, course, device)
    found.rows.append({"method": ORIGINAL, "seed": 0, "step": 0} | original)
    progress.metric(step=0, **{f"bits_per_byte_{ORIGINAL}": original["bits_per_byte"]})
    total = len(runners) * len(course.seeds)
    for n, (name, seed) in enumerate((name, seed) for name in runners for seed in course.seeds):
        part = progress.part(0.1 + 0.9 * n / total, 0.1 + 0.9 * (n + 1) / total)
        part.at(0, f"{name}, seed {seed}")
        found.rows += [{"method": name, "seed": seed} | row for row in _run(carry, model, runners[name], seed, course, name, part)]
    found.summary = summarise(found.rows)
    return found


def summarise(rows: Sequence[Row]) -> list[Row]:
    """One row per method in the order of the rows, from all its seeds."""
    last = max(row["step"] for row in rows)
    at: dict[str, dict[int, list[float]]] = {}
    for row in rows:
        at.setdefault(row["method"], {}).setdefault(row["step"], []).append(row["bits_per_byte"])
    goal = float(np.mean(at[CONTROL][last])) if last in at.get(CONTROL, {}) else None
    made = []
    for name, steps in at.items():
        end = steps.get(last, [])
        reached = [step for step, values in sorted(steps.items()) if goal is not None and np.mean(values) <= goal] if name != ORIGINAL else []
        made.append({
            "method": name, "at_start": float(np.mean(steps[0])), "at_end": float(np.mean(end)) if end else None, "low": min(end, default=None),
            "high": max(end, default=None), "steps_to_random": reached[0] if reached else None, "seeds": len(steps[0]),
        })  # fmt: skip
    return made


def _ready(carry: Carry, methods: Mapping[str, AnyMethod], found: Raced, progress: Progress) -> dict[str, AnyMethod]:
    """The methods whose needs are met: each makes its blend once, so that an unmet need shows before an hour of training."""
    ready: dict[str, AnyMethod] = {}
    for n, (name, method) in enumerate(methods.items()):
        progress.at(n / len(methods), f"{name}: what new vectors are made of")
        try:
            ready[name] = _Made(method, carry)
        except WorkbenchError as error:
            found.notes.append(f"{name} did not run: {error}")
            progress.warn(found.notes[-1])
    return ready


class _Made:
    """A method whose blend is made once; only one that draws makes another for another seed."""

    def __init__(self, method: AnyMethod, carry: Carry) -> None:
        self.method, self.first = method, method.blend(carry.task)

    def tables(self, carry: Carry, seed: int) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        drawn = self.first.draw
        blend = replace(self.first, draw=replace(drawn, seed=drawn.seed + seed)) if drawn else self.first
        return *carry.tables(blend), carry.bias(blend)


def _opened(carry: Carry, course: Course, device: str) -> tuple[PreTrainedModel, Row]:
    """The source model with room for the new tables, and what it scores before with its own."""
    from ..models import open_model
    from ..training.fitting import frozen_body

    model, tokenizer = open_model(carry.source.path, device, "fp32")
    score = _score(model, tokenizer, course)
    model.resize_token_embeddings(len(carry.task.kept), mean_resizing=False)
    model.get_input_embeddings().padding_idx = None  # it is the source's, and would keep another token's row from learning
    return frozen_body(model), score


def _run(carry: Carry, model: PreTrainedModel, runner: Any, seed: int, course: Course, name: str, progress: Progress) -> list[Row]:
    from ..training.data import stream
    from ..training.fitting import fit
    from ..training.stages import blocks

    put_in(model, *runner.tables(carry, seed))
    rows: list[Row] = []

    def look(step: int) -> None:
        if step in course.steps:
            rows.append({"step": step} | _score(model, carry.target_tokenizer, course))
            progress.metric(step=step, **{f"bits_per_byte_{name}": rows[-1]["bits_per_byte"]})

    look(0)
    if last := max(course.steps):
        every = int(np.gcd.reduce([step for step in course.steps if step]))
        text = stream(lambda: blocks(carry.target_tokenizer, [course.train], [1.0], course.block, seed))
        fit(model, text, replace(course.settings, steps=last, seed=seed), progress, every=every, hook=look)
    return rows


def put_in(model: PreTrainedModel, first: torch.Tensor, second: torch.Tensor | None, bias: torch.Tensor | None = None) -> None:
    """Put tables (n, d) into a model of as many rows; the second is None where they are tied, the head's bias (n,) where there is none."""
    import torch

    with torch.no_grad():
        if bias is not None:
            model.get_output_embeddings().bias.copy_(bias)
        for module, table in ((model.get_input_embeddings(), first), (model.get_output_embeddings(), second)):
            if table is not None:
                module.weight.copy_(table)


def _score(model: PreTrainedModel, tokenizer: Any, course: Course) -> Row:
    from .bits import bits_per_byte

    found = bits_per_byte(model, tokenizer, course.held_out, context=course.block)
    return {"bits_per_byte": found.bits_per_byte, "low": found.low, "high": found.high, "n": found.n}
