"""Tables opened by reference: which rows, which tokens, and what there is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny

from workbench import spaces, store
from workbench.checkpoint import Checkpoint
from workbench.errors import WorkbenchError


def test_rows_of_both_tables_are_those_of_the_file(models: tuple[Path, Path]) -> None:
    opened = Checkpoint.open(models[0])
    for table, rows in (("input", opened.input()), ("output", opened.output())):
        space = spaces.open(models[0], table)
        assert space.rows.dtype == rows.dtype
        assert np.array_equal(space.vectors([5, 0, 7]), rows[[5, 0, 7]].float().numpy())
        assert space.size == len(rows) - 3  # padding has no token
    assert spaces.open(models[0]).name != spaces.open(models[0], "output").name


def test_word_vectors_are_converted_once_and_read_from_the_copy(vec: Path) -> None:
    space = spaces.open(vec)
    assert space.vectors([space.find("медведь")]).tolist() == [[0, 1, 0]]
    assert space.usable.tolist() == [True] * 4 + [False]
    kept = {path: path.stat().st_mtime_ns for path in (store.home() / "cache" / "spaces").iterdir()}
    assert np.array_equal(spaces.open(str(vec)).rows, space.rows)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    vec.write_text("1 2\nfox 5 6\n", encoding="utf-8")  # another file under the name
    assert spaces.open(vec).vectors([0]).tolist() == [[5, 6]]


def test_odd_words_keep_their_vectors_and_blank_lines_are_no_words(tmp_path: Path) -> None:
    file = tmp_path / "odd.vec"
    file.write_bytes("4 2\ncat 1 0\ndo\rg 2 0\nfi\u2028sh 3 0\nbird 4 0\n".encode())
    space = spaces.open(file)
    assert space.vectors([space.find(word) for word in ("cat", "do\rg", "fi\u2028sh", "bird")])[:, 0].tolist() == [1, 2, 3, 4]
    file.write_bytes(b"4 2\ncat 1 0\n\n\nbird 4 0\n")
    with pytest.raises(WorkbenchError, match="ends after 2 of 4 words"):
        spaces.open(file)


def test_binary_word_vectors(tmp_path: Path) -> None:
    from gensim.models import FastText
    from gensim.models.fasttext import save_facebook_model

    text = [line.split() for line in tiny.ENGLISH * 5]
    save_facebook_model(FastText(text, vector_size=6, min_count=1, epochs=1, bucket=100, workers=1), str(tmp_path / "words.bin"))
    space = spaces.open(tmp_path / "words.bin")
    assert space.width == 6
    assert space.usable[space.find("bear")]


def test_an_encoder_has_an_input_table_only() -> None:
    assert spaces.open("demo:ru-plm").width == 128 or spaces.open("demo:ru-plm").width > 0
    with pytest.raises(WorkbenchError, match="no decoder, so it has no output table"):
        spaces.open("demo:ru-plm", "output")


def test_a_word_is_the_mean_of_its_tokens_and_unknown_where_one_is(models: tuple[Path, Path], vec: Path) -> None:
    space = spaces.open(models[0])
    ids = space.pieces("медведь")
    assert len(ids) > 1
    vectors, cut = space.words(["медведь", "the"])
    assert np.allclose(vectors[0], space.vectors(ids).mean(axis=0))
    assert cut.tolist() == [len(ids), 1]
    assert spaces.open(vec).words(["bear fox", "wolf"])[1].tolist() == [2, 0]


def test_what_is_no_space_is_said(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match="no file"):
        spaces.open(str(tmp_path / "none.vec"))
    with pytest.raises(WorkbenchError, match="no artefact, file, folder or hub id"):
        spaces.open("nothing at all")
    with pytest.raises(WorkbenchError, match="one vector for each word"):
        spaces.of(np.zeros((2, 3)), ["a"])


def test_a_token_without_a_row_is_said(models: tuple[Path, Path]) -> None:
    space = spaces.open(models[0])
    assert space.find("#7") == space.find(7) == 7
    with pytest.raises(WorkbenchError, match="There is no token 99999"):
        space.find("#99999")
