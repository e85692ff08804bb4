"""Carrying embeddings over to another vocabulary: methods, the assembler, LEP."""

import importlib
from typing import Any

_HOMES = {
    "Task": "base", "Blend": "base", "Draw": "draw", "Method": "base",
    "Random": "random", "Gaussian": "gaussian", "Mean": "mean", "Subtokens": "subtokens",
    "Transfer": "steps", "Preview": "steps", "Explain": "steps", "explain": "assemble", "Carry": "assemble",
    "Lep": "lep", "Trio": "lep",
}  # fmt: skip
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module 'workbench.transfer' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
