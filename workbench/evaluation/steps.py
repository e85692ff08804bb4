"""The evaluation steps: models in a row on the same texts and questions; transfer methods in a race."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from ..errors import WorkbenchError
from ..progress import Progress
from ..specs import ModelRef, ModelStep, PairsRef, TextRef, TokenizerRef
from .copying import REQUEST

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ORDER = ("bits_per_byte", "exact_match", "choice", "copy")  # of the measures in a result, each in both languages
Runner = Literal["subtokens", "salt", "focus", "omp", "clp", "wechsel", "ofa", "mean", "gaussian", "random"]


class Evaluate(ModelStep):
    """Measure models in both languages: bits per byte of held-out text, questions answered exactly, choices, and copying."""

    command: ClassVar[str] = "evaluate"
    main: ClassVar[tuple[str, ...]] = ("models",)
    models: tuple[ModelRef, ...] = Field(min_length=1, description="The models to compare: artefacts, demo: names, paths or hub ids.")
    text: TextRef | None = Field(None, description="Text in the target language; its held-out part is measured.")
    source_text: TextRef | None = Field(None, description="Text in the source language, to see what was kept of it.")
    questions: str = Field("", description="A JSONL file of prompt or messages with answer, or demo:ru for the demo's questions as chat.")
    source_questions: str = Field("", description="The same in the source language.", json_schema_extra={"advanced": True})
    choices: str = Field("", description="A JSONL file of prompt, options and right, or demo:ru: for base models, too.")
    source_choices: str = Field("", description="The same in the source language.", json_schema_extra={"advanced": True})
    copies: int = Field(0, ge=0, description="So many held-out texts of each language are to be said again, by chat models.")
    copy_request: str = Field(
        REQUEST, pattern=r"\{text\}", description="How a text is asked for, in the target language; {text} is the text.",
        json_schema_extra={"advanced": True},
    )  # fmt: skip
    source_copy_request: str = Field(REQUEST, pattern=r"\{text\}", description="The same in the source language.", json_schema_extra={"advanced": True})
    documents: int = Field(200, ge=1, description="Documents of each text, and questions, at most.")
    context: int = Field(0, ge=0, description="Tokens a model sees at once; 0 takes what it was made for, at most 1024.", json_schema_extra={"advanced": True})
    stride: int = Field(0, ge=0, description="Tokens a window moves by; 0 takes half the context.", json_schema_extra={"advanced": True})
    batch_size: int = Field(16, ge=1, description="Windows or questions at a time.", json_schema_extra={"advanced": True})

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        from .. import refs
        from ..models import open_model

        measures = [measure for side in ("target", "source") for measure in self._measures(side)]
        if not measures:
            raise WorkbenchError("There is nothing to measure on; give --text, --source-text, --choices or --questions.")
        measures.sort(key=lambda measure: ORDER.index(measure.name))
        rows: list[dict[str, Any]] = []
        for n, reference in enumerate(self.models):
            part = progress.part(n / len(self.models), (n + 1) / len(self.models))
            part.at(0, f"loading {reference}")
            model, tokenizer = open_model(reference, self.device, self.dtype)
            for m, measure in enumerate(measures):
                part.at((m + 1) / (len(measures) + 1), f"{reference}: {measure.name} of {measure.text}")
                about = {"model": refs.label(reference), "measure": measure.name, "side": measure.side, "text": measure.text}
                rows += [about | row for row in measure.take(model, tokenizer)]
        return {"rows": rows}

    def _measures(self, side: str) -> Iterator[_Measure]:
        """What is measured in one language, its texts read once for all models."""
        from .. import corpus
        from .asking import exact_match, read_questions
        from .bits import bits_per_byte
        from .choosing import chosen, read_choices

        before = "" if side == "target" else "source_"
        text, questions, choices = getattr(self, f"{before}text"), getattr(self, f"{before}questions"), getattr(self, f"{before}choices")
        size, room = self.batch_size, {"context": self.context or None, "stride": self.stride or None}
        if text:
            held_out = corpus.open(text).held_out.take(max(self.documents, self.copies))
            documents = held_out[: self.documents]
            yield _Measure("bits_per_byte", side, text, lambda m, t: [_row(f := bits_per_byte(m, t, documents, batch_size=size, **room), f.bits_per_byte)])
        if questions:
            asked = read_questions(questions, self.documents)
            yield _Measure("exact_match", side, questions, lambda m, t: [_row(f := exact_match(m, t, asked, batch_size=size), f.score)])
        if choices:
            items = read_choices(choices, self.documents)
            yield _Measure("choice", side, choices, lambda m, t: [_row(f := chosen(m, t, items, batch_size=size), f.score)])
        if self.copies and text:
            again = held_out[: self.copies]
            yield _Measure("copy", side, text, lambda m, t: self._copies(m, t, again, getattr(self, f"{before}copy_request")))

    def _copies(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: list[str], request: str) -> list[dict[str, Any]]:
        from .copying import copied

        found = copied(model, tokenizer, texts, request=request, batch_size=self.batch_size)
        kinds = {"copy_sentences": found.sentences, "copy_paragraphs": found.paragraphs, "copy_characters": found.characters}
        return [{"measure": name, "value": value, "n": found.n} for name, value in kinds.items()]


@dataclass(frozen=True)
class _Measure:
    """One measure in one language: `take(model, tokenizer)` gives its rows."""

    name: str
    side: str
    text: str
    take: Callable[[PreTrainedModel, PreTrainedTokenizerBase], list[dict[str, Any]]]


def _row(found: Any, value: float) -> dict[str, Any]:
    return {"value": value, "low": found.low, "high": found.high, "n": found.n}


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
