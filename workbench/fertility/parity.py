"""Parity: the tokens of a text over those of the same text in another language (Petrov et al., arXiv 2305.15425)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np

from .. import corpus
from ..corpus.parallel import Pairs
from ..errors import WorkbenchError, nearest
from .encoder import Encoder, untouched
from .intervals import Blocks, Resampled

AT_ONCE = 1_024  # pairs
_CODE = re.compile(r"[a-z]{2,3}")
Row = dict[str, Any]
NONE: Row = {"parity": None, "parity_low": None, "parity_high": None}


def parities(given: Any, encoders: dict[str, Encoder], limit: int | None, seed: int) -> list[Row]:
    """A row per tokenizer and parallel text: parity with its interval over pairs, and the languages as the text calls them.

    `given`: parallel text as a reference or an object, a list of these (one source, several targets), or a dict by the name of a text.
    """
    if given is None:
        return []
    if isinstance(given, Mapping):
        opened = [(name, _pairs(each)) for name, each in given.items()]
    elif isinstance(given, (list, tuple)) and given and all(isinstance(each, Pairs) for each in given):
        opened = [(None, each) for each in given]
    else:
        opened = [(None, _pairs(given))]
    return [row for text, pairs in opened for row in _rows(text, pairs, encoders, limit, seed)]


def by_text(rows: list[Row], given: Any, names: list[str], hints: Mapping[str, str], notes: list[str]) -> dict[tuple[str, str], Row]:
    """Parity by (tokenizer, text). Each text takes the parallel text given for it, or whose target side is called as it is; the source side itself has
    parity 1; parallel text given alone is for every other text whose language is not known (by a name such as demo:ko)."""
    if isinstance(given, Mapping):
        for name in set(given) - set(names):
            raise WorkbenchError(f"Parallel text is given for '{name}', which is no text here.{nearest(name, names)}")
        return {(row["tokenizer"], row["text"]): _only_parity(row) for row in rows}
    found: dict[tuple[str, str], Row] = {}
    targets = list(dict.fromkeys((row["pairs"], row["target"]) for row in rows))
    for row in rows:
        for name in names:
            language = hints.get(name) or name.rsplit(":", 1)[-1]
            if language == row["source"]:
                found[row["tokenizer"], name] = {"parity": 1.0, "parity_low": 1.0, "parity_high": 1.0}
            elif language == row["target"] or (len(targets) == 1 and not (_CODE.fullmatch(language) and _CODE.fullmatch(row["target"]))):
                found[row["tokenizer"], name] = _only_parity(row)
    notes += [
        f"Parity is of {row['pairs']}: tokens of {row['target']} over tokens of {row['source']}." for row in rows[: len(targets) if len(targets) == 1 else 0]
    ]
    return found


def _only_parity(row: Row) -> Row:
    return {key: row[key] for key in NONE}


def _pairs(given: Any) -> Pairs:
    return given if isinstance(given, Pairs) else corpus.open_parallel(given)


def _rows(text: str | None, pairs: Pairs, encoders: dict[str, Encoder], limit: int | None, seed: int) -> list[Row]:
    blocks = Blocks(2 * len(encoders))
    every = iter(islice(pairs, limit))
    with untouched(*encoders.values()):
        while chunk := list(islice(every, AT_ONCE)):
            sides = list(zip(*chunk, strict=True))
            blocks.add(np.array([encoder.count(list(side), each=False)[0] for encoder in encoders.values() for side in sides]))
    resampled = Resampled(blocks.sums, seed)
    about = {"text": text, "pairs": pairs.name, "source": pairs.source_name, "target": pairs.target_name, "count": blocks.documents}
    rows = []
    for number, label in enumerate(encoders):
        ratio, low, high = resampled.ratio(2 * number + 1, 2 * number)
        rows.append({"tokenizer": label, **about, "parity": ratio, "parity_low": low, "parity_high": high})
    return rows
