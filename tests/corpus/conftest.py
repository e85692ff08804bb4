from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

DOCUMENTS = ["The bear sleeps.", 'Медведь спит, "тихо".', "خرس می‌خوابد، آرام.", "곰이 잔다.", "熊は寝る。", "  two spaces ", "café x² 👍🏽"]


def write(path: Path, documents: list[str]) -> Path:
    """Write documents in the format that the name of the file says."""
    inner = path.with_suffix("") if path.suffix in (".gz", ".zst") else path
    if inner.suffix == ".parquet":
        pq.write_table(pa.table({"id": list(range(len(documents))), "text": documents}), path)
        return path
    with inner.open("w", encoding="utf-8", newline="") as file:
        if inner.suffix == ".csv":
            csv.writer(file).writerows([("id", "text"), *enumerate(documents)])
        elif inner.suffix == ".tsv":
            file.writelines(f"{a}\t{b}\n" for a, b in [("id", "text"), *enumerate(documents)])
        elif inner.suffix == ".jsonl":
            file.writelines(json.dumps({"id": i, "text": d}, ensure_ascii=False) + "\n" for i, d in enumerate(documents))
        else:
            file.writelines(d + "\n" for d in documents)
    if path != inner:
        path.write_bytes({".gz": gzip.compress, ".zst": zstandard.compress}[path.suffix](inner.read_bytes()))
        inner.unlink()
    return path


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """make(name, documents) writes a file into the test's folder; bytes are written as they are."""

    def maker(name: str, documents: list[str] | bytes = DOCUMENTS) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(documents, bytes):
            path.write_bytes(documents)
            return path
        return write(path, documents)

    return maker


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the demo world, with its signatures."""
    import sys
    import types
    from itertools import count

    import workbench.demo

    fake = types.ModuleType("workbench.demo.world")
    fake.LANGUAGES = ("en", "ru", "fa")
    fake.texts = lambda lang, split, seed: (f"{lang} {split} {seed} {n}" for n in count())
    fake.parallel = lambda target, split, seed: ((f"en {split} {n}", f"{target} {split} {n}") for n in count())
    monkeypatch.setitem(sys.modules, "workbench.demo.world", fake)
    monkeypatch.setattr(workbench.demo, "world", fake, raising=False)
