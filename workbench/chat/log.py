"""Append-only files of JSON lines: whatever is killed, at most the line that was being written is lost."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from filelock import FileLock

from .. import store
from ..errors import RunFailed


def folder() -> Path:
    """Where conversations and votes are kept, in the home folder."""
    place = store.folder().parent / "chats"
    place.mkdir(parents=True, exist_ok=True)
    return place


def append(file: Path, line: dict[str, Any]) -> None:
    """Add a line for good: it is on the disk when this returns. Half a line that a killed process left is removed first."""
    data = json.dumps(line, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace") + b"\n"
    try:
        with FileLock(file.with_name(f".{file.name}.lock")), file.open("a+b") as opened:
            if end := opened.seek(0, os.SEEK_END):
                opened.seek(end - 1)
                if opened.read(1) != b"\n":
                    opened.seek(0)
                    opened.truncate(opened.read().rfind(b"\n") + 1)
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
    except OSError as error:
        raise RunFailed(f"{file} cannot be written ({error.strerror}); free some space, or set WORKBENCH_HOME to another place.") from error


def read(file: Path) -> list[dict[str, Any]]:
    """All whole lines; none where there is no file. A line that is no JSON (a damaged disk) is passed over."""
    try:
        lines = file.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return [line for line in found if isinstance(line, dict)]
