"""The step that extends a tokenizer."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from ..progress import Progress
from ..specs import Step, TextRef, TokenizerRef
from .extension import Extension


class Extend(Extension, Step):
    """Learn new tokens for a language and add them to a tokenizer; no old token changes its id."""

    command: ClassVar[str] = "tokenizer.extend"
    makes: ClassVar[str] = "tokenizer"
    main: ClassVar[tuple[str, ...]] = ("base", "text")
    heavy: ClassVar[bool] = False

    base: TokenizerRef = Field("demo:en-base", description="The tokenizer to extend, or a model that has one.")
    text: TextRef = Field("demo:ru", description="Text in the new language to learn from.")

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        from ..corpus import open
        from .extension import extend
        from .loading import save

        result = extend(self.base, open(self.text).train, self, progress)
        if result.report.exhausted:
            progress.warn(
                f"The text gave only {result.report.new} new tokens that occur {self.min_frequency} times or more; give more text for {self.new_tokens}."
            )
        save(result.tokenizer, out)
        return asdict(result.report)
