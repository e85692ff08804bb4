"""The app: the only place that imports gradio."""

from typing import Any

__all__ = ["App"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from .step import App

        return App
    raise AttributeError(f"module 'workbench.ui' has no attribute {name!r}")
