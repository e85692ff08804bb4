"""What `fit` puts into transformers' Trainer: a schedule that knows the clock, Muon, and a callback that reports and ends."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR
from transformers import PreTrainedModel, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from .. import devices
from ..errors import RunFailed, Stopped
from ..progress import Progress
from .fitting import Settings, rate
from .muon import Muon


class Report(TrainerCallback):
    """Logs become metrics; the clock, the user and a broken loss end the training."""

    def __init__(self, settings: Settings, progress: Progress, model: PreTrainedModel, every: int, hook: Callable[[int], None] | None) -> None:
        self.settings, self.progress, self.model, self.every, self.hook = settings, progress, model, every, hook
        self.started = time.monotonic()
        self.tokens = 0
        self.sizes: list[int] = []  # of the batches made; the loader is one ahead of the training
        self.rows: list[dict[str, float]] = []
        self.ended = "steps"

    def counted(self, collate: Callable[[list[Any]], dict[str, torch.Tensor]]) -> Callable[[list[Any]], dict[str, torch.Tensor]]:
        """The collator, its tokens counted."""

        def collated(blocks: list[Any]) -> dict[str, torch.Tensor]:
            batch = collate(blocks)
            self.sizes.append(batch["input_ids"].numel())
            return batch

        return collated

    def share(self, step: int) -> float:
        """How much of the training is done, 0 to 1: by its steps or by the clock, whichever is further."""
        spent = (time.monotonic() - self.started) / (60 * self.settings.minutes) if self.settings.minutes else 0.0
        return min(max(step / self.settings.steps, spent), 1.0)

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.started = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> TrainerControl:
        self.tokens += sum(self.sizes.pop(0) for _ in range(min(args.world_size, len(self.sizes))))
        if self.progress.stopping():
            self.ended, control.should_training_stop = "stop", True
        elif self.share(0) >= 1.0:
            self.ended, control.should_training_stop = "minutes", True
        elif self.hook and self.every and state.global_step % self.every == 0:
            self.model.eval()
            with suppress(Stopped):  # noticed again, and heeded, after the next step
                self.hook(state.global_step)
            self.model.train()
        return control

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, float] | None = None, **_: Any) -> None:
        if not logs or "loss" not in logs:
            return
        step, loss = state.global_step, float(logs["loss"])
        if not math.isfinite(loss):
            raise RunFailed(f"The loss became {loss} by step {step}; lower the learning rate (now {self.settings.learning_rate:g}) and run it again.")
        self.rows.append({"step": step, "loss": loss, "learning_rate": float(logs.get("learning_rate", 0.0))})
        with suppress(Stopped):
            self.progress.metric(**self.rows[-1])
            self.progress.at(self.share(step), f"step {step}, loss {loss:.3f}")


class Scheduled(Trainer):
    """Trainer with the schedule of `rate` and, where asked for, Muon."""

    def __init__(self, settings: Settings, report: Report, **given: Any) -> None:
        self.settings, self.report = settings, report
        super().__init__(callbacks=[report], **given)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        if self.settings.optimizer == "muon" and self.optimizer is None:
            self.optimizer = _muon(self.report.model, self.settings)
            return self.optimizer
        return super().create_optimizer(model)

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> LambdaLR:
        self.lr_scheduler = LambdaLR(optimizer or self.optimizer, lambda step: rate(self.settings, step, self.report.share(step)))
        self._created_lr_scheduler = True
        return self.lr_scheduler


def arguments(settings: Settings, folder: str) -> TrainingArguments:
    """Ours as transformers'. Nothing is saved, printed or sent anywhere."""
    device = devices.pick(settings.device)
    half = devices.number_format(settings.dtype, device)
    return TrainingArguments(
        output_dir=folder, save_strategy="no", report_to="none", disable_tqdm=True, remove_unused_columns=False,
        max_steps=settings.steps, per_device_train_batch_size=settings.batch_size, seed=settings.seed,
        learning_rate=settings.learning_rate, weight_decay=settings.weight_decay, max_grad_norm=settings.max_grad_norm, adam_beta2=0.95,
        use_cpu=device.type == "cpu", bf16=half == torch.bfloat16, fp16=half == torch.float16, torch_compile=settings.compile,
        dataloader_pin_memory=device.type == "cuda", logging_steps=settings.log_every, logging_first_step=True, logging_nan_inf_filter=False,
    )  # fmt: skip


def _muon(model: PreTrainedModel, settings: Settings) -> Muon:
    """Muon for the matrices of the layers; AdamW for tables, norms and biases."""
    tables = {id(table.weight) for table in (model.get_input_embeddings(), model.get_output_embeddings()) if table is not None}
    trained = [p for p in model.parameters() if p.requires_grad]
    hidden = [p for p in trained if p.ndim == 2 and id(p) not in tables]
    others = [p for p in trained if p.ndim != 2 or id(p) in tables]
    return Muon(hidden, others, lr=settings.learning_rate, weight_decay=settings.weight_decay)
