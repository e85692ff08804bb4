"""What methods ask for, made in a moment: a donor, word vectors, a dictionary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny
from aids import METHODS, Aids

from workbench.tokenizer import Extension, extend, load, save
from workbench.transfer.base import Method
from workbench.transfer.space import text_of
from workbench.vocab import Vocabulary


@pytest.fixture(scope="session")
def longer(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A tokenizer, and the same with 30 Russian tokens more."""
    place = tmp_path_factory.mktemp("tokenizers")
    base = tiny.tokenizer(place / "base")
    return base, save(extend(load(base), tiny.RUSSIAN * 3, Extension(new_tokens=30, script="Cyrillic")).tokenizer, place / "longer")


@pytest.fixture(scope="session")
def aids(longer: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Aids:
    place = tmp_path_factory.mktemp("aids")
    donor = tiny.model(tiny.tokenizer(place / "donor", merges=150, texts=tiny.ENGLISH + tiny.RUSSIAN), width=24, seed=5)
    rng = np.random.default_rng(3)
    texts = sorted({text_of(identity) for identity in Vocabulary(load(longer[1])).identities().values()} - {""})
    words = [text for text in texts if " " not in text and text.isprintable()]
    lines = [f"{len(words)} 7", *(" ".join([word, *map(str, rng.standard_normal(7).round(4))]) for word in words)]
    (place / "words.vec").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (place / "pairs.tsv").write_text("source\ttarget\n" + "".join(f"{word}\t{word}\n" for word in words[::2]), encoding="utf-8")
    return Aids(donor, place / "words.vec", place / "pairs.tsv")


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest, aids: Aids) -> Method:
    return METHODS[request.param](aids)
