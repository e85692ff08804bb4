"""A workbench for adapting large language models to new languages.

Nouns, in the order of the story: corpus, tokenizer, fertility, transfer, spaces, training, chat, evaluation. Everything is
loaded on first use: `import workbench` is instant and loads neither torch nor gradio.
"""

import importlib
from typing import Any

_NOUNS = (
    "corpus",
    "tokenizer",
    "fertility",
    "vocab",
    "checkpoint",
    "transfer",
    "spaces",
    "training",
    "chat",
    "evaluation",
    "recipes",
    "demo",
    "jobs",
    "runs",
    "processes",
    "plots",
    "transferplots",
    "spaceplots",
    "widgets",
    "store",
    "artefacts",
    "ui",
)
_NAMES = {"run": "store", "open_artefact": "store", "WorkbenchError": "errors", "Progress": "progress"}
__all__ = [*_NOUNS, *_NAMES]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f".{_NAMES[name]}", __name__), name)
    if name in _NOUNS:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module 'workbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
