"""The measures of a scorecard, one small file each, in the order in which they are told."""

from ..base import Column, Measure
from .bits import BitsPerByte
from .checks import Continuations
from .choices import Choices
from .consistency import Consistency
from .copies import Copies
from .generation import Generation
from .harness import Harness
from .hidden import HiddenOverlap
from .positions import Positions
from .questions import Questions
from .retrieval import Retrieval
from .speed import Speed

# A menu, not a gate: `scorecard` takes any object of the shape of `base.AnyMeasure`.
MEASURES: tuple[type[Measure], ...] = (
    BitsPerByte, Questions, Choices, Copies, Generation, Continuations, Retrieval, Consistency, Positions, HiddenOverlap, Speed, Harness,
)  # fmt: skip
COLUMNS: dict[str, Column] = {name: column for measure in MEASURES for name, column in measure.columns.items()}
