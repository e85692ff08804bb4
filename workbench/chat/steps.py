"""The step that asks several models the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from ..progress import Progress
from ..specs import ModelRef, ModelStep
from .replying import Sampling


class Asking(ModelStep, Sampling):
    """The base of steps that ask models: where they run, and how they sample."""

    def sampling(self) -> Sampling:
        return Sampling(**{name: getattr(self, name) for name in Sampling.model_fields})


class Chat(Asking):
    """Ask several models the same question and show the replies side by side."""

    command: ClassVar[str] = "chat"
    heavy: ClassVar[bool] = False
    models: tuple[ModelRef, ...] = Field(min_length=1, max_length=4, description="One to four models.")
    prompt: str = Field(min_length=1, description="The question.")

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        from .loading import load, same_weights
        from .replying import SideBySide, reply

        messages = [{"role": "user", "content": self.prompt}]
        chatters = {model: load(model, self.device, self.dtype) for model in self.models}
        rows = []
        for model, chatter in progress.track(chatters.items(), len(chatters), "asking"):
            *_, last = reply(chatter, messages, self.sampling())
            rows += SideBySide(messages, {model: last}).rows()
        if note := same_weights(chatters):
            progress.warn(note)
        return {"rows": rows}
