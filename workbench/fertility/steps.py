"""The step that measures fertility."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from ..progress import Progress
from ..specs import PairsRef, Seed, Step, TextRef, TokenizerRef

ADVANCED = {"advanced": True}


class Fertility(Step):
    """Measure what text costs in tokens: tokens per word with intervals, bytes per token, parity, the worst words, and what it means for a model."""

    command: ClassVar[str] = "fertility"
    main: ClassVar[tuple[str, ...]] = ("tokenizers",)
    heavy: ClassVar[bool] = False

    tokenizers: tuple[TokenizerRef, ...] = Field(min_length=1, description="The tokenizers to compare: artefacts, demo: names, paths or hub ids.")
    text: tuple[TextRef, ...] = Field(min_length=1, description="The texts to measure on; of the demo and of corpora the held-out part is used.")
    column: str | None = Field(None, description="The column with the text, for files with columns.", json_schema_extra=ADVANCED)
    parallel: PairsRef | None = Field(None, description="Sentence pairs for parity, such as demo:en-ru: tokens of the second side over tokens of the first.")
    source_column: str | None = Field(None, description="The column of the pairs with the source language.", json_schema_extra=ADVANCED)
    target_column: tuple[str, ...] = Field((), description="The column of the pairs with the target language, or several.", json_schema_extra=ADVANCED)
    reference: TokenizerRef | None = Field(None, description="Compare with this tokenizer: its tokens are not new, its costs are 1; else with the first.")
    limit: int | None = Field(5_000, ge=1, description="At most this many documents of every text, and pairs.")
    segment: Literal["none", "dictionary"] = Field(
        "none", description="How words are found: by the Unicode rules, or with dictionaries, for languages without spaces between words.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip
    detail: Literal["full", "counts"] = Field(
        "full", description="counts leaves out what needs words or single tokens, and is as fast as encoding.", json_schema_extra=ADVANCED
    )
    min_count: int = Field(1, ge=1, description="A token counts as utilised if it occurs this often.", json_schema_extra=ADVANCED)
    context: int = Field(4_096, ge=1, description="Context window of the model, in tokens, for the consequences.", json_schema_extra=ADVANCED)
    width: int = Field(4_096, ge=1, description="Numbers per vector of the model, for the size of its tables.", json_schema_extra=ADVANCED)
    weight_bytes: int = Field(2, ge=1, le=8, description="Bytes per number: 2 for bf16 and fp16, 4 for fp32.", json_schema_extra=ADVANCED)
    tied: bool = Field(False, description="The model's embedding and output table are one.", json_schema_extra=ADVANCED)
    seed: Seed = Field(0, description="Decides what is held out, and the draws behind the intervals.")

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        from ..corpus import open_parallel
        from .inputs import texts_by_name
        from .measuring import measure

        twice: list[str] = []
        texts = texts_by_name(self.text, self.seed, self.column, twice)
        targets = self.target_column or (None,)
        parallel = [open_parallel(self.parallel, self.source_column, target, seed=self.seed) for target in targets] if self.parallel else None
        settings = {name: getattr(self, name) for name in ("limit", "segment", "detail", "min_count", "context", "width", "weight_bytes", "tied", "seed")}
        languages = dict.fromkeys(texts, self.column) if self.column else {}
        found = measure(self.tokenizers, texts, parallel=parallel, reference=self.reference, languages=languages, progress=progress, **settings)
        for note in (notes := twice + found.notes):
            progress.note(note)
        return asdict(found) | {"notes": notes}
