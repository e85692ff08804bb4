"""Tokenizers: read any of the usual files, extend a vocabulary without moving an old id, and look inside.

Everything is loaded on first use; importing this package loads neither torch nor transformers. The files are named so that
no submodule has the name of a public function.
"""

import importlib
from typing import Any

_NAMES = {
    "load": "loading",
    "save": "loading",
    "extend": "extension",
    "Extended": "extension",
    "Extension": "extension",
    "Report": "extension",
    "chips": "inspection",
    "Chip": "inspection",
    "Extend": "steps",
}
__all__ = list(_NAMES)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f".{_NAMES[name]}", __name__), name)
    raise AttributeError(f"module 'workbench.tokenizer' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
