"""The embedded default: a generated world in three languages and the tiny models trained on it."""

import importlib
from typing import Any

_HOMES = {
    "Build": ".build", "STAGES": ".build", "lookup": ".measure", "stories": ".world", "dialogues": ".world", "instructions": ".world",
    "parallel": ".world", "choices": ".world", "dictionary": ".world",
}  # fmt: skip
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name], __name__), name)
    raise AttributeError(f"module 'workbench.demo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
