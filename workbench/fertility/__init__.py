"""What a text costs in tokens: fertility, parity, and the words that are cut worst."""

from ..lazy import names as _names

__getattr__, __dir__, __all__ = _names(__name__, measuring="measure Measured", steps="Fertility", sweeping="sweep knee Sweep Sweeping Swept")
