"""Training: blocks of text, one `fit` on transformers' Trainer, and the stages of an adaptation."""

from ..lazy import names as _names

__getattr__, __dir__, __all__ = _names(__name__, stages="Align", fitting="Settings Fit fit frozen_body", data="plain answers chats pack")
