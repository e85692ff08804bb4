"""Tokenizers opened once for the pages that look inside them, and their chips, biographies and samples as HTML."""

from __future__ import annotations

from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

from .. import chiphtml, refs, store, tracehtml
from ..errors import WorkbenchError
from ..tokenizer.comparison import Comparison, compare
from ..tokenizer.tracing import Tracer
from . import chain

Stamp = tuple[tuple[str, int, int], ...]
SAMPLE = 300  # documents a token is counted in
# A chip that is clicked, or chosen with the keyboard, says which row and which id; what it says is looked up, never trusted.
CLICK = """const ask = (event) => {
  const chip = event.target.closest('.chip[data-id]');
  if (!chip) return;
  event.preventDefault();
  trigger('click', { id: chip.dataset.id, row: chip.closest('[data-row]')?.dataset.row ?? '0' });
};
element.addEventListener('click', ask);
element.addEventListener('keydown', (event) => { if (event.key === 'Enter' || event.key === ' ') ask(event); });"""


def row_html(title: str, reference: str, text: str, base: str | None = None, under: chiphtml.Under = "", number: int | None = None) -> str:
    """One tokenizer's row of chips. Tokens that `base` lacks are marked as new."""
    tracer = opened(reference)
    known = None
    if base and base != reference:
        kept = compared(reference, base).kept
        known = frozenset(token for i, token in tracer.tokens.items() if i in kept)
    return chiphtml.row(title, tracer.tokenizer, text, known, under, number)


def life_html(reference: str, token: int, base: str | None = None) -> str:
    """The biography of a token, counted in a sample of the target text, with what its vector was made of where a transfer used this tokenizer."""
    from ..tokenizer.biographies import biography

    before = compared(reference, base) if base and base != reference else None
    life = biography(opened(reference), token, before, sample(chain.current().text))
    said = f"Token of {refs.label(reference)}{f', against {refs.label(base)}' if before else ''}"
    return f'<p class="small">{escape(said)}</p>' + tracehtml.biography_html(life, _vector(reference, token), click=True)


def asked(data: Any, references: list[str]) -> tuple[str, int]:
    """(reference, id) that a click in the browser asks about. Raises WorkbenchError where it is none of what was shown."""
    try:
        number, token = int(str(data.get("row", ""))), int(str(data.get("id", "")))
        return references[number] if 0 <= number < len(references) else references[len(references)], token
    except (AttributeError, ValueError, IndexError):
        raise WorkbenchError("That token is no longer shown; click it once more.") from None


def opened(reference: str) -> Tracer:
    return _opened(reference, stamp(reference))


def compared(reference: str, base: str) -> Comparison:
    return _compared(reference, base, stamp(reference), stamp(base))


@lru_cache(maxsize=8)
def _opened(reference: str, _: Stamp) -> Tracer:
    return Tracer(reference)


@lru_cache(maxsize=8)
def _compared(reference: str, base: str, *_: Stamp) -> Comparison:
    return compare(opened(reference).vocabulary, opened(base).vocabulary)


def stamp(reference: str) -> Stamp:
    """What tells that the file, or a file of the folder, at a path has been replaced; () for what is no path, which never changes."""
    try:
        place = Path(reference).expanduser()
        files = sorted(place.iterdir()) if place.is_dir() else [place]
        return tuple((file.name, found.st_mtime_ns, found.st_size) for file in files for found in (file.stat(),))
    except (OSError, ValueError, RuntimeError):  # as in refs.locate: no path at all
        return ()


def sample(text: str) -> tuple[str, ...] | None:
    """Some documents of a text; None where there is none to read."""
    try:
        return _sample(text, stamp(text)) if text else None
    except WorkbenchError:  # a data set that needs a connection, a file that is gone: the biography does without
        return None


@lru_cache(maxsize=2)
def _sample(text: str, _: Stamp) -> tuple[str, ...]:
    from .. import corpus

    return tuple(corpus.open(text).train.take(SAMPLE))


def _vector(reference: str, token: int) -> dict[str, str]:
    """What the newest transfer to this tokenizer made the token's vector of."""
    made = next(
        (a for a in store.artefacts("model") if a.manifest["spec"].get("step") == "transfer" and a.manifest["spec"].get("tokenizer") == reference), None
    )
    if made is None:
        return {}
    from ..transfer import explain

    try:
        return {"Vector": f"{explain(made.id, token).text} (in {refs.label(made.id)})"}
    except WorkbenchError:
        return {}
