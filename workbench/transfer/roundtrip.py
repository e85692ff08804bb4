"""What a tokenizer loses: text that does not come back from encoding and decoding (WordPiece, and what normalises)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..tokenizer.verify import SAMPLE

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

ORDINARY = (*SAMPLE[:6], *SAMPLE[7:9])  # sentences in many scripts, a piece of code, spaces at both ends; not the oddities behind them
TEXTS, CHARACTERS = 200, 400  # of a sample: enough for a share, and the comparison is quadratic in a text's length


@dataclass(frozen=True)
class Losses:
    """`share` of the characters that do not come back; `what` they are: case, spaces, line breaks, unknown characters, other characters."""

    share: float
    what: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"The tokenizer loses {', '.join(self.what)}: {self.share:.1%} of the sample's characters do not come back from it." if self.what else ""


def losses(tokenizer: PreTrainedTokenizerFast, texts: Iterable[str] | None = None) -> Losses:
    """Encode each text, decode it and compare. `texts`: a sample, of which the start is used; else a built-in one of many scripts."""
    backend, what = tokenizer.backend_tokenizer, set()
    total = lost = 0
    unknown = str(tokenizer.unk_token or "")
    for text in islice(ORDINARY if texts is None else texts, TEXTS):
        part = text[:CHARACTERS]
        back = backend.decode(_ids(backend.encode(part, add_special_tokens=False)), skip_special_tokens=False)
        total += len(part)
        if back != part:
            lost += len(part) - sum(block.size for block in SequenceMatcher(None, part, back, autojunk=False).get_matching_blocks())
            what |= _kinds(part, back.replace(unknown, "") if unknown else back, unknown != "" and unknown in back)
    order = ("case", "spaces", "line breaks", "unknown characters", "other characters")
    return Losses(lost / total if total else 0.0, tuple(name for name in order if name in what))


def _ids(encoding: Any) -> list[int]:
    """Those of the text itself, where the tokenizer cuts it to a length or fills it up."""
    return [i for part in (encoding, *encoding.overflowing) for i, used in zip(part.ids, part.attention_mask, strict=True) if used]


def _kinds(text: str, back: str, unknown: bool) -> set[str]:
    bare, again = ("".join(each.split()) for each in (text, back))
    found = {
        "case": any(map(str.isupper, bare)) and not any(map(str.isupper, again)),
        "spaces": _blanks(text) != _blanks(back),
        "line breaks": text.count("\n") != back.count("\n"),
        "unknown characters": unknown,
        "other characters": not unknown and bare.casefold() != again.casefold(),
    }
    return {name for name, true in found.items() if true}


def _blanks(text: str) -> str:
    """The text with every stretch of anything but blanks as one letter; a line break counts as a blank, since it is counted by itself."""
    return re.sub(r"\S+", "x", re.sub(r"[\r\n]", " ", text))


def misread(folder: Path, tokenizer: PreTrainedTokenizerFast) -> list[str]:
    """What to tell of a written model whose tokenizer AutoTokenizer reads as another one; [] as a rule.

    transformers 5 opens some families (qwen2) with a class that brings its own pre-tokenizer, whatever tokenizer.json says. That is right for an
    extended vocabulary and wrong for one from elsewhere.
    """
    from transformers import AutoTokenizer

    try:
        theirs = AutoTokenizer.from_pretrained(folder)
        same = all(theirs(text, add_special_tokens=False).input_ids == tokenizer(text, add_special_tokens=False).input_ids for text in ORDINARY)
    except Exception:  # it is other people's code, for families that it may not know
        same = False
    if same:
        return []
    return ["AutoTokenizer gives other ids than this tokenizer for models of this family; open it with transformers.PreTrainedTokenizerFast.from_pretrained."]
