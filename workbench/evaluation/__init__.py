"""Evaluation: how well a model knows a language, in units that do not depend on its tokenizer."""

from ..lazy import names as _names

__getattr__, __dir__, __all__ = _names(
    __name__,
    bits="bits_per_byte Bits",
    asking="exact_match ExactMatch read_questions",
    copying="copied Copied",
    choosing="chosen Chosen read_choices",
    racing="race Raced Course",
    base="Measure Subject Found Column",
    scoring="Score",
    measuring="scorecard Scorecard",
    taskfiles="read_task TaskFile",
    measures="MEASURES BitsPerByte Questions Choices Copies Generation Continuations Retrieval Consistency Positions HiddenOverlap Speed Harness",
    steps="Evaluate Race",
)
