"""One stream of replies from a model, and the same question side by side to several."""

import importlib
from typing import Any

_HOMES = {
    "Chatter": "loading", "load": "loading", "fingerprint": "loading",
    "Sampling": "replying", "Reply": "replying", "SideBySide": "replying", "reply": "replying", "side_by_side": "replying", "script_of": "replying",
    "Chat": "steps",
}  # fmt: skip
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module 'workbench.chat' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
