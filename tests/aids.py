"""What methods ask for, made in a moment: a donor, word vectors, a dictionary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tiny

from workbench import transfer
from workbench.transfer.base import Method


@dataclass(frozen=True)
class Aids:
    """A donor of the target language, vectors that know both languages, and word pairs."""

    donor: Path
    vectors: Path
    dictionary: Path


METHODS: dict[str, Callable[[Aids], Method]] = {
    "random": lambda _: transfer.Random(),
    "gaussian": lambda _: transfer.Gaussian(),
    "mean": lambda _: transfer.Mean(),
    "subtokens": lambda _: transfer.Subtokens(),
    "subtokens first last": lambda _: transfer.Subtokens(input_from="first", output_from="last"),
    "salt": lambda aids: transfer.Salt(donor=str(aids.donor)),
    "salt in vectors": lambda aids: transfer.Salt(donor=str(aids.donor), vectors=str(aids.vectors), fallback="subtokens"),
    "salt with options": lambda aids: transfer.Salt(donor=str(aids.donor), k_max=5, center=True, temperature=0.5),
    "salt with ridge": lambda aids: transfer.Salt(donor=str(aids.donor), ridge=0.1),
    "focus": lambda aids: transfer.Focus(vectors=str(aids.vectors)),
    "clp": lambda aids: transfer.Clp(donor=str(aids.donor)),
    "omp": lambda aids: transfer.Omp(donor=str(aids.donor), k=6),
    "ofa": lambda aids: transfer.Ofa(multilingual=str(aids.vectors)),
    "wechsel": lambda aids: transfer.Wechsel(source_vectors=str(aids.vectors), target_vectors=str(aids.vectors), dictionary=str(aids.dictionary)),
}


def around(before: str, after: str = "") -> Any:
    """What puts these tokens of tiny's tokenizer around a text."""
    from tokenizers.processors import TemplateProcessing

    ids = {name: i for i, name in enumerate(tiny.SPECIALS)}
    used = [(name, ids[name]) for name in (before, after) if name]
    single = " ".join(filter(None, (before, "$A", after)))
    return TemplateProcessing(single=single, pair=f"{single} {single.replace('$A', '$B')}", special_tokens=used)
