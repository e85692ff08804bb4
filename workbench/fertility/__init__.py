"""What a text costs in tokens: fertility, parity, and the words that are cut worst."""

import importlib
from typing import Any

_NAMES = {"measure": "measuring", "Measured": "measuring", "Fertility": "steps"}
__all__ = list(_NAMES)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f".{_NAMES[name]}", __name__), name)
    raise AttributeError(f"module 'workbench.fertility' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
