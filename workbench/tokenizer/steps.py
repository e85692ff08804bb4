"""The steps that make tokenizers."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from ..errors import WorkbenchError
from ..progress import Progress
from ..specs import Step, TextRef, TokenizerRef
from .extension import Extended, Extension
from .fresh import Training
from .optimization import Optimization


class Extend(Extension, Step):
    """Add tokens of a language to a tokenizer, learned from text, taken from a donor tokenizer or from a word list; no old token changes its id."""

    command: ClassVar[str] = "tokenizer.extend"
    makes: ClassVar[str] = "tokenizer"
    main: ClassVar[tuple[str, ...]] = ("base", "text")
    heavy: ClassVar[bool] = False

    base: TokenizerRef = Field("demo:en-base", description="The tokenizer to extend, or a model that has one.")
    text: TextRef = Field("demo:ru", description="Text in the new language to learn from; with a donor or a word list it is only measured on.")
    donor: TokenizerRef | None = Field(None, description="Take the tokens of this tokenizer instead of learning them: BPE, Unigram or WordPiece.")
    words: TextRef | None = Field(None, description="Add the words of this list, one a line, instead of learning tokens.", json_schema_extra={"advanced": True})
    reference: TextRef = Field(
        "demo:en", description="Text in the languages of the base, to count the words that are cut differently.", json_schema_extra={"advanced": True}
    )

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        from .loading import save

        result = self._extended(progress)
        found = result.report
        if found.exhausted:
            progress.warn(f"The text gave only {found.new} new tokens that occur {self.min_frequency} times or more; give more text for more.")
        save(result.tokenizer, out)
        return asdict(found)

    def _extended(self, progress: Progress) -> Extended:
        from ..corpus import open
        from .extension import extend
        from .splicing import NO_ROOM, add_words, splice

        if self.donor and self.words:
            raise WorkbenchError("A donor and a word list are given; give one of them, and extend the result by the other.")
        text, reference = open(self.text).train, open(self.reference).held_out
        if self.donor:
            result = splice(self.base, self.donor, self, progress, text, reference)
        elif self.words:
            result = add_words(self.base, open(self.words), self, progress, text, reference)
        else:
            return extend(self.base, text, self, progress, reference)
        if not result.report.new and NO_ROOM not in result.report.rejected:
            of = f" of the script {self.script}" if self.script else ""
            given = self.donor or self.words
            raise WorkbenchError(f"{given} has no token{of} that could be added to {self.base} and is not there yet; choose another one, or another script.")
        return result


class Train(Training, Step):
    """Train a new tokenizer on text: from nothing, or in the place of a base, whose special tokens and chat template it takes over (substitution)."""

    command: ClassVar[str] = "tokenizer.train"
    makes: ClassVar[str] = "tokenizer"
    main: ClassVar[tuple[str, ...]] = ("text",)
    heavy: ClassVar[bool] = False

    text: tuple[TextRef, ...] = Field(("demo:ru",), min_length=1, description="Text to learn from, from one or several places.")
    weights: tuple[float, ...] = Field((), description="One weight per text to mix by; else they follow in order.")
    base: TokenizerRef | None = Field(None, description="The tokenizer, or a model that has one, to replace; if left out, the new one starts from nothing.")
    limit: int | None = Field(None, ge=1, description="At most this many documents of every text.", json_schema_extra={"advanced": True})
    reference: TextRef = Field(
        "demo:en", description="Text in the languages of the base, to count the words that are cut differently.", json_schema_extra={"advanced": True}
    )

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        from ..corpus import open
        from .fresh import train
        from .loading import save

        text = open(self.text, weights=self.weights, limit=self.limit).train
        reference = open(self.reference).held_out if self.base else ()
        result = train(text, self, progress, base=self.base, reference=reference)
        if result.report.exhausted:
            progress.warn(
                f"The text gave only {result.report.size} of {self.vocab_size} tokens that occur {self.min_frequency} times or more; give more text for more."
            )
        save(result.tokenizer, out)
        return asdict(result.report)


class Optimize(Optimization, Step):
    """Prune a tokenizer to the tokens that a mixed reference text needs, then add tokens of a language; where each old token went is kept as a map."""

    command: ClassVar[str] = "tokenizer.optimize"
    makes: ClassVar[str] = "tokenizer"
    main: ClassVar[tuple[str, ...]] = ("base", "text")
    heavy: ClassVar[bool] = False

    base: TokenizerRef = Field("demo:en-base", description="The tokenizer to prune, or a model that has one: BPE.")
    reference: tuple[TextRef, ...] = Field(
        ("demo:en", "demo:ru"), min_length=1, description="The mixed text that decides which tokens stay: the languages the model shall know."
    )
    weights: tuple[float, ...] = Field(
        (), description="One weight per reference text to mix by; else all of each is read.", json_schema_extra={"advanced": True}
    )
    text: TextRef = Field("demo:ru", description="Text in the new language to learn from; with a donor it is only measured on.")
    donor: TokenizerRef | None = Field(None, description="Add the tokens of this tokenizer instead of learning them: BPE, Unigram or WordPiece.")

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        from ..corpus import open
        from .compacting import save_map
        from .loading import save
        from .optimization import optimize

        reference = open(self.reference, weights=self.weights)
        result = optimize(self.base, reference.train, open(self.text).train, self, progress, self.donor)
        added = result.report.extension
        if added and added.exhausted:
            progress.warn(f"The text gave only {added.new} new tokens that occur {self.min_frequency} times or more; give more text for more.")
        save(result.tokenizer, out)
        save_map(result.id_map, out)
        return asdict(result.report)
