"""Text to learn from: files, folders, Hugging Face datasets, artefacts and the demo world as lazy, seeded, split streams."""

from ..lazy import names as _names

__getattr__, __dir__, __all__ = _names(
    __name__,
    sources="open Text",
    parallel="open_parallel Pairs",
    split="Stream SPLITS",
    statistics="measure Statistics",
    scripts="words script",
    steps="Corpus",
)
