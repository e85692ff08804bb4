"""Training: blocks of text, one `fit` on transformers' Trainer, and the stages of an adaptation."""

import importlib
from typing import Any

_HOMES = {
    "Align": ".stages", "Settings": ".fitting", "Fit": ".fitting", "fit": ".fitting", "frozen_body": ".fitting",
    "plain": ".data", "answers": ".data", "chats": ".data", "pack": ".data", "run": "..store",
}  # fmt: skip
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name], __name__), name)
    raise AttributeError(f"module 'workbench.training' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
