"""Parallel text: pairs of a source and a target sentence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from .. import store
from ..errors import WorkbenchError, nearest
from . import formats, sources
from .formats import Table
from .split import Source, Split, Splits, by_hash, ready_split

Pair = tuple[str, str]
DEMO_PAIRS = 5_000


class Pairs(Splits[Pair]):
    """Opened parallel text: streams of (source, target), and what the two sides are called in the file."""

    source_name: str = "source"
    target_name: str = "target"

    @property
    def sides(self) -> tuple[str, str]:
        return self.source_name, self.target_name


def open_parallel(
    reference: str | Path | Sequence[str] | Iterable[Pair], source_column: str | None = None, target_column: str | None = None, *, seed: int = 0,
    held_out: float = 0.05, limit: int | None = None,
) -> Pairs:  # fmt: skip
    """Open parallel text, lazily, with the same references, splits and limit as `open`; .txt has no columns and will not do.

    The demo's pairs are `demo:en-ru` and `demo:en-fa`, in either direction. In files and datasets the columns are those
    named, else the only two, else `source` and `target`. Pairs with an empty side are left out.

    Raises WorkbenchError if the columns are not clear (it lists them) or a row is ragged (it names the row).
    """
    sources.check_split(seed, held_out, limit)
    opened = [_open(r, source_column, target_column, seed, held_out, limit) for r in (reference if _is_references(reference) else [reference])]
    if not opened:
        raise WorkbenchError("The list of parallel sources is empty; name at least one, such as demo:en-ru.")
    pairs = Pairs([source for source, _ in opened], seed)
    pairs.source_name, pairs.target_name = opened[0][1]
    return pairs


def _is_references(reference: Any) -> bool:
    return isinstance(reference, (list, tuple)) and all(isinstance(r, (str, Path, store.Artefact)) for r in reference)


def _open(reference: Any, source: str | None, target: str | None, seed: int, share: float, limit: int | None) -> tuple[Source[Pair], Pair]:
    if isinstance(reference, store.Artefact):
        reference = reference.id
    if not isinstance(reference, (str, Path)):
        return sources.checked(by_hash("the given pairs", _given(reference), seed, share, limit)), ("source", "target")
    name = str(reference)
    if name.startswith("demo:"):
        return _world(name, seed, share, limit)
    if name.startswith("hf:"):
        tables = [sources.hub(name)[0]]
    elif folder := sources.artefact(name):
        if not (folder / "parallel.parquet").is_file():
            raise WorkbenchError(f"The corpus {name} has no parallel text; make one with parallel= or name a file with two columns.")
        tables = [formats.table(folder / "parallel.parquet")]
    else:
        tables = [formats.table(path) for path in sources.files(name)]
    columns = [choose_pair(table, source, target) for table in tables]
    start = partial(_rows, tables, columns)
    return sources.checked(by_hash(name, start, seed, share, limit)), columns[0]


def choose_pair(table: Table, source: str | None, target: str | None) -> Pair:
    """The two columns to use. Raises WorkbenchError that lists the columns if it is not clear which."""
    for wanted in (source, target):
        if wanted is not None:
            formats.named(table, wanted)
    usual = table.columns if len(table.columns) == 2 else ["source", "target"]
    if source is not None and source == target:
        raise WorkbenchError(f"Source and target are both the column '{source}' of {table.name}; choose two different ones.")
    if not (source and target) and not set(usual) <= set(table.columns):
        raise WorkbenchError(f"{table.name} has the columns {', '.join(table.columns)}; say which two to pair with source_column= and target_column=.")
    source = source or next(c for c in usual if c != target)
    return source, target or next(c for c in usual if c != source)


def _rows(tables: list[Table], columns: list[Pair]) -> Iterator[Pair]:
    rows = chain.from_iterable(table.rows(names) for table, names in zip(tables, columns, strict=True))
    return ((source, target) for source, target in rows if source.strip() and target.strip())


def _given(items: Iterable[Any]) -> Any:
    kept = list(items) if iter(items) is items else items

    def start() -> Iterator[Pair]:
        for number, item in enumerate(kept):
            if isinstance(item, str) or len(item) != 2 or not all(isinstance(side, str) for side in item):
                raise WorkbenchError(f"Pair {number} is not two strings; give (source, target).")
            if lone := formats.surrogate("".join(item)):
                raise WorkbenchError(f"Pair {number} holds half a character ({lone}), as of a cut emoji; remove it.")
            yield tuple(item)

    return start


def _world(name: str, seed: int, share: float, limit: int | None) -> tuple[Source[Pair], Pair]:
    first, *others = sources.languages()
    known = [f"demo:{pair}" for other in others for pair in (f"{first}-{other}", f"{other}-{first}")]
    if name not in known:
        raise WorkbenchError(f"There is no '{name}'.{nearest(name, known)}")
    left, right = name.removeprefix("demo:").split("-")

    def start(split: Split) -> Iterator[Pair]:
        from ..demo import world

        found = world.parallel(right if left == first else left, sources.world_split(split), seed)
        return iter(found) if left == first else ((b, a) for a, b in found)

    return ready_split(name, start, share, limit or DEMO_PAIRS), (left, right)
