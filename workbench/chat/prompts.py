"""Prompt sets from files: a prompt a line, or JSON Lines, JSON, CSV and TSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import refs
from ..corpus.formats import surrogate
from ..errors import WorkbenchError
from .prompting import Message

FORMS = 'a JSON object with "prompt" (text) or "messages" (list of role and content), and maybe "id", "tags" and "system"'
ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Asked:
    """One prompt of a set, as messages."""

    id: str
    messages: tuple[Message, ...]
    tags: tuple[str, ...] = ()

    @property
    def prompt(self) -> str:
        return self.messages[-1]["content"]


def read_prompts(place: str | Path, limit: int = 0) -> list[Asked]:
    """The prompts of a file, `limit` at most (0: all): .txt, .jsonl, .json (a list), .csv or .tsv with a column `prompt`.

    Raises WorkbenchError that names the row and the reason where one is malformed.
    """
    path = refs.path(place)
    if not path.is_file():
        raise WorkbenchError(f"{path} is no file; give prompts as .txt, .jsonl, .json, .csv or .tsv.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        row = path.read_bytes()[: error.start].count(b"\n") + 1
        raise WorkbenchError(f"Row {row} of {path.name}: byte {error.start} is no UTF-8; save the file as UTF-8.") from None
    readers = {".txt": _lines, ".jsonl": _json_lines, ".json": _json, ".csv": _table, ".tsv": _table}
    if path.suffix.lower() not in readers:
        raise WorkbenchError(f"{path.name} is of no kind that prompts are read from; give {', '.join(readers)}.")
    found = []
    for row, item in readers[path.suffix.lower()](text, path):
        found.append(_asked(row, item, path.name))
        if len(found) == limit:
            break
    if not found:
        raise WorkbenchError(f"{path.name} holds no prompt; write at least one.")
    return found


def _lines(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    yield from ((row, {"prompt": line}) for row, line in enumerate(text.split("\n"), 1) if line.strip())


def _json_lines(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    for row, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield row, json.loads(line)
            except (ValueError, RecursionError) as error:
                raise WorkbenchError(f"Row {row} of {path.name} is no JSON ({error}); every row must be {FORMS}.") from None


def _json(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    try:
        items = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WorkbenchError(f"{path.name} is no JSON ({error}); give a list of prompts, or one prompt a line as .txt.") from None
    if not isinstance(items, list):
        raise WorkbenchError(f"{path.name} holds no list; give a list of prompts: each {FORMS}, or a text.")
    yield from enumerate(items, 1)


def _table(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    rows = csv.DictReader(io.StringIO(text), delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
    if "prompt" not in (rows.fieldnames or []):
        raise WorkbenchError(f"Row 1 of {path.name} names no column 'prompt' but {', '.join(map(str, rows.fieldnames or [])) or 'nothing'}; name it so.")
    try:
        for item in rows:
            known = {key: value for key, value in item.items() if key in ("prompt", "id", "system") and value not in (None, "")}
            if item.get(None) or "prompt" not in known:
                raise WorkbenchError(f"Row {rows.line_num} of {path.name} has {'more cells than columns' if item.get(None) else 'no prompt'}; mend it.")
            tags = [tag.strip() for tag in (item.get("tags") or "").split(";") if tag.strip()]
            yield rows.line_num, known | ({"tags": tags} if tags else {})
    except csv.Error as error:
        raise WorkbenchError(f"Row {rows.line_num} of {path.name} cannot be read ({error}); mend it.") from None


def _asked(row: int, item: Any, name: str) -> Asked:
    item = {"prompt": item} if isinstance(item, str) else item
    if reason := _odd(item):
        raise WorkbenchError(f"Row {row} of {name}: {reason}; every row must be {FORMS}.")
    messages = item.get("messages") or [{"role": "user", "content": item["prompt"].strip()}]
    system = [{"role": "system", "content": item["system"]}] if item.get("system") else []
    told = tuple({"role": m["role"], "content": m["content"]} for m in [*system, *messages])
    if lone := next(filter(None, (surrogate(m["content"]) for m in told)), ""):
        raise WorkbenchError(f"Row {row} of {name} holds half a character ({lone}), as of a cut emoji; remove it or write the row again.")
    return Asked(str(item.get("id", row)), told, tuple(item.get("tags") or ()))


def _odd(item: Any) -> str:
    """What is wrong with a row; "" where nothing is."""
    if not isinstance(item, dict):
        return f"it is {'a number' if isinstance(item, (int, float)) else f'a {type(item).__name__}'} and no object"
    if ("prompt" in item) == ("messages" in item):
        return 'it has both "prompt" and "messages"' if "prompt" in item else 'it has neither "prompt" nor "messages"'
    if "prompt" in item and not (isinstance(item["prompt"], str) and item["prompt"].strip()):
        return "the prompt is empty or no text"
    messages = item.get("messages", [{"role": "user", "content": "-"}])
    fits = isinstance(messages, list) and messages and all(isinstance(m, dict) and m.get("role") in ROLES for m in messages)
    if not fits or not all(isinstance(m.get("content"), str) and m["content"].strip() for m in messages):
        return f"its messages are no list of {{role, content}} with roles {', '.join(ROLES)} and texts"
    if messages[-1]["role"] != "user":
        return "its last message is not the user's"
    tags = item.get("tags") or []
    if not isinstance(tags, (list, tuple)) or not all(isinstance(tag, str) for tag in tags):
        return "its tags are no list of texts"
    return "" if isinstance(item.get("system") or "", str) else "its system message is no text"
