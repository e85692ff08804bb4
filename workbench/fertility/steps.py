"""The step that measures fertility."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from ..progress import Progress
from ..specs import PairsRef, Step, TextRef, TokenizerRef


class Fertility(Step):
    """Measure what text costs in tokens: tokens per word with intervals, bytes per token, parity, and the worst words."""

    command: ClassVar[str] = "fertility"
    main: ClassVar[tuple[str, ...]] = ("tokenizers",)
    heavy: ClassVar[bool] = False

    tokenizers: tuple[TokenizerRef, ...] = Field(min_length=1, description="The tokenizers to compare: artefacts, demo: names, paths or hub ids.")
    text: tuple[TextRef, ...] = Field(min_length=1, description="The texts to measure on; of the demo and of corpora the held-out part is used.")
    column: str | None = Field(None, description="The column with the text, for files with columns.", json_schema_extra={"advanced": True})
    parallel: PairsRef | None = Field(None, description="Sentence pairs for parity, such as demo:en-ru: tokens of the second side over tokens of the first.")
    source_column: str | None = Field(None, description="The column of the pairs with the source language.", json_schema_extra={"advanced": True})
    target_column: str | None = Field(None, description="The column of the pairs with the target language.", json_schema_extra={"advanced": True})
    limit: int | None = Field(5_000, ge=1, description="At most this many documents of every text, and pairs.")
    seed: int = Field(0, ge=0, description="Decides what is held out, and the draws behind the intervals.")

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        from ..corpus import open_parallel
        from .inputs import texts_by_name
        from .measuring import measure

        texts = texts_by_name(self.text, self.seed, self.column)
        parallel = open_parallel(self.parallel, self.source_column, self.target_column, seed=self.seed) if self.parallel else None
        found = measure(self.tokenizers, texts, seed=self.seed, parallel=parallel, limit=self.limit, progress=progress)
        for note in found.notes:
            progress.note(note)
        return asdict(found)
