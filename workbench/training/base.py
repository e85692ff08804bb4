"""What all stages have in common: their knobs, and what each must say about itself."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, PrivateAttr, model_validator

from ..progress import Progress
from ..specs import ModelRef, ModelStep, Seed, tag_of
from .presets import PRESETS, Preset, preset

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from ..checkpoint import Checkpoint
    from .adapters import Learner
    from .feeds import Data
    from .fitting import Settings

ADVANCED = {"advanced": True}
Rows = Literal["all", "new", "target"]
ROWS: Any = Field(
    "all",
    description="Which rows of the two tables are trained: all (as the papers do), new (that the transfer filled in), or target (those, and old ones that the "
    "first 1000 documents of text use ten times as often as those of source_text; what both languages share stays).",
)


class Stage(ModelStep):
    """The base of the stages. A stage says what it reads (`data`) and which parts of the model learn (`learner`); the rest is `running`."""

    command: ClassVar[str] = "train"
    makes: ClassVar[str] = "model"
    main: ClassVar[tuple[str, ...]] = ("model", "text")
    kind: ClassVar[str] = "tables"  # what learns, for a word about learning rates
    _rows: list[int] | None = PrivateAttr(None)
    preset: Preset = Field("demo", description="Sets the knobs that are not given, for a small model, a laptop, one GPU, or to the papers' values.")
    model: ModelRef = Field(description="The model to train, as a rule one that a transfer made.")
    steps: int = Field(600, ge=1, description="Training steps at most.")
    epochs: float = Field(0.0, ge=0.0, description="Passes over what is in the new language at most; 0 is no limit. (LEP, arXiv:2412.21140: one.)")
    minutes: float = Field(0.0, ge=0.0, description="Minutes at most; 0 is no limit. The learning rate falls to 0 by whichever limit is nearer.")
    batch_size: int = Field(8, ge=1, description="Blocks at a time in each process.")
    accumulate: int = Field(1, ge=1, description="Batches whose gradients make one step (LEP: 256 blocks a step in all).")
    block: int = Field(128, ge=8, description="Tokens per block (LEP: 1024, Persian: 512).")
    learning_rate: float = Field(
        5e-3, gt=0.0, le=1.0, description="Peak learning rate of the tables; the demo's is high because its model is small (LEP: 1e-4 Mistral, 2e-4 LLaMa-3)."
    )
    warmup_steps: float = Field(20, ge=0, description="Steps, or below 1 their share, over which the learning rate rises (LEP: 100); a cosine follows.")
    weight_decay: float = Field(0.0, ge=0.0, le=1.0, description="AdamW weight decay (LEP: 0.1, Persian: 0.01).")
    eval_every: int = Field(
        100, ge=0, description="Steps between two looks: bits per byte, and a sample of what it writes; 0 for none.", json_schema_extra=ADVANCED
    )
    eval_documents: int = Field(100, ge=1, description="Held-out documents on which bits per byte are measured, before and after.", json_schema_extra=ADVANCED)
    checkpoint_minutes: float = Field(
        10.0, ge=0.0, description="Minutes between two checkpoints from which a job can go on; 0 for none by the clock.", json_schema_extra=ADVANCED
    )
    checkpoint_every: int = Field(0, ge=0, description="Steps between two checkpoints; 0 for none by steps.", json_schema_extra=ADVANCED)
    gradient_checkpointing: bool = Field(
        False, description="Compute activations again instead of keeping them: less memory, a third slower.", json_schema_extra=ADVANCED
    )
    seed: Seed = Field(0, description="Decides the order of the text.", json_schema_extra=ADVANCED)

    @model_validator(mode="before")
    @classmethod
    def _preset_is_its_values(cls, values: Any) -> Any:
        """A preset is replaced by the knobs that it sets: a spec states them, and means the same when the presets have changed."""
        name = values.get("preset") if isinstance(values, dict) else None
        known = PRESETS.get(tag_of(cls, "stage"), {}) if "stage" in cls.model_fields else {}
        if not isinstance(name, str) or name not in known:
            return values
        return preset(tag_of(cls, "stage"), name) | {knob: value for knob, value in values.items() if knob != "preset"}

    @abstractmethod
    def data(self, tokens: PreTrainedTokenizerFast, progress: Progress) -> Data:
        """What it reads. Raises WorkbenchError where a text is missing or has nothing to measure on."""

    @abstractmethod
    def learner(self, model: PreTrainedModel) -> Learner:
        """The model with the parts that learn."""

    def generation(self, tokens: PreTrainedTokenizerFast, source: Checkpoint) -> dict[str, Any]:
        """What changes in the model's generation config."""
        return {}

    def keep(self, data: Data, out: Path) -> dict[str, Any]:
        """What else goes into the result's folder, and into its metrics."""
        return {}

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        from .running import train

        return train(self, out, progress)

    def settings(self, steps: int | None = None) -> Settings:
        """For `fit`; `steps` where passes over the text end it before its own number."""
        from dataclasses import fields

        from .fitting import Settings

        last = min(steps or self.steps, self.steps)
        warm = round(self.warmup_steps * last) if self.warmup_steps < 1 else int(self.warmup_steps)
        mine = {f.name: getattr(self, f.name) for f in fields(Settings) if f.name in type(self).model_fields}
        return Settings(**mine | {"steps": last, "warmup_steps": warm})

    def trained_rows(self, again: bool = False) -> list[int] | None:
        """The ids of the rows that learn; None for all. Texts are read for it once, unless asked for again."""
        from .choosing import trained_rows

        if again or self._rows is None:
            self._rows = trained_rows(self)
        return self._rows

    @property
    def reads_rows(self) -> bool:
        """Whether texts must yet be read to know which rows learn."""
        return getattr(self, "rows", "all") == "target" and self._rows is None


class Lora(Stage):
    """The base of stages that train the tables, and adapters on the layers between them (arXiv:2106.09685), merged into the result."""

    kind: ClassVar[str] = "lora"
    rows: Rows = ROWS
    body_learning_rate: float = Field(2e-3, ge=0.0, le=1.0, description="Peak learning rate of the adapters; 0 takes learning_rate (Persian: 2e-4).")
    lora_rank: int = Field(8, ge=1, le=1024, description="Rank r of the adapters.")
    lora_alpha: float = Field(32.0, gt=0.0, description="What the adapters add is scaled by alpha / r.")
    lora_dropout: float = Field(0.05, ge=0.0, lt=1.0, description="Share of their inputs that the adapters do not see at a step.")
    lora_targets: tuple[str, ...] = Field(
        (), description="Linear layers that get adapters, such as q_proj v_proj; none named, all of them.", json_schema_extra=ADVANCED
    )
    lora_layers: Literal["all", "ends"] = Field(
        "all", description="Blocks of the model whose layers get adapters: all, or the first and the last (ends).", json_schema_extra=ADVANCED
    )

    def learner(self, model: PreTrainedModel) -> Learner:
        from . import adapters

        lora = adapters.Lora(self.lora_rank, self.lora_alpha, self.lora_dropout, self.lora_targets, self.lora_layers)
        return adapters.learner(model, self.trained_rows(), lora, self.seed)
