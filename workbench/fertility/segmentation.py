"""Where words end: by the Unicode rules, or with ICU's dictionaries for languages that write no spaces between words."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Literal

from ..corpus.scripts import words
from ..errors import WorkbenchError

Segment = Literal["none", "dictionary"]


def segmenter(kind: Segment) -> tuple[str, Callable[[str], list[str]]]:
    """The name of what finds words, and the function that does. Raises WorkbenchError where the extra `segmentation` is not installed."""
    if kind == "none":
        return "UAX 29", words
    if kind != "dictionary":
        raise WorkbenchError(f"segment='{kind}' is not known; choose none or dictionary.")
    try:
        import icu4py
        from icu4py.breakers import WordBreaker
    except ImportError:
        raise WorkbenchError("Dictionary segmentation needs ICU; install it with: pip install 'workbench[segmentation]'.") from None

    def find(text: str) -> list[str]:
        return [part for part in WordBreaker(text, "root") if any(map(_counts, part))]

    return f"ICU {icu4py.icu_version} dictionaries", find


@cache
def _counts(character: str) -> bool:
    """Whether a character makes a piece of text a word: a letter or a number, as in `words`."""
    import unicodedata

    return unicodedata.category(character)[0] in "LN"
