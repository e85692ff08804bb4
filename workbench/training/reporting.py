"""What a training says while it runs, and what ends it: steps, the clock, the user, a broken loss."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from .. import processes
from ..errors import RunFailed, Stopped
from ..progress import Progress
from . import resuming
from .data import padded
from .fitting import Settings
from .rising import Rising

FREE = ("device", "log_every", "checkpoint_every", "checkpoint_minutes")  # settings that may be others after a resume: they change no weight


class Report(TrainerCallback):
    """Logs become metrics; the clock, the user and a broken loss end the training.

    Where several processes train, the clock and the stop are those of the first one: all must take the same step with the same learning rate.
    """

    def __init__(
        self, settings: Settings, progress: Progress, model: PreTrainedModel, every: int, hook: Callable[[int], None] | None, work: Path | None = None
    ) -> None:
        self.settings, self.progress, self.model, self.every, self.hook, self.work = settings, progress, model, every, hook, work
        self.step, self.tokens, self.seconds = 0, 0, 0.0
        self.padding, self.aside = 0, 0.0  # of the tokens, and of the seconds: those spent on other things than training
        self.apart = 0.0  # the same as `aside`, what followed the last step included
        self.rows: list[dict[str, float]] = []
        self.ended = "steps"
        self.earlier, self.saved = 0.0, 0.0  # seconds: before a resume, at the last checkpoint
        self.started, self.begun = time.monotonic(), False
        self.rising = Rising("loss", by=0.5, advice="lower the learning rate or give a longer warm-up")

    def go_on(self, found: dict[str, Any]) -> None:
        """Take up what an earlier process had reported. Raises WorkbenchError where its settings were others."""
        resuming.check_same(found, self.fixed())
        self.step, self.tokens, self.rows = found["step"], found["tokens"], found["rows"]
        self.padding, self.aside = found.get("padding", 0), found.get("aside", 0.0)
        self.apart = self.aside
        self.earlier = self.saved = self.seconds = found["seconds"]

    def fixed(self) -> dict[str, Any]:
        """What must be the same after a resume."""
        return {name: value for name, value in asdict(self.settings).items() if name not in FREE} | {"processes": processes.count()}

    def so_far(self) -> dict[str, Any]:
        return {
            "step": self.step, "tokens": self.tokens, "padding": self.padding, "seconds": self.seconds, "aside": self.aside, "rows": self.rows,
            "settings": self.fixed(),
        }  # fmt: skip

    def share(self, step: int) -> float:
        """How much of the training is done, 0 to 1: by its steps or by the clock, whichever is further."""
        spent = self.seconds / (60 * self.settings.minutes) if self.settings.minutes else 0.0
        return min(max(step / self.settings.steps, spent), 1.0)

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.started, self.begun = time.monotonic(), False

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        if not self.begun:  # one that goes on has by now looked for its place in the data
            self.begun, self.apart = True, self.apart + time.monotonic() - self.started

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Around what takes time and is no training."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.apart += time.monotonic() - start

    @property
    def speed(self) -> float | None:
        """Tokens a second, without padding, looks and checkpoints; None where nothing was trained."""
        spent = self.seconds - self.aside
        return round((self.tokens - self.padding) / spent, 1) if spent > 0 and self.tokens else None

    def read(self, batch: Mapping[str, torch.Tensor]) -> None:
        """Count the tokens of a batch, once in every process: those of the others are taken to have as much padding as one's own."""
        self.tokens += batch["input_ids"].numel() * processes.count()
        self.padding += padded(batch) * processes.count()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> TrainerControl:
        self.step = state.global_step
        stop = self._agree(args.device)
        if stop:
            self.ended, control.should_training_stop, control.should_log = "stop", True, True
        elif self.share(0) >= 1.0:
            self.ended, control.should_training_stop = "minutes", True
        elif self.hook and self.every and self.step % self.every == 0:
            self.model.eval()
            with suppress(Stopped), self.beside():  # a stop is noticed again, and heeded, after the next step
                self.hook(self.step)
            self.model.train()
        control.should_save = bool(self.work) and (stop or self._due())
        return control

    def _agree(self, device: torch.device) -> bool:
        """Take the time; returns whether to stop."""
        seconds, stop = self.earlier + time.monotonic() - self.started, self.progress.stopping()
        if processes.count() > 1:
            said = torch.tensor([seconds, float(stop)], dtype=torch.float64, device=device)
            torch.distributed.broadcast(said, 0)
            seconds, stop = float(said[0]), bool(said[1])
        self.seconds, self.aside = seconds, self.apart
        return stop

    def _due(self) -> bool:
        by_steps, by_clock = self.settings.checkpoint_every, 60 * self.settings.checkpoint_minutes
        return bool(by_steps and self.step % by_steps == 0) or bool(by_clock and self.seconds - self.saved >= by_clock)

    def on_save(self, *_: Any, **__: Any) -> None:
        self.saved = self.seconds

    def heed(self, loss: torch.Tensor) -> None:
        """Raise RunFailed where the loss of a batch is no number, before the weights have taken harm."""
        if not math.isfinite(value := float(loss)):
            raise RunFailed(
                f"The loss became {value} at step {self.step + 1}; lower the learning rate (now {self.settings.learning_rate:g}) and run it again.{self.kept()}"
            )

    def kept(self) -> str:
        last = resuming.last(self.work)
        return f" The checkpoint of step {resuming.record(last)['step']} stays in {last}." if last else ""

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, float] | None = None, **_: Any) -> None:
        if not logs or "loss" not in logs:
            return
        step, loss = state.global_step, float(logs["loss"])
        self.rows.append({"step": step, "loss": loss, "learning_rate": float(logs.get("learning_rate", 0.0))})
        with suppress(Stopped):
            self.progress.metric(**self.rows[-1])
            self.progress.at(self.share(step), f"step {step}, loss {loss:.3f}")
            if warning := self.rising.see(step, loss):
                self.progress.warn(warning)
