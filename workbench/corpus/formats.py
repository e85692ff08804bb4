"""Files as streams of text: .txt, .jsonl, .csv, .tsv and .parquet, plain or packed, never read whole.

Lines end at LF or CRLF only. A .tsv has no quoting: a quotation mark in it is text. A .csv quotes as spreadsheets do.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Literal

from ..errors import WorkbenchError, nearest

Unit = Literal["line", "paragraph", "file"]
KINDS = (".txt", ".jsonl", ".csv", ".tsv", ".parquet")
PACKED = (".gz", ".zst")
TEXT_COLUMNS = ("text", "content", "document", "sentence", "body")
SHOWN = 20  # columns that a message names
LONGEST = 64 << 20  # bytes of one line or field: more is no text but a mistake, and would not fit in memory

# The only limit csv offers is one for the whole process; raising it takes nothing from other users of the module.
csv.field_size_limit(max(csv.field_size_limit(), LONGEST))


@dataclass(frozen=True)
class Table:
    """Rows of named text columns that can be read again and again; `rows(names)` yields one tuple of strings per row."""

    name: str
    columns: list[str]
    rows: Callable[[Sequence[str]], Iterator[tuple[str, ...]]]


def kind(path: Path) -> str:
    """The format of a file by its name: '.txt' for both a.txt and a.txt.gz. Raises WorkbenchError for others."""
    packed = path.suffix.lower() in PACKED
    found = (Path(path.stem) if packed else path).suffix.lower()
    if found not in KINDS:
        raise WorkbenchError(f"{path} is in none of the formats {', '.join(KINDS)} (each also .gz or .zst); convert it to one of them.")
    if packed and found == ".parquet":
        raise WorkbenchError(f"{path} cannot be streamed, as parquet is packed already; unpack the outer {path.suffix} first.")
    return found


def readable(path: Path) -> bool:
    """Whether the name of a file is that of a format."""
    try:
        return bool(kind(path))
    except WorkbenchError:
        return False


def documents(path: Path, unit: Unit = "line", column: str | None = None) -> Iterator[str]:
    """The documents of one file, blank ones left out. `unit` is for .txt, `column` for the others.

    A `paragraph` ends at a blank line; a whole `file` is held in memory. Raises WorkbenchError with file and place.
    """
    if kind(path) == ".txt":
        yield from (d for d in _units(path, unit) if d.strip())
    else:
        found = table(path)
        yield from (text for (text,) in found.rows([choose(found, column)]) if text.strip())


def table(path: Path) -> Table:
    """A .jsonl, .csv, .tsv or .parquet file as a table. Raises WorkbenchError if it has no rows or no header."""
    form = kind(path)
    if form == ".txt":
        raise WorkbenchError(f"{path} is plain text and has no columns; give a .tsv, .csv, .jsonl or .parquet file.")
    columns = {".jsonl": _json_columns, ".parquet": _parquet_columns}.get(form, _csv_header)(path)
    rows = {".jsonl": _json_rows, ".parquet": _parquet_rows}.get(form, _csv_rows)
    return Table(str(path), columns, lambda names: rows(path, names))


def choose(table: Table, wanted: str | None) -> str:
    """The column that holds the text: the one asked for, else the only one or one called text, content, …"""
    if wanted is not None:
        return named(table, wanted)
    usual = [c for name in TEXT_COLUMNS for c in table.columns if c.lower() == name]
    if usual or len(table.columns) == 1:
        return [*usual, *table.columns][0]
    raise WorkbenchError(f"{table.name} has the columns {', '.join(table.columns)}; say with column= which of them holds the text.")


def named(table: Table, column: str) -> str:
    if column not in table.columns:
        close = nearest(column, table.columns) or f" There is: {', '.join(table.columns[:SHOWN])}{', …' if len(table.columns) > SHOWN else ''}."
        raise WorkbenchError(f"{table.name} has no column '{column}'.{close}")
    return column


def lines(path: Path) -> Iterator[str]:
    """The lines of a file with their line ends; a byte order mark is dropped. Raises WorkbenchError with the byte offset
    (in the unpacked text) of what is not UTF-8."""
    offset = 0
    with reading(path) as file:
        while raw := file.readline(LONGEST):
            if offset == 0 and raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
                raise WorkbenchError(f"{path} is UTF-16; save it as UTF-8.")
            if len(raw) == LONGEST and raw[-1:] != b"\n":
                raise WorkbenchError(f"{path} has a line longer than {LONGEST >> 20} MiB at byte {offset}; put one document on a line.")
            try:
                line = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                raise WorkbenchError(f"{path} is not UTF-8 at byte {offset + error.start} (0x{raw[error.start]:02x}); save it as UTF-8.") from None
            yield line.removeprefix("\ufeff") if offset == 0 else line
            offset += len(raw)


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """The unpacked bytes of a file. What goes wrong while it is read leaves as one sentence."""
    packing = {".gz": "gzip", ".zst": "zstd"}.get(path.suffix.lower())
    try:
        with path.open("rb") as file:
            if packing:
                import pyarrow  # unlike gzip and zstandard it reports a cut-off file of either kind

                yield io.BufferedReader(pyarrow.CompressedInputStream(file, packing), 1 << 20)
            else:
                yield file
    except OSError as error:
        if packing and error.errno is None:
            raise WorkbenchError(f"{path} is damaged or no {path.suffix} file ({error}); fetch or pack it again.") from error
        raise WorkbenchError(f"{path} cannot be read ({error.strerror or error}); check the path and its permissions.") from error


def _units(path: Path, unit: Unit) -> Iterator[str]:
    if unit == "file":
        yield "".join(lines(path)).strip("\r\n")
    elif unit == "line":
        yield from (line.rstrip("\r\n") for line in lines(path))
    else:
        block: list[str] = []
        for line in chain(lines(path), [""]):
            if line.strip():
                block.append(line)
            elif block:
                yield "".join(block).rstrip("\r\n")
                block = []


def _json_rows(path: Path, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for number, row in json_objects(path):
        yield tuple(value(row, name, path, number) for name in names)


def json_objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a .jsonl file, each with its line number from 1. Raises WorkbenchError with the row that is no JSON object."""
    for number, line in enumerate(lines(path), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except RecursionError:
                raise WorkbenchError(f"{path}, row {number} has brackets nested too deeply to be read; write one flat object per line.") from None
            except ValueError as error:
                raise WorkbenchError(f"{path}, row {number} is not JSON ({error}); write one object per line.") from None
            if not isinstance(row, dict):
                raise WorkbenchError(f'{path}, row {number} is not a JSON object; write one object per line, such as {{"text": …}}.')
            yield number, row


def _json_columns(path: Path) -> list[str]:
    return list(next((row for _, row in json_objects(path)), None) or _empty(path))


def value(row: dict[str, Any], name: str, where: object, number: int) -> str:
    """One text of a row; a null is an empty text."""
    if name not in row:
        raise WorkbenchError(f"{where}, row {number} has no '{name}'.{nearest(name, row)}")
    if row[name] is not None and not isinstance(row[name], str):
        raise WorkbenchError(f"{where}, row {number}: '{name}' holds a {type(row[name]).__name__}, not text; choose another column.")
    if lone := surrogate(row[name] or ""):
        raise WorkbenchError(f"{where}, row {number}: '{name}' holds half a character ({lone}), as of a cut emoji; remove it or write the row again.")
    return row[name] or ""


def surrogate(text: str) -> str:
    """The first lone surrogate of a text, as JSON writes it; "" where there is none. No UTF-8 has one, and no tokenizer takes it."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"\\u{ord(text[error.start]):04x}"
    return ""


def _csv(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows with their number; the header is row 0. Blank lines are no rows."""
    reader: Iterable[list[str]]
    if kind(path) == ".tsv":
        reader = (line.rstrip("\r\n").split("\t") if line.strip("\r\n") else [] for line in lines(path))
    else:
        reader = csv.reader(lines(path), strict=True)
    number, width, rows = 0, 0, iter(reader)
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            raise WorkbenchError(f"{path}, row {number} cannot be read ({error}); look for an unclosed quotation mark.") from None
        if row is None:
            return
        if row:
            width = width or len(row)
            if len(row) != width:
                raise WorkbenchError(f"{path}, row {number} has {len(row)} fields, but the header has {width}; make them equal.")
            yield number, row
            number += 1


def _csv_header(path: Path) -> list[str]:
    return next((row for _, row in _csv(path)), None) or _empty(path)


def _csv_rows(path: Path, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    rows = _csv(path)
    header = next(rows)[1]
    places = [header.index(name) for name in names]
    yield from (tuple(row[p] for p in places) for _, row in rows)


def _parquet(path: Path) -> Any:
    import pyarrow
    import pyarrow.parquet

    try:  # a buffered stream: without it a whole column chunk (perhaps the whole file) is held
        return pyarrow.parquet.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
    except pyarrow.ArrowInvalid as error:
        raise WorkbenchError(f"{path} is no parquet file ({str(error).split('.')[0]}); write it again.") from error
    except OSError as error:
        raise WorkbenchError(f"{path} cannot be read ({error.strerror or error}); check the path and its permissions.") from error


def _parquet_columns(path: Path) -> list[str]:
    with _parquet(path) as file:
        return list(file.schema_arrow.names) or _empty(path)


def _parquet_rows(path: Path, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    import pyarrow

    number = 0
    try:
        with _parquet(path) as file:
            for batch in file.iter_batches(batch_size=256, columns=list(dict.fromkeys(names))):
                for row in batch.to_pylist():
                    number += 1
                    yield tuple(value(row, name, path, number) for name in names)
    except (OSError, pyarrow.ArrowException, UnicodeDecodeError) as error:  # a page that does not unpack, or holds no UTF-8
        reason = str(error).split("\n")[0].rstrip(".")
        raise WorkbenchError(f"{path} is damaged after row {number} ({reason}); fetch or write it again.") from error


def _empty(path: Path) -> list[str]:
    raise WorkbenchError(f"{path} is empty; give a file with text in it.")
