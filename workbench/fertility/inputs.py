"""What `measure` is given, by name: tokenizers, texts, and parallel text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from .. import corpus, refs, store
from ..corpus.parallel import Pairs
from ..corpus.sources import of_texts
from ..corpus.split import Splits, Stream
from ..errors import WorkbenchError, nearest
from .encoder import CHUNK, Encoder


def is_reference(given: Any) -> bool:
    return isinstance(given, (str, Path, store.Artefact))


def tokenizers_by_name(given: Any) -> dict[str, Any]:
    found = dict(given) if isinstance(given, Mapping) else _named(given, "name_or_path", "tokenizer")
    if not found:
        raise WorkbenchError("There is no tokenizer to measure; name at least one.")
    return found


def texts_by_name(given: Any, seed: int, column: str | None = None) -> dict[str, Iterable[str]]:
    found = dict(given) if isinstance(given, Mapping) else _named(given, "name", "text")
    if not found:
        raise WorkbenchError("There is no text to measure on; name at least one, such as demo:ru.")
    return {name: _documents(each, seed, column) for name, each in found.items()}


def _named(given: Any, attribute: str, fallback: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, each in enumerate(given if isinstance(given, (list, tuple)) else [given], 1):
        name = refs.label(str(each)) if is_reference(each) else getattr(each, attribute, None) or f"{fallback} {number}"
        found[name if name not in found else f"{name} ({number})"] = each
    return found


def _documents(given: Any, seed: int, column: str | None) -> Iterable[str]:
    """The documents to measure: of a reference its held-out part where it brings its own splits, else all of it."""
    if isinstance(given, (Stream, Splits)):
        return given
    if not is_reference(given):
        return Stream("documents", of_texts(given))
    text = corpus.open(given, seed=seed, column=column)
    return text.held_out if all(source.ready for source in text.sources) and text.held_out.take(1) else text


def parities(given: Any, names: list[str], encoders: dict[str, Encoder], limit: int | None, notes: list[str]) -> dict[tuple[str, str], float]:
    """Parity by (tokenizer, text). Parallel text given once is for all texts, but one named as its source side has parity 1."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        pairs = _pairs(given)
        notes.append(f"Parity is of {pairs.name}: tokens of {pairs.target_name} over tokens of {pairs.source_name}.")
        ratios = _ratios(pairs, encoders, limit)
        own = [name for name in names if name.rsplit(":", 1)[-1] == pairs.source_name]
        return {(label, name): 1.0 if name in own else ratio for label, ratio in ratios.items() for name in names}
    for name in set(given) - set(names):
        raise WorkbenchError(f"Parallel text is given for '{name}', which is no text here.{nearest(name, names)}")
    return {(label, name): ratio for name, each in given.items() for label, ratio in _ratios(_pairs(each), encoders, limit).items()}


def _pairs(given: Any) -> Pairs:
    return given if isinstance(given, Pairs) else corpus.open_parallel(given)


def _ratios(pairs: Pairs, encoders: dict[str, Encoder], limit: int | None) -> dict[str, float]:
    totals = {label: [0, 0] for label in encoders}
    every = iter(islice(pairs, limit))
    while chunk := list(islice(every, CHUNK)):
        for label, encoder in encoders.items():
            for side in (0, 1):
                totals[label][side] += sum(len(ids) for ids in encoder.ids([pair[side] for pair in chunk]))
    return {label: target / max(source, 1) for label, (source, target) in totals.items()}
