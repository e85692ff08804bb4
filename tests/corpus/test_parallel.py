from __future__ import annotations

import pytest

from workbench import corpus
from workbench.errors import WorkbenchError

TABLE = "id\ten\tru\tfa\n1\tbear\tмедведь\tخرس\n2\t\tволк\tگرگ\n3\tfox\tлиса\tروباه\n"


@pytest.mark.parametrize("name", ["p.tsv", "p.csv", "p.jsonl"])
def test_two_columns_by_name(make, name):
    import json

    rows = [line.split("\t") for line in TABLE.splitlines()]
    objects = [json.dumps(dict(zip(rows[0], row, strict=True))) + "\n" for row in rows[1:]]
    text = {"p.tsv": TABLE, "p.csv": TABLE.replace("\t", ","), "p.jsonl": "".join(objects)}[name]
    pairs = corpus.open_parallel(make(name, text.encode()), "ru", "fa")
    assert list(pairs) == list(pairs) == [("медведь", "خرس"), ("волк", "گرگ"), ("лиса", "روباه")]
    assert pairs.sides == ("ru", "fa")
    assert list(corpus.open_parallel(make(name, text.encode()), "en", "ru")) == [("bear", "медведь"), ("fox", "лиса")]


def test_the_only_two_columns_and_source_and_target_need_no_names(make):
    two = make("two.csv", b"en,ru\na,b\n")
    assert list(corpus.open_parallel(two)) == [("a", "b")]
    assert list(corpus.open_parallel(two, source_column="ru")) == list(corpus.open_parallel(two, target_column="en")) == [("b", "a")]
    assert list(corpus.open_parallel(make("three.csv", b"n,target,source\n1,a,b\n"))) == [("b", "a")]


def test_the_splits_are_a_partition_of_the_pairs():
    pairs = corpus.open_parallel(iter([(str(n), f"-{n}") for n in range(500)]), held_out=0.2)
    found = [set(pairs.train), set(pairs.validation), set(pairs.held_out)]
    assert sum(map(len, found)) == len(set.union(*found)) == 500
    assert all(found)


def test_the_demo_speaks_both_ways(world):
    assert corpus.open_parallel("demo:en-ru", limit=100).train.take(1) == [("en train 0", "ru train 0")]
    back = corpus.open_parallel("demo:ru-en", limit=100)
    assert back.held_out.take(1) == [("ru test 0", "en test 0")]
    assert back.sides == ("ru", "en")


def test_translation_datasets(tmp_path):
    (tmp_path / "train.jsonl").write_text('{"translation": {"en": "a", "ru": "б"}}\n', encoding="utf-8")
    assert list(corpus.open_parallel(f"hf:{tmp_path}")) == [("a", "б")]


@pytest.mark.parametrize(
    ("name", "content", "columns", "sentence"),
    [
        ("a.tsv", TABLE, (), "a.tsv has the columns id, en, ru, fa; say which two to pair with source_column= and target_column=."),
        ("a.tsv", TABLE, ("en",), "say which two to pair"),
        ("a.tsv", TABLE, ("en", "rus"), "a.tsv has no column 'rus'. Did you mean ru"),
        ("a.tsv", TABLE, ("en", "en"), "Source and target are both the column 'en' of"),
        ("a.tsv", "en\tru\na\tb\nc\n", (), "a.tsv, row 2 has 1 fields, but the header has 2; make them equal."),
        ("a.tsv", "en\tru\n", (), "There is no text in"),
        ("a.txt", "a", (), "a.txt is plain text and has no columns; give a .tsv, .csv, .jsonl or .parquet file."),
    ],
)
def test_bad_tables_are_one_sentence(make, name, content, columns, sentence):
    with pytest.raises(WorkbenchError) as caught:
        list(corpus.open_parallel(make(name, content.encode()), *columns))
    assert sentence in str(caught.value)


def test_bad_pairs_and_names_are_one_sentence():
    with pytest.raises(WorkbenchError, match="Pair 1 is not two strings"):
        list(corpus.open_parallel([("a", "b"), "ab"]))
    with pytest.raises(WorkbenchError, match="Pair 0 holds half a character"):
        corpus.open_parallel([("a", "\ud83d")])
    with pytest.raises(WorkbenchError, match="The reference to a text is empty"):
        corpus.open_parallel("")
    with pytest.raises(WorkbenchError, match="There is no 'demo:ru-fa'"):
        corpus.open_parallel("demo:ru-fa")
    with pytest.raises(WorkbenchError, match="The list of parallel sources is empty"):
        corpus.open_parallel([])
