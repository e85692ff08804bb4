"""What every measure of a scorecard is: a frozen group of knobs that names its items and takes one model's scores on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol

from pydantic import Field

from .. import contents, refs
from ..errors import WorkbenchError
from ..progress import Progress
from ..specs import Options, TextRef
from .scoring import Score

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from .steps import Evaluate

Sides = Literal["target", "source"]
Row = dict[str, Any]
SUITES = ("quick", "full")


class Column(NamedTuple):
    """How a score is called and read: `better` is "fewer", "more" or "" where neither is."""

    title: str
    better: Literal["fewer", "more", ""]
    help: str


@dataclass(frozen=True)
class Found:
    """What one model did on the items of a measure.

    `stated`: values that come without items (measure, value, low, high, n). `curves`: numbers by position, to be drawn. `examples`: items as the model
    answered them. `notes`: what the reader must know.
    """

    scores: list[Score]
    stated: list[Row] = field(default_factory=list)
    curves: list[Row] = field(default_factory=list)
    examples: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Subject:
    """A model that is measured; loaded when a measure first needs it, which none does whose result is kept from before."""

    reference: str
    device: str = "auto"
    dtype: str = "auto"
    batch_size: int = 16

    @property
    def name(self) -> str:
        return refs.label(self.reference)

    @cached_property
    def content(self) -> Any:
        """What it is made of, whatever it is called: the hash of an artefact, or of a folder's files."""
        place = str(refs.locate(self.reference))
        found = contents.pointed(self.reference)
        found = contents.pointed(place) if found == self.reference else found
        return found[1:] if isinstance(found, list) else found

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerFast:
        from ..tokenizer import load

        return load(refs.locate(self.reference))

    @cached_property
    def model(self) -> PreTrainedModel:
        from ..models import open_model

        return open_model(self.reference, self.device, self.dtype)[0]

    @cached_property
    def context(self) -> int:
        """Tokens that it can read at once, by its config."""
        from ..checkpoint import Checkpoint
        from ..models import context_of

        return context_of(Checkpoint.open(refs.locate(self.reference)).config)


class AnyMeasure(Protocol):
    """What the scorecard asks of a measure: any object of this shape may be passed."""

    kind: str
    side: Sides
    version: int
    kept: bool

    @property
    def text(self) -> str: ...
    def items(self) -> list[Any]: ...
    def unfit(self, subject: Subject) -> str: ...
    def take(self, subject: Subject, items: list[Any], progress: Progress) -> Found: ...


class Measure(Options):
    """The base of the measures."""

    kind: ClassVar[str]
    columns: ClassVar[dict[str, Column]]  # its scores, by name
    suites: ClassVar[tuple[str, ...]] = SUITES
    given: ClassVar[bool] = False  # also measured outside the suites, as soon as its input is named
    needs: ClassVar[tuple[str, ...]] = ()  # of: template
    version: ClassVar[int] = 1  # raised when the same items would score otherwise
    kept: ClassVar[bool] = True  # False: not the same from one run to the next
    side: Sides = Field("target", description="Which of the two languages it is in.")

    @property
    def text(self) -> str:
        """What it is measured on, as a table says it."""
        return ""

    @classmethod
    def asked(cls, knobs: Evaluate, side: Sides) -> Sequence[Measure]:
        """The measures of this kind that the knobs of a step name for one language."""
        return ()

    def items(self) -> list[Any]:
        """What every model is given, in this order; JSON. Raises WorkbenchError where there is nothing."""
        raise WorkbenchError(f"{type(self).__name__} has no items; define items().")

    def unfit(self, subject: Subject) -> str:
        """Why this model cannot be measured so; "" where it can."""
        return "it has no chat template" if "template" in self.needs and not subject.tokenizer.chat_template else ""

    def take(self, subject: Subject, items: list[Any], progress: Progress) -> Found:
        """One model's scores on the items, a row of every score for each item, in their order."""
        raise WorkbenchError(f"{type(self).__name__} has no take method; define take(subject, items, progress).")


class OnText(Measure):
    """The base of measures that take `usual` pieces of a text's held-out part at most."""

    usual: ClassVar[int]
    reference: TextRef = Field(description="The text.")
    count: int = Field(ge=1, description="Pieces at most.")

    @property
    def text(self) -> str:
        return self.reference

    @classmethod
    def asked(cls, knobs: Evaluate, side: Sides) -> Sequence[Measure]:
        text = getattr(knobs, f"{before(side)}text")
        return [cls(side=side, reference=text, count=min(knobs.count, cls.usual))] if text else []


def before(side: Sides) -> str:
    """What stands before the name of a knob of this language."""
    return "" if side == "target" else "source_"
