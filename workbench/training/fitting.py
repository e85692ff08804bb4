"""One call that trains: `transformers.Trainer` with our progress, a limit in minutes, and no traces left behind."""

from __future__ import annotations

import math
import random
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..progress import Progress

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


Groups = Sequence[tuple[Collection[str] | Callable[[str], bool], float]]


@dataclass(frozen=True)
class Settings:
    """How to train. With `minutes`, whichever limit comes first ends it, and the learning rate follows the nearer one.

    A step takes `batch_size · accumulate` blocks in every process. `chunked` is the loss without logits, which large vocabularies need; `auto` takes it
    where they would be large. Checkpoints are kept every `checkpoint_every` steps (0: none by steps) and `checkpoint_minutes`, whichever comes first.
    """

    steps: int
    batch_size: int = 16
    learning_rate: float = 1e-3
    warmup_steps: int = 20
    weight_decay: float = 0.0
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    minutes: float = 0.0  # 0: no limit
    accumulate: int = 1
    optimizer: Literal["adamw", "muon"] = "adamw"
    max_grad_norm: float = 1.0
    log_every: int = 10
    checkpoint_every: int = 0
    checkpoint_minutes: float = 10.0  # 0: none by the clock
    gradient_checkpointing: bool = False
    chunked: Literal["auto", "on", "off"] = "auto"
    seed: int = 0
    device: str = "auto"
    dtype: str = "auto"
    compile: bool = False


@dataclass(frozen=True)
class Fit:
    """What training did: `ended` says whether by its steps, its minutes or the user; `rows` is the loss curve.

    `tokens` are all, padding among them; `speed` is tokens a second of training alone, without padding, looks and checkpoints, of all processes together.
    """

    steps: int
    tokens: int
    seconds: float
    ended: Literal["steps", "minutes", "stop"]
    rows: list[dict[str, float]] = field(default_factory=list)
    speed: float | None = None

    @property
    def loss(self) -> float:
        """The last logged loss, nats per token."""
        return self.rows[-1]["loss"] if self.rows else math.nan


def fit(
    model: PreTrainedModel,
    blocks: torch.utils.data.Dataset,
    settings: Settings,
    progress: Progress | None = None,
    *,
    collate: Callable[[list[Any]], dict[str, torch.Tensor]] | None = None,
    every: int = 0,
    hook: Callable[[int], None] | None = None,
    work: Path | None = None,
    groups: Groups = (),
) -> Fit:
    """Train those parameters of `model` that require a gradient, in place, on blocks in the order in which they come.

    `hook(step)` is called every `every` steps with the model in evaluation mode. A stop asked for through `progress` ends the training
    and keeps what was learnt. The states of the global random generators are the same after as before.
    `groups` gives parameters, by their names or a predicate on them, another peak learning rate than the settings'.
    With `work`, checkpoints are kept in that folder, at a stop too, and where it holds one, training goes on from it: on a processor in fp32 the end is
    that of an uninterrupted training, to the bit. `blocks` must then give the same ones in the same order every time.
    Raises RunFailed that names the step by which the loss became NaN or infinite, or where the disk is full; WorkbenchError where the checkpoint was
    made with other settings or the training cannot fit into memory.
    """
    from . import resuming
    from .estimating import UnknownShape, of_model
    from .trainer import Report, trainer

    progress = progress or Progress()
    last = resuming.last(work)
    settings = replace(settings, dtype=_format(settings, resuming.record(last)["settings"]["dtype"] if last else ""))
    with suppress(UnknownShape):
        of_model(model, settings, blocks).check()
    report = Report(settings, progress, model, every, hook, work)
    if last:
        report.go_on(resuming.record(last))
        progress.note(f"Going on from step {report.step}, in {settings.dtype}.")
    training, use_cache, forward = model.training, getattr(model.config, "use_cache", None), vars(model).get("forward")
    hook = _as_it_is(model, forward, hook) if hook else None
    try:
        with tempfile.TemporaryDirectory() as scratch, untouched_randomness():
            if last and report.share(report.step) >= 1.0:  # killed after the last step, before its result was written
                resuming.load_trained(model, last)
            else:
                with trainer(model, blocks, report, scratch, collate, groups) as made:
                    made.train(resume_from_checkpoint=str(last) if last else None)
    finally:
        model.train(training)
        _put_forward(model, forward)  # accelerate leaves one that computes in bf16, and what is measured afterwards would be, too
        for mark in ("_is_accelerate_prepared", "_original_forward"):  # by which another training would neither be compiled nor compute in bf16
            vars(model).pop(mark, None)
        if use_cache is not None:  # Trainer switches it off for good, and packing needs it off
            model.config.use_cache = use_cache
    return Fit(report.step, report.tokens, round(report.seconds, 2), report.ended, report.rows, report.speed)


def _as_it_is(model: PreTrainedModel, forward: Any, hook: Callable[[int], None]) -> Callable[[int], None]:
    """The hook, with the model's own forward in the place of accelerate's, so that what is measured during a training is what is measured after it."""

    def look(step: int) -> None:
        wrapped = vars(model).get("forward")
        _put_forward(model, forward)
        try:
            hook(step)
        finally:
            _put_forward(model, wrapped)

    return look


def _put_forward(model: PreTrainedModel, forward: Any) -> None:
    vars(model).pop("forward", None)
    if forward is not None:
        model.forward = forward


def _format(settings: Settings, begun: str) -> str:
    """The number format by name; what was `begun` in one goes on in it, as a probe of a busy processor may come out otherwise the next time."""
    import torch

    from .. import devices
    from .probing import training_format

    if settings.dtype == "auto" and begun:
        return begun
    return {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}[training_format(settings.dtype, devices.pick(settings.device))]


def rate(settings: Settings, step: int, share: float) -> float:
    """The factor of the learning rate at a step, where `share` (0 to 1) of the training is done."""
    warm = min((step + 1) / max(settings.warmup_steps, 1), 1.0)
    return warm * {"cosine": 0.5 * (1 + math.cos(math.pi * share)), "linear": 1.0 - share, "constant": 1.0}[settings.schedule]


@contextmanager
def untouched_randomness() -> Iterator[None]:
    """Put the global generators of Python, numpy and torch back as they were; Trainer seeds all of them."""
    import numpy as np
    import torch

    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        if devices:
            torch.cuda.set_rng_state_all(devices)


def frozen_body(model: PreTrainedModel) -> PreTrainedModel:
    """Let only the embedding table and the head (one and the same where they are tied) take gradients."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for table in (model.get_input_embeddings(), model.get_output_embeddings()):
        if table is not None:
            table.weight.requires_grad_(True)
    return model
