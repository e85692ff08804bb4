"""The step that asks several models the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from ..progress import Progress
from ..specs import ModelRef, ModelStep


class Chat(ModelStep):
    """Ask several models the same question and show the replies side by side."""

    command: ClassVar[str] = "chat"
    heavy: ClassVar[bool] = False
    models: tuple[ModelRef, ...] = Field(min_length=1, max_length=4, description="One to four models.")
    prompt: str = Field(min_length=1, description="The question.")
    max_tokens: int = Field(96, ge=1, le=8192, description="Longest reply, in tokens.")
    temperature: float = Field(0.0, ge=0, le=5, description="0 takes the likeliest token each time; higher is freer.")
    top_p: float = Field(1.0, gt=0, le=1, description="Sample only from the likeliest tokens that together have this probability.")
    seed: int = Field(0, ge=0, lt=2**63, description="The same seed gives the same sample.")

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        from .loading import load
        from .replying import Sampling, SideBySide, reply

        options = Sampling(max_tokens=self.max_tokens, temperature=self.temperature, top_p=self.top_p, seed=self.seed)
        messages = [{"role": "user", "content": self.prompt}]
        rows = []
        for reference in progress.track(self.models, len(self.models), "asking"):
            *_, last = reply(load(reference, self.device, self.dtype), messages, options)
            rows += SideBySide(messages, {reference: last}).rows()
        return {"rows": rows}
