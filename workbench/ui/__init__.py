"""The app: the only place that imports gradio."""

from ..lazy import names as _names

__getattr__, __dir__, __all__ = _names(__name__, step="App")
