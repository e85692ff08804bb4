"""What `measure` is given, by name: tokenizers and texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .. import corpus, refs, store
from ..corpus.sources import of_texts
from ..corpus.split import Splits, Stream
from ..errors import WorkbenchError, nearest
from .encoder import Encoder


def is_reference(given: Any) -> bool:
    return isinstance(given, (str, Path, store.Artefact))


def tokenizers_by_name(given: Any, notes: list[str] | None = None) -> dict[str, Any]:
    found = dict(given) if isinstance(given, Mapping) else _named(given, "name_or_path", "tokenizer", notes)
    if not found:
        raise WorkbenchError("There is no tokenizer to measure; name at least one.")
    return found


def texts_by_name(given: Any, seed: int, column: str | None = None, notes: list[str] | None = None) -> dict[str, Iterable[str]]:
    found = dict(given) if isinstance(given, Mapping) else _named(given, "name", "text", notes)
    if not found:
        raise WorkbenchError("There is no text to measure on; name at least one, such as demo:ru.")
    return {name: _documents(each, seed, column) for name, each in found.items()}


def reference_of(given: Any, encoders: dict[str, Encoder]) -> tuple[str, Encoder]:
    """The tokenizer that others are compared with: the one named, one of those measured or another; the first unless told."""
    if given is None:
        return next(iter(encoders.items()))
    ((name, tokenizer),) = tokenizers_by_name([given]).items()
    name = given if given in encoders else name
    if name in encoders:
        return name, encoders[name]
    try:
        return name, Encoder(tokenizer)
    except WorkbenchError as error:
        hint = nearest(name, encoders)
        raise WorkbenchError(f"The reference tokenizer cannot be had: {error}{'' if hint in str(error) else hint}") from None


def _named(given: Any, attribute: str, fallback: str, notes: list[str] | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, each in enumerate(given if isinstance(given, (list, tuple)) else [given], 1):
        name = refs.label(str(each.id if isinstance(each, store.Artefact) else each)) if is_reference(each) else getattr(each, attribute, None)
        name = name or f"{fallback} {number}"
        if name in found and is_reference(each):
            if notes is not None:
                notes.append(f"{name} is named twice; it is measured once.")
        else:
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
