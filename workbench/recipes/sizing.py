"""How large models and texts are, without loading them and without a network: from a folder's headers, or as a recipe states it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from .. import refs
from ..errors import WorkbenchError


@dataclass(frozen=True)
class Size:
    """A model in numbers: all parameters, of which `tables` (1 where tied, else 2) tables of `rows` × `width`; bytes of one parameter on disk."""

    parameters: float
    rows: float
    width: float
    tables: int = 2
    bytes_each: float = 2.0

    @property
    def bytes(self) -> float:
        return self.parameters * self.bytes_each

    @property
    def in_tables(self) -> float:
        return self.rows * self.width * self.tables

    @property
    def computed(self) -> float:
        """Parameters that take part in one token's multiply-adds: all but the input table, which is only looked up (tied, it is the head as well)."""
        return self.parameters - (self.rows * self.width if self.tables == 2 else 0)

    def with_rows(self, rows: float) -> Size:
        """The same model over another vocabulary."""
        return replace(self, parameters=self.parameters + (rows - self.rows) * self.width * self.tables, rows=rows)


def size_of(reference: str, stated: Mapping[str, Mapping[str, Any]]) -> Size | None:
    """The size of a model that is here, or else as stated; None where neither is known."""
    place = here(reference)
    if place is not None:
        return _measured(place)
    about = stated.get(reference, {})
    return Size(**about) if "parameters" in about else None


@dataclass(frozen=True)
class Text:
    """A text in numbers; documents are 0 where they are not known."""

    bytes: float
    documents: float = 0

    def limited(self, documents: float | None) -> Text:
        """At most so many documents of it."""
        return self if not documents or not self.documents or documents >= self.documents else Text(self.bytes * documents / self.documents, documents)


DEMO = Text(4e6, 20_000)  # of the demo world, roughly


def text_of(reference: str, stated: Mapping[str, Mapping[str, Any]]) -> Text | None:
    """The size of a text that is here, or as stated; None where neither is known."""
    if "bytes" in stated.get(reference, {}):
        return Text(**stated[reference])
    if reference.startswith("demo:"):
        return DEMO
    place = here(reference)
    return None if place is None else Text(float(sum(f.stat().st_size for f in ([place] if place.is_file() else place.rglob("*")) if f.is_file())))


def joined(texts: Sequence[Text]) -> Text:
    """Several texts as one; its documents are not known where those of one of them are not."""
    return Text(sum(text.bytes for text in texts), sum(text.documents for text in texts) if all(text.documents for text in texts) else 0)


def here(reference: str) -> Path | None:
    """Where a reference lies on this machine, the hub's cache included; None where it would have to be downloaded, or is nothing."""
    if refs.HUB_ID.fullmatch(reference) and not Path(reference).exists():
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(reference, "config.json")
        return Path(found).parent if isinstance(found, str) else None
    try:
        return refs.locate(reference)
    except WorkbenchError:
        return None


@cache
def _measured(place: Path) -> Size | None:
    from ..checkpoint import Checkpoint
    from ..shards import header

    try:
        opened = Checkpoint.open(place)
        rows, width = opened.shape
    except WorkbenchError:  # a tokenizer alone, an encoder
        return None
    shards = set(opened.shards.values())
    shapes = {name: about["shape"] for shard in shards for name, about in header(shard)[0].items() if name in opened.shards}
    parameters = sum(math.prod(shape) for shape in shapes.values())
    return Size(parameters, rows, width, 1 if opened.tied else 2, sum(shard.stat().st_size for shard in shards) / parameters)
