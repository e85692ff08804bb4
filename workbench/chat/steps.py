"""The steps that ask models: one question, a file of prompts; and what becomes of the replies."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from .. import refs
from ..errors import WorkbenchError
from ..progress import Progress
from ..specs import ArtefactRef, ModelRef, ModelStep, Step
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
        from .comparisons import SIDES
        from .loading import load, same_weights
        from .replying import reply

        messages = [{"role": "user", "content": self.prompt}]
        chatters = {side: load(model, self.device, self.dtype) for side, model in zip(SIDES, self.models, strict=False)}
        rows = []
        for chatter in progress.track(chatters.values(), len(chatters), "asking"):
            *_, last = reply(chatter, messages, self.sampling())
            rows.append({"model": last.model, "text": last.text} | last.facts())
        if note := same_weights(chatters):
            progress.warn(note)
        return {"rows": rows}


class Batch(Asking):
    """Ask several models every prompt of a file, and keep the replies side by side."""

    command: ClassVar[str] = "chat.batch"
    makes: ClassVar[str] = "comparison"
    main: ClassVar[tuple[str, ...]] = ("prompts",)
    models: tuple[ModelRef, ...] = Field(min_length=1, max_length=4, description="One to four models.")
    prompts: str = Field(min_length=1, description="A file of prompts: .txt with one a line, .jsonl, .json, .csv or .tsv.")
    limit: int = Field(0, ge=0, description="Only so many prompts of the file; 0 takes all.")

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        from .batching import ask_all

        return ask_all(self, out, progress)


class Export(Step):
    """Write a conversation, or what a batch made, to a file: Markdown, JSON, CSV, or the JSON of LLM Comparator."""

    command: ClassVar[str] = "chat.export"
    heavy: ClassVar[bool] = False
    main: ClassVar[tuple[str, ...]] = ("comparison", "to")
    comparison: ArtefactRef = Field(min_length=1, description="The id of a conversation (chat-…), or of what a batch made.")
    to: str = Field(min_length=1, description="A file that does not exist yet.")
    format: Literal["markdown", "json", "csv", "llm-comparator"] = Field("markdown", description="What to write.")

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        from .exporting import export

        target = refs.path(self.to)
        text = export(self.comparison, self.format)
        try:
            with target.open("x", encoding="utf-8", newline="") as file:
                file.write(text)
        except FileExistsError:
            raise WorkbenchError(f"{target} exists already; name a file that does not.") from None
        except OSError as error:
            raise WorkbenchError(f"{target} cannot be written ({error.strerror}); choose another place.") from error
        return {"path": str(target), "format": self.format}


class Votes(Step):
    """What the votes on conversations add up to: win rates with intervals, for each pair of models."""

    command: ClassVar[str] = "chat.votes"
    heavy: ClassVar[bool] = False

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        from .votes import tally

        return {"rows": tally()}
