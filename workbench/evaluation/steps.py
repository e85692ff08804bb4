"""The evaluation step: models in a row, the same texts and questions for all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from ..errors import WorkbenchError
from ..progress import Progress
from ..specs import ModelRef, ModelStep, TextRef


class Evaluate(ModelStep):
    """Measure models: bits per byte of held-out text in both languages, and questions answered exactly."""

    command: ClassVar[str] = "evaluate"
    main: ClassVar[tuple[str, ...]] = ("models",)
    models: tuple[ModelRef, ...] = Field(min_length=1, description="The models to compare: artefacts, demo: names, paths or hub ids.")
    text: TextRef | None = Field(None, description="Text in the target language; its held-out part is measured.")
    source_text: TextRef | None = Field(None, description="Text in the source language, to see what was kept of it.")
    questions: str = Field("", description="A JSONL file of prompt or messages with answer, or demo:ru for the demo's questions as chat.")
    documents: int = Field(200, ge=1, description="Documents of each text, and questions, at most.")
    context: int = Field(0, ge=0, description="Tokens a model sees at once; 0 takes what it was made for, at most 1024.", json_schema_extra={"advanced": True})
    stride: int = Field(0, ge=0, description="Tokens a window moves by; 0 takes half the context.", json_schema_extra={"advanced": True})
    batch_size: int = Field(16, ge=1, description="Windows or questions at a time.", json_schema_extra={"advanced": True})

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        from .. import corpus, refs
        from .asking import read_questions

        texts = {name: corpus.open(ref).held_out.take(self.documents) for name in ("text", "source_text") if (ref := getattr(self, name))}
        questions = read_questions(self.questions, self.documents) if self.questions else []
        if not texts and not questions:
            raise WorkbenchError("There is nothing to measure on; give --text, --source-text or --questions.")
        rows: list[dict[str, Any]] = []
        for n, reference in enumerate(self.models):
            part = progress.part(n / len(self.models), (n + 1) / len(self.models))
            rows += [{"model": refs.label(reference), **row} for row in self._measure(reference, texts, questions, part)]
        return {"rows": rows}

    def _measure(self, reference: str, texts: dict[str, list[str]], questions: list[dict[str, Any]], progress: Progress) -> list[dict[str, Any]]:
        from ..models import open_model
        from .asking import exact_match
        from .bits import bits_per_byte

        progress.at(0, f"loading {reference}")
        model, tokenizer = open_model(reference, self.device, self.dtype)
        rows = []
        for n, (name, documents) in enumerate(texts.items()):
            progress.at((n + 1) / 4, f"{reference}: bits per byte of {getattr(self, name)}")
            found = bits_per_byte(model, tokenizer, documents, context=self.context or None, stride=self.stride or None, batch_size=self.batch_size)
            rows.append(
                {"measure": "bits_per_byte", "text": getattr(self, name), "value": found.bits_per_byte, "low": found.low, "high": found.high, "n": found.n}
            )
        if questions:
            progress.at(0.75, f"{reference}: asking {len(questions)} questions")
            asked = exact_match(model, tokenizer, questions, batch_size=self.batch_size)
            rows.append({"measure": "exact_match", "text": self.questions, "value": asked.score, "low": asked.low, "high": asked.high, "n": asked.n})
        return rows
