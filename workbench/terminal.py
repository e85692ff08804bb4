"""A step's metrics as plain text for a terminal: what fits there. All of them are in --json."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from . import refs

LONGEST = 40  # rows of the main table
SHORT = 12  # rows of every other
WIDE = 8  # columns, and those below where a table has more
FIRST = (
    "tokenizer", "text", "tokens_per_word", "low", "high", "tokens_per_whitespace_word", "bytes_per_token", "parity", "byte_fallback_rate", "unknown_rate",
)  # fmt: skip
NAMED = ("tokenizer", "text", "model")  # columns that hold references
DRAWN = ("histograms", "curves", "examples")  # to be drawn, or read at length

Row = Mapping[str, Any]


def lines(metrics: Mapping[str, Any], said: Container[str] = ()) -> Iterator[str]:
    """The metrics, line by line. `said`: sentences that the user has seen already."""
    for key, value in metrics.items():
        if key == "text":
            yield str(value)
        elif key in DRAWN and value:
            yield f"\n{_words(key)}: {len(value)} rows, see --json"
        elif _sentences(key, value):
            yield from (sentence for sentence in value if sentence not in said)
        elif _is_table(value):
            yield from ([] if key == "rows" else [f"\n{_words(key)}:"])
            yield from _short_table(value, LONGEST if key == "rows" else SHORT)
        else:
            yield from _entry(key, value)


def table(rows: Sequence[Row]) -> str:
    """Rows as aligned plain text."""
    columns = _columns(rows)
    cells = [[_words(c) for c in columns], *([cell(row.get(c)) for c in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    return "\n".join("  ".join(each.ljust(width) for each, width in zip(line, widths, strict=True)).rstrip() for line in cells)


def cell(value: Any) -> str:
    """One value, numbers with four significant digits."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {cell(each)}" for key, each in value.items())
    return ", ".join(map(cell, value)) if isinstance(value, (list, tuple)) else str(value)


def _entry(key: str, value: Any, indent: str = "") -> Iterator[str]:
    """A value on its line; a mapping that holds others, or a long one, over several, indented."""
    if value in (None, [], {}):
        return
    flat = f"{indent}{_words(key)}: {cell(value)}"
    nested = isinstance(value, Mapping) and (len(flat) > 120 or any(isinstance(each, (Mapping, list)) and each for each in value.values()))
    if not nested:
        yield flat
        return
    yield f"{indent}{_words(key)}:"
    for name, each in value.items():
        if _is_table(each):
            yield f"{indent}  {_words(name)}:"
            yield from (f"{indent}    {line}" for part in _short_table(each, SHORT) for line in part.splitlines())
        else:
            yield from _entry(name, each, indent + "  ")


def _short_table(rows: Sequence[Row], longest: int) -> Iterator[str]:
    if turned := _turned(rows):
        rows, longest = turned, len(turned)
    columns = _columns(rows)
    kept = columns
    if len(columns) > WIDE:
        full = [c for c in columns if any(row.get(c) is not None for row in rows)]
        kept = [c for c in FIRST if c in full]
        kept += [c for c in full if c not in kept][: max(WIDE - len(kept), 0)]
        kept.sort(key=lambda c: FIRST.index(c) if c in FIRST else len(FIRST))
    names = refs.short_names(str(row[c]) for row in rows for c in NAMED if row.get(c) is not None)
    yield table([{c: names.get(row.get(c), row.get(c)) if c in NAMED else row.get(c) for c in kept} for row in rows[:longest]])
    more = [f"{n} more {what}" for n, what in ((len(rows) - longest, "rows"), (len(columns) - len(kept), "columns")) if n > 0]
    if more:
        yield f"… {' and '.join(more)}, see --json"


def _turned(rows: Sequence[Row]) -> list[Row]:
    """A few models with more measures than fit beside each other, as one row for each measure; else nothing."""
    columns = _columns(rows)
    models = [row.get("model") for row in rows]
    if columns[:1] != ["model"] or not len(columns) > WIDE > len(rows) or len(set(models)) < len(rows):
        return []
    return [{"": _words(c), **{str(model): row.get(c) for model, row in zip(models, rows, strict=True)}} for c in columns[1:]]


def _columns(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row))


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _sentences(key: str, value: Any) -> bool:
    return key == "notes" and isinstance(value, list) and all(isinstance(each, str) for each in value)


def _words(key: Any) -> str:
    return str(key).replace("_", " ")
