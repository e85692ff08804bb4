"""The evaluation steps: models side by side on the same items; transfer methods in a race."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from ..errors import WorkbenchError
from ..progress import Progress
from ..specs import ModelRef, ModelStep, PairsRef, Seed, TextRef, TokenizerRef
from .copying import REQUEST

if TYPE_CHECKING:
    from .base import Measure, Sides

SIDES: tuple[Sides, ...] = ("target", "source")
FEW = 50  # documents and items at most, in the quick suite
Suite = Literal["given", "quick", "full"]
Kind = Literal["bits", "questions", "choice", "copy", "generation", "checks", "retrieval", "consistency", "positions", "hidden", "speed", "lm-eval"]
Runner = Literal["subtokens", "salt", "focus", "omp", "clp", "wechsel", "ofa", "mean", "gaussian", "random"]


class Evaluate(ModelStep):
    """Measure models side by side in both languages: one row a model, the same items for all, intervals, and differences to a control."""

    command: ClassVar[str] = "evaluate"
    main: ClassVar[tuple[str, ...]] = ("models",)
    models: tuple[ModelRef, ...] = Field(min_length=1, description="The models to compare: artefacts, demo: names, paths or hub ids.")
    suite: Suite = Field("given", description="What to measure: just what is named below, a quick round over at most 50 items of each, or everything.")
    control: ModelRef = Field("", description="The model that the others are compared to; the first one, unless named.")
    text: TextRef | None = Field(None, description="Text in the target language; its held-out part is measured.")
    source_text: TextRef | None = Field(None, description="Text in the source language, to see what was kept of it.")
    questions: str = Field("", description="A JSONL file of prompt or messages with answer, or demo:ru for the demo's questions as chat.")
    source_questions: str = Field("", description="The same in the source language.", json_schema_extra={"advanced": True})
    choices: str = Field("", description="A JSONL file of prompt, options and right, or demo:ru: for base models, too.")
    source_choices: str = Field("", description="The same in the source language.", json_schema_extra={"advanced": True})
    pairs: PairsRef = Field("", description="Parallel text, whose translations are looked for through the input tables alone.")
    tasks: tuple[str, ...] = Field((), description="JSONL files of choices, labelled items, summaries, translations or questions on texts.")
    source_tasks: tuple[str, ...] = Field((), description="The same in the source language.", json_schema_extra={"advanced": True})
    shots: int = Field(0, ge=0, le=64, description="Items of a task that are shown with their answers first.", json_schema_extra={"advanced": True})
    lm_eval: tuple[str, ...] = Field(
        (), description="Tasks of lm-eval by name, or .yaml files of tasks (needs the extra eval).", json_schema_extra={"advanced": True}
    )
    measures: tuple[Kind, ...] = Field(
        (), description="Only these kinds of measures; all that the suite has, unless named.", json_schema_extra={"advanced": True}
    )
    copies: int = Field(0, ge=0, description="So many held-out texts of each language are to be said again by chat models; 0: what the suite says.")
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
        from .measuring import scorecard

        if not (measures := self.chosen()):
            raise WorkbenchError("There is nothing to measure on; give --text, --source-text, --choices, --questions, --pairs, --tasks or --lm-eval.")
        how = {"device": self.device, "dtype": self.dtype, "batch_size": self.batch_size}
        return scorecard(self.models, measures, control=self.control, **how, progress=progress).json()

    @property
    def count(self) -> int:
        """Documents and items at most."""
        return min(self.documents, FEW) if self.suite == "quick" else self.documents

    def chosen(self) -> list[Measure]:
        """The measures that this step takes, in the order of their menu, each in both languages."""
        from .measures import MEASURES

        return [measure for kind in MEASURES if self._wants(kind) for side in SIDES for measure in kind.asked(self, side)]

    def _wants(self, kind: type[Measure]) -> bool:
        if self.measures:
            return kind.kind in self.measures
        return kind.given if self.suite == "given" else self.suite in kind.suites


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
    learning_rate: float = Field(5e-3, gt=0, le=1, description="Learning rate from the tenth step on, the same for all.", json_schema_extra={"advanced": True})
    seed: Seed = Field(0, description="The first of the seeds.", json_schema_extra={"advanced": True})

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
        settings = Settings(
            1, batch_size=self.batch_size, learning_rate=self.learning_rate, warmup_steps=10, schedule="constant", device=self.device, dtype=self.dtype
        )  # falling to nothing by the last step, the rate would hold back whoever is measured before it: a value would say how far the race has come
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
