"""One call that trains: `transformers.Trainer` with our progress, a limit in minutes, and no traces left behind."""

from __future__ import annotations

import math
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ..errors import RunFailed
from ..progress import Progress

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Settings:
    """How to train. With `minutes`, whichever limit comes first ends it, and the learning rate follows the nearer one."""

    steps: int
    batch_size: int = 16
    learning_rate: float = 1e-3
    warmup_steps: int = 20
    weight_decay: float = 0.0
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    minutes: float = 0.0  # 0: no limit
    optimizer: Literal["adamw", "muon"] = "adamw"
    max_grad_norm: float = 1.0
    log_every: int = 10
    seed: int = 0
    device: str = "auto"
    dtype: str = "auto"
    compile: bool = False


@dataclass(frozen=True)
class Fit:
    """What training did: `ended` says whether by its steps, its minutes or the user; `rows` is the loss curve."""

    steps: int
    tokens: int
    seconds: float
    ended: Literal["steps", "minutes", "stop"]
    rows: list[dict[str, float]] = field(default_factory=list)

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
) -> Fit:
    """Train those parameters of `model` that require a gradient, in place, on blocks in the order in which they come.

    `hook(step)` is called every `every` steps with the model in evaluation mode. A stop asked for through `progress` ends the training
    and keeps what was learnt. The states of the global random generators are the same after as before.
    Raises RunFailed that names the step where the loss became NaN or infinite.
    """
    from .data import collate as as_batch

    progress = progress or Progress()
    training, use_cache = model.training, getattr(model.config, "use_cache", None)
    with tempfile.TemporaryDirectory() as scratch, untouched_randomness():
        report = _report(settings, progress, model, every, hook)
        trainer = _trainer(model, blocks, settings, scratch, collate or as_batch, report)
        trainer.train()
    model.train(training)
    if use_cache is not None:
        model.config.use_cache = use_cache
    steps = trainer.state.global_step
    done = "stop" if report.stopped else "minutes" if report.late else "steps"
    return Fit(steps, report.tokens, round(time.monotonic() - report.started, 2), done, report.rows)


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


def _trainer(model: PreTrainedModel, blocks: Any, settings: Settings, scratch: str, collate: Callable, report: Any) -> Any:
    from transformers import PrinterCallback, Trainer, TrainingArguments
    from transformers.trainer_callback import ProgressCallback

    from .. import devices

    device = devices.pick(settings.device)
    half = devices.number_format(settings.dtype, device)
    arguments = TrainingArguments(
        output_dir=scratch, max_steps=settings.steps, per_device_train_batch_size=settings.batch_size, learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay, max_grad_norm=settings.max_grad_norm, adam_beta2=0.95, seed=settings.seed, use_cpu=device.type == "cpu",
        bf16=str(half) == "torch.bfloat16", fp16=str(half) == "torch.float16", logging_steps=settings.log_every, logging_first_step=True, logging_nan_inf_filter=False,
        save_strategy="no", report_to="none", disable_tqdm=True, remove_unused_columns=False, dataloader_pin_memory=device.type == "cuda", torch_compile=settings.compile,
    )  # fmt: skip

    class Ours(Trainer):
        """Trainer with a schedule that knows the clock, and with Muon."""

        def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
            if settings.optimizer == "adamw" or self.optimizer is not None:
                return super().create_optimizer(model)
            self.optimizer = _muon(model or self.model, settings)
            return self.optimizer

        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            from torch.optim.lr_scheduler import LambdaLR

            self.lr_scheduler = LambdaLR(optimizer or self.optimizer, lambda step: rate(settings, step, report.share(step)))
            self._created_lr_scheduler = True
            return self.lr_scheduler

    trainer = Ours(model=model, args=arguments, train_dataset=blocks, data_collator=_counted(collate, report), callbacks=[report])
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    return trainer


def rate(settings: Settings, step: int, share: float) -> float:
    """The factor of the learning rate at a step, where `share` (0 to 1) of the training is done."""
    warm = min((step + 1) / max(settings.warmup_steps, 1), 1.0)
    shape = {"cosine": 0.5 * (1 + math.cos(math.pi * share)), "linear": 1.0 - share, "constant": 1.0}[settings.schedule]
    return warm * shape


def _muon(model: Any, settings: Settings) -> torch.optim.Optimizer:
    """Muon for the matrices of the layers, AdamW for tables, norms and biases; one optimizer to the outside."""
    from .muon import Muon

    tables = {id(model.get_input_embeddings().weight)} | ({id(model.get_output_embeddings().weight)} if model.get_output_embeddings() is not None else set())
    trained = [p for p in model.parameters() if p.requires_grad]
    hidden = [p for p in trained if p.ndim == 2 and id(p) not in tables]
    others = [p for p in trained if p.ndim != 2 or id(p) in tables]
    return Muon(hidden, others, lr=settings.learning_rate, weight_decay=settings.weight_decay)


def _counted(collate: Callable, report: Any) -> Callable:
    def counted(blocks: list[Any]) -> dict[str, torch.Tensor]:
        batch = collate(blocks)
        report.sizes.append(batch["input_ids"].numel())
        return batch

    return counted


def _report(settings: Settings, progress: Progress, model: Any, every: int, hook: Callable[[int], None] | None) -> Any:
    from transformers import TrainerCallback

    class Report(TrainerCallback):
        """Logs become metrics; the clock, the user and a broken loss end the training."""

        def __init__(self) -> None:
            self.started = time.monotonic()
            self.tokens = 0
            self.sizes: list[int] = []  # of batches made; the loader is one ahead of the training
            self.rows: list[dict[str, float]] = []
            self.late = self.stopped = False

        def share(self, step: int) -> float:
            spent = (time.monotonic() - self.started) / (60 * settings.minutes) if settings.minutes else 0.0
            return min(max(step / max(settings.steps, 1), spent), 1.0)

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            self.started = time.monotonic()

        def on_step_end(self, _args: Any, state: Any, control: Any, **_: Any) -> Any:
            self.tokens += self.sizes.pop(0)
            if progress.stopping():
                self.stopped = control.should_training_stop = True
            elif self.share(0) >= 1.0:
                self.late = control.should_training_stop = True
            elif hook and every and state.global_step % every == 0:
                model.eval()
                hook(state.global_step)
                model.train()
            return control

        def on_log(self, _args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
            if not logs or "loss" not in logs:
                return
            row = {"step": state.global_step, "loss": float(logs["loss"]), "learning_rate": float(logs.get("learning_rate", 0.0))}
            if not math.isfinite(row["loss"]):
                raise RunFailed(f"The loss became {row['loss']} at step {row['step']}; lower the learning rate (now {settings.learning_rate:g}) and run it again.")
            self.rows.append(row)
            if not progress.stopping():
                progress.metric(**row)
                progress.at(self.share(state.global_step), f"step {row['step']}, loss {row['loss']:.3f}")

    return Report()


def frozen_body(model: PreTrainedModel) -> PreTrainedModel:
    """Let only the embedding table and the head (one and the same where they are tied) take gradients."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for table in (model.get_input_embeddings(), model.get_output_embeddings()):
        if table is not None:
            table.weight.requires_grad_(True)
    return model

