"""Whole journeys, written as lists of steps."""

import importlib
from typing import Any

__all__ = ["Recipe", "load", "names"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module(".run", __name__), name)
    raise AttributeError(f"module 'workbench.recipes' has no attribute {name!r}")
