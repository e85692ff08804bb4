"""Evaluation: how well a model knows a language, in units that do not depend on its tokenizer."""

import importlib
from typing import Any

_HOMES = {
    "bits_per_byte": ".bits", "Bits": ".bits", "exact_match": ".asking", "ExactMatch": ".asking", "read_questions": ".asking",
    "Evaluate": ".steps", "run": "..store",
}  # fmt: skip
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name], __name__), name)
    raise AttributeError(f"module 'workbench.evaluation' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
