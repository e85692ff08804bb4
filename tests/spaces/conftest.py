"""Spaces made in a moment: planted rotations and dictionaries, a tiny model and the same with more tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
from plants import Planted, plant

from workbench import transfer
from workbench.tokenizer import Extension, extend, load, save


@pytest.fixture(scope="session")
def planted() -> Planted:
    return plant()


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An untied bf16 model, and the same with Russian tokens more, whose rows a transfer filled."""
    place = tmp_path_factory.mktemp("models")
    base = tiny.folder(place / "base", dtype="bfloat16", pad_rows=3)
    longer = save(extend(load(base), tiny.RUSSIAN * 3, Extension(new_tokens=30, script="Cyrillic")).tokenizer, place / "longer")
    transfer.Carry.open(base, longer).write(transfer.Subtokens(), place / "model")
    return base, place / "model"


@pytest.fixture
def vec(tmp_path: Path) -> Path:
    """A .vec file of five words, one of them zero."""
    lines = ["5 3", "bear 1 0 0", "fox 0.9 0.1 0", "медведь 0 1 0", "лиса 0 0.9 0.1", "nothing 0 0 0"]
    path = tmp_path / "words.vec"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
