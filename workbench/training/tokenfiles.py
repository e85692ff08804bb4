"""Files of token ids in the home's cache folder: Arrow, as `datasets` writes and maps them into memory, four bytes a token.

The folder may be removed at any time. A file is written under a name of its own, by one process at a time, and renamed when all of a text is in it.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout

from .. import store
from .data import BATCH, IGNORE, Document

if TYPE_CHECKING:
    from datasets import Dataset

LARGEST = 4 << 30  # bytes of a text that is kept, and of its file
ROOM = 16 << 30  # bytes of all files; those used longest ago make room
SPARE = 1 << 30  # bytes of the disk that are left free: a checkpoint needs them more
BUFFER = 1 << 20  # tokens written at a time; a look at the first blocks writes nothing


def folder() -> Path:
    return store.home() / "cache" / "tokens"


@dataclass(frozen=True)
class Rows:
    """A file, mapped into memory. `places`: the row of each item of the text."""

    table: Dataset
    places: np.ndarray

    def __len__(self) -> int:
        return len(self.places)

    def documents(self, items: Iterable[int], whole: bool) -> Iterator[Document]:
        """Those of the items with these numbers."""
        source = iter(items)
        while numbers := list(islice(source, BATCH)):
            found = self.table[self.places[numbers].tolist()]
            for ids, learnt in zip(found["ids"], found["learnt"], strict=True):
                labels = [i if each else IGNORE for i, each in zip(ids, learnt, strict=True)] if learnt else list(ids)
                yield Document(ids, labels, whole)


def opened(key: str) -> Rows | None:
    """The file of this name; None where there is none, or it is damaged."""
    path = folder() / f"{key}.arrow"
    try:
        if not path.is_file():
            return None
        from datasets import Dataset

        table = Dataset.from_file(str(path))
        items = np.asarray(table.data.column("item").to_numpy())
        places = np.full(len(items), -1, dtype=np.int64)
        places[items] = np.arange(len(items))
        if (places >= 0).all():
            with suppress(OSError):  # another user's
                os.utime(path)  # used now
            return Rows(table, places)
    except (OSError, ValueError, KeyError, IndexError):
        pass
    with suppress(OSError):
        path.unlink()
    return None


@contextmanager
def writing(key: str | None) -> Iterator[Writing]:
    """A file to fill; nothing of it stays unless it is finished. None keeps nothing."""
    made = Writing(key)
    try:
        yield made
    finally:
        made.close()


class Writing:
    """Takes the items of a text in any order. It gives up, and says nothing, where another process writes the same, or there is no room: the text is then
    encoded as it is read."""

    def __init__(self, key: str | None) -> None:
        self.key, self.active = key, key is not None
        self.rows: list[tuple[int, np.ndarray, np.ndarray]] = []
        self.tokens = 0
        self.writer: Any = None
        self.path, self.lock = Path(), None

    def add(self, number: int, document: Document | None) -> None:
        if not self.active:
            return
        ids = np.asarray(document.ids if document else (), dtype=np.int32)
        learnt = np.asarray([] if document is None or document.labels == document.ids else np.asarray(document.labels) != IGNORE, dtype=bool)
        self.rows.append((number, ids, learnt))
        self.tokens += len(ids) + 1
        if self.tokens >= BUFFER:
            with self._giving_up():
                self._flush()

    def finish(self, still: Callable[[], bool]) -> None:
        """All is in it: put it in its place, if `still` says that it is what its name says."""
        with self._giving_up():
            if self.active and self.rows:
                self._flush()
            if self.active and self.writer is not None:
                self.writer.finalize()
                with self.path.open("rb") as file:
                    os.fsync(file.fileno())
                if still():
                    self.path.rename(folder() / f"{self.key}.arrow")
                tidy()

    def close(self) -> None:
        self.active = False
        self.rows.clear()
        if self.writer is not None:  # it has a length, which may be 0
            with suppress(OSError):
                self.writer.close()
            with suppress(OSError):
                self.path.unlink()
            self.writer = None
        if self.lock:
            self.lock.release()

    @contextmanager
    def _giving_up(self) -> Iterator[None]:
        try:
            yield
        except (OSError, Timeout):  # a full disk, a folder that may not be written
            self.close()

    def _flush(self) -> None:
        import pyarrow

        if self.writer is None:
            self._begin()
        numbers, ids, learnt = zip(*self.rows, strict=True)
        # Lists made of their ends and their values: through `write_batch`, which looks at every one of them, a pass over short lines took half as long again.
        self.writer.write_table(pyarrow.table({"item": pyarrow.array(numbers), "ids": _lists(ids), "learnt": _lists(learnt)}), len(numbers))
        self.rows.clear()
        self.tokens = 0
        if self.path.stat().st_size > LARGEST or shutil.disk_usage(folder()).free < SPARE:
            self.close()

    def _begin(self) -> None:
        from datasets import Features, List, Value
        from datasets.arrow_writer import ArrowWriter

        folder().mkdir(parents=True, exist_ok=True)
        tidy()  # trainings that are killed, one after the other, would fill the disk
        self.path = folder() / f".{self.key}.{secrets.token_hex(4)}"
        self.lock = FileLock(folder() / f"{self.key}.lock", thread_local=False)  # a pass that is broken off may be collected in another thread
        self.lock.acquire(timeout=0)
        if (folder() / f"{self.key}.arrow").is_file():
            raise Timeout(self.lock.lock_file)  # another process has finished it meanwhile
        self.writer = ArrowWriter(features=Features({"item": Value("int64"), "ids": List(Value("int32")), "learnt": List(Value("bool"))}), path=str(self.path))


def _lists(rows: Sequence[np.ndarray]) -> Any:
    from pyarrow import ListArray

    return ListArray.from_arrays(np.cumsum([0, *map(len, rows)], dtype=np.int32), np.concatenate(rows))


def tidy() -> None:
    """Remove the files used longest ago where all together are too large, and what killed processes have left."""
    left = ROOM
    for path in sorted(folder().glob("*.arrow"), key=lambda p: p.stat().st_mtime, reverse=True):
        left -= path.stat().st_size
        if left < 0:
            path.unlink(missing_ok=True)
            path.with_suffix(".lock").unlink(missing_ok=True)
    for path in folder().glob(".*.*"):
        lock = FileLock(folder() / f"{path.name.split('.')[1]}.lock")
        with suppress(Timeout), lock.acquire(timeout=0):
            path.unlink(missing_ok=True)
