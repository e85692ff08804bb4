"""One stream of replies from a model, and the same question side by side to several."""

from ..lazy import names as _names

__getattr__, __dir__, __all__ = _names(
    __name__, loading="Chatter load fingerprint", replying="Sampling Reply SideBySide reply side_by_side script_of", steps="Chat"
)
