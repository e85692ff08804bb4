"""The embedded default: a generated world in three languages and the tiny models trained on it."""

from ..lazy import names as _names

__getattr__, __dir__, __all__ = _names(
    __name__, build="Build STAGES", check="Check guessing shipped", measure="lookup", world="stories dialogues instructions parallel choices dictionary"
)
