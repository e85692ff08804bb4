"""Text to learn from: files, folders, Hugging Face datasets, artefacts and the demo world as lazy, seeded, split streams."""

import importlib
from typing import Any

_NAMES = {
    "open": "sources", "Text": "sources", "open_parallel": "parallel", "Pairs": "parallel", "Stream": "split", "SPLITS": "split",
    "measure": "statistics", "Statistics": "statistics", "words": "scripts", "script": "scripts", "Corpus": "steps",
}  # fmt: skip
__all__ = list(_NAMES)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f".{_NAMES[name]}", __name__), name)
    raise AttributeError(f"module 'workbench.corpus' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
