"""Items of an evaluation from a file: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import refs
from ..errors import WorkbenchError


def read_items(reference: str | Path, what: str, form: str, fits: Callable[[Any], bool], count: int = 0) -> list[dict[str, Any]]:
    """The items of a JSONL file, `count` at most. `what` is what one is called, `form` how a line must look, `fits` whether an object does.

    Raises WorkbenchError that names the line which is not of this form.
    """
    path = refs.path(reference)
    if not path.is_file():
        raise WorkbenchError(f"{path} is not a file; give a JSONL file of {what}s, or demo:ru.")
    found: list[dict[str, Any]] = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            if not (parsed := _parsed(line, fits)):
                raise WorkbenchError(f"Line {number} of {path} is no {what}; every line must be {form}.")
            found += parsed
            if len(found) == count:
                break
    if not found:
        raise WorkbenchError(f"{path} holds no {what}; give at least one line {form}.")
    return found


def _parsed(line: str, fits: Callable[[Any], bool]) -> list[dict[str, Any]]:
    try:
        item = json.loads(line)
        return [item] if fits(item) else []
    except (ValueError, TypeError, KeyError):
        return []
