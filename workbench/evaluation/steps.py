"""The evaluation steps: models in a row on the same texts and questions; transfer methods in a race."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from ..errors import WorkbenchError
from ..progress import Progress
from ..specs import ModelRef, ModelStep, PairsRef, TextRef, TokenizerRef

Runner = Literal["subtokens", "salt", "focus", "omp", "clp", "wechsel", "ofa", "mean", "gaussian", "random"]


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


class Race(ModelStep):
    """Let transfer methods race: bits per byte right after the transfer, and how fast each gets better in a short alignment of the tables."""

    command: ClassVar[str] = "race"
    main: ClassVar[tuple[str, ...]] = ("model", "tokenizer", "text")
    model: ModelRef = Field(description="The model whose vectors are carried over.")
    tokenizer: TokenizerRef = Field(description="The tokenizer it shall have.")
    text: TextRef = Field(description="Text in the new language: trained on, and its held-out part measured.")
    methods: tuple[Runner, ...] = Field(("subtokens", "mean", "random"), min_length=1, description="Who runs; random is the control and always does.")
    donor: ModelRef = Field("", description="For salt, omp, clp and focus: a model of the target language, such as demo:ru-plm.")
    vectors: TextRef = Field("", description="For focus and salt: word vectors of the target language (.vec, .bin), or a text to learn them from.")
    source_vectors: TextRef = Field("", description="For wechsel: word vectors of the source language, or a text to learn them from.")
    pairs: PairsRef = Field("", description="For ofa, parallel text or multilingual vectors; for wechsel, a dictionary; demo:en-ru is both.")
    steps: tuple[int, ...] = Field((0, 10, 50, 200), min_length=1, description="Training steps after which bits per byte are measured.")
    seeds: int = Field(3, ge=1, le=100, description="Runs of each method, each with other random rows and another order of the text.")
    documents: int = Field(50, ge=1, description="Held-out documents measured each time.")
    batch_size: int = Field(8, ge=1, description="Blocks per step.", json_schema_extra={"advanced": True})
    block: int = Field(128, ge=8, description="Tokens per block.", json_schema_extra={"advanced": True})
    learning_rate: float = Field(5e-3, gt=0, le=1, description="Peak learning rate, the same for all.", json_schema_extra={"advanced": True})
    seed: int = Field(0, ge=0, description="The first of the seeds.", json_schema_extra={"advanced": True})

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        from dataclasses import asdict

        from .. import corpus
        from ..training.fitting import Settings
        from ..training.stages import check_block
        from ..transfer.assemble import Carry
        from .racing import Course, race

        if min(self.steps) < 0:
            raise WorkbenchError(f"steps={list(self.steps)} has a negative number; give steps from 0 on, such as 0 10 50 200.")
        progress.at(0, "opening the model, the tokenizer and the text")
        carry, text = Carry.open(self.model, self.tokenizer, self.seed), corpus.open(self.text, seed=self.seed)
        check_block(carry.source, self.block)
        settings = Settings(1, batch_size=self.batch_size, learning_rate=self.learning_rate, warmup_steps=10, device=self.device, dtype=self.dtype)
        held_out = text.held_out.take(self.documents)
        course = Course(text.train, held_out, sorted({0, *self.steps}), range(self.seed, self.seed + self.seeds), settings, self.block)
        return asdict(race(carry, self.runners(), course, progress, self.device))

    def runners(self) -> dict[str, Any]:
        """The methods with what each of them takes of the knobs; the control last."""
        from ..transfer.steps import METHODS

        classes = {kind.model_fields["method"].default: kind for kind in METHODS}
        given = {"donor": self.donor, "vectors": self.vectors, "multilingual": self.pairs, "dictionary": self.pairs, "source_vectors": self.source_vectors}
        given["target_vectors"] = self.vectors
        names = [*dict.fromkeys(name for name in self.methods if name != "random"), "random"]
        return {name: classes[name](**{knob: value for knob, value in given.items() if value and knob in classes[name].model_fields}) for name in names}
