from __future__ import annotations

import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench import corpus
from workbench.corpus import sources
from workbench.corpus.split import SPLITS, place
from workbench.errors import RunFailed, WorkbenchError

from .conftest import DOCUMENTS, write

texts = st.lists(st.text(max_size=8).filter(str.strip), min_size=1, max_size=40)
shares = st.floats(0, 0.49)
seeds = st.integers(0, 2**40)
some = settings(max_examples=25, deadline=None)


def parts(opened):
    return {split: list(getattr(opened, split)) for split in SPLITS}


@some
@given(texts, seeds, shares)
def test_the_split_is_a_partition(documents, seed, share):
    opened = corpus.open(iter(documents), seed=seed, held_out=share)
    found = parts(opened)
    assert Counter(d for part in found.values() for d in part) == Counter(documents)
    assert not set(found["train"]) & set(found["held_out"])
    assert list(opened) == documents
    assert {s: [d for side, d in opened.tagged() if side == s] for s in SPLITS} == found


@some
@given(texts, texts, seeds, shares)
def test_no_document_moves_when_others_are_added(documents, more, seed, share):
    before, after = (parts(corpus.open(iter(d), seed=seed, held_out=share)) for d in (documents, documents + more))
    assert all(after[split][: len(before[split])] == before[split] for split in SPLITS)


@some
@given(texts, seeds)
def test_reading_again_gives_the_same(documents, seed):
    opened = corpus.open(iter(documents), seed=seed, held_out=0.3)
    assert parts(opened) == parts(opened)


def test_two_readings_at_once_do_not_disturb_each_other(make):
    stream = corpus.open(make("a.txt"), held_out=0).train
    assert [a for a, b in zip(stream, stream, strict=True) if a == b] == DOCUMENTS


def test_shares_and_seeds():
    documents = [f"document {n}" for n in range(4_000)]
    sizes = {split: len(part) for split, part in parts(corpus.open(iter(documents), held_out=0.1)).items()}
    assert sizes["train"] == pytest.approx(3_200, abs=100)
    assert sizes["validation"] == pytest.approx(400, abs=80)
    assert sizes["held_out"] == pytest.approx(400, abs=80)
    assert corpus.open(iter(documents), seed=1).held_out.take(50) != corpus.open(iter(documents), seed=2).held_out.take(50)


def test_the_split_of_a_document_never_changes():
    assert [place("медведь", seed, 0.25) for seed in range(8)] == [place("медведь", seed, 0.25) for seed in range(8)]
    assert place(("медведь", "bear"), 3, 0.25) == place(("медведь", "a bear"), 3, 0.25)


def test_the_real_demo_world_opens():
    opened = corpus.open("demo:fa", limit=40)
    assert {split: len(part) for split, part in parts(opened).items()} == {"train": 36, "validation": 2, "held_out": 2}
    assert list(opened) == list(opened)
    assert corpus.open("demo:fa", limit=40, seed=1).train.take(9) != opened.train.take(9)
    assert all(len(pair) == 2 for pair in corpus.open_parallel("demo:en-fa").validation.take(3))


def test_files_folders_patterns_and_lists(make, tmp_path, monkeypatch):
    make("d/b.txt", ["b"]), make("d/a/a.jsonl.gz", ["a"]), make("d/.hidden/x.txt", ["x"]), make("d/readme.md.bak", b"no")
    assert sorted(corpus.open(tmp_path / "d")) == ["a", "b"]
    assert list(corpus.open(str(tmp_path / "d" / "**" / "*.gz"))) == ["a"]
    assert list(corpus.open([tmp_path / "d" / "b.txt", str(tmp_path / "d")], held_out=0)) == ["b", "a", "b"]
    monkeypatch.chdir(tmp_path)
    assert list(corpus.open("d/*.txt")) == ["b"]


def test_links_in_a_circle_give_each_file_once(make, tmp_path):
    make("d/b.txt", ["b"]), make("d/deep/a.txt", ["a"])
    (tmp_path / "d" / "deep" / "again").symlink_to(tmp_path / "d", target_is_directory=True)
    assert sources.files(str(tmp_path / "d" / "**" / "*.txt")) == [tmp_path / "d" / "b.txt", tmp_path / "d" / "deep" / "a.txt"]
    assert list(corpus.open(str(tmp_path / "d" / "**" / "*.txt"), held_out=0)) == list(corpus.open(tmp_path / "d", held_out=0)) == ["b", "a"]
    (tmp_path / "d" / "other.txt").symlink_to(tmp_path / "d" / "b.txt")
    assert sorted(corpus.open(tmp_path / "d")) == ["a", "b"]


def test_limit_counts_documents_of_each_source(make):
    assert list(corpus.open([make("a.txt"), make("b.txt", ["x", "y"])], limit=1)) == [DOCUMENTS[0], "x"]


def test_weights_mix_until_one_source_ends(make):
    a, b = make("a.txt", [f"a{n}" for n in range(900)]), make("b.txt", [f"b{n}" for n in range(300)])
    mixed = list(corpus.open([a, b], weights=[3, 1], held_out=0))
    assert len(mixed) == len(set(mixed)) == pytest.approx(1_200, abs=150)
    assert sum(d.startswith("b") for d in mixed) / len(mixed) == pytest.approx(0.25, abs=0.05)
    assert mixed == list(corpus.open([a, b], weights=[3, 1], held_out=0))
    assert mixed != list(corpus.open([a, b], weights=[3, 1], held_out=0, seed=1))
    assert [d for d in mixed if d[0] == "a"] == [f"a{n}" for n in range(sum(d[0] == "a" for d in mixed))]


def test_the_demo_world_brings_its_splits(world):
    opened = corpus.open("demo:ru", seed=7, limit=100)
    assert {split: len(part) for split, part in parts(opened).items()} == {"train": 90, "validation": 5, "held_out": 5}
    assert opened.held_out.take(1) == ["ru test 7 0"]
    few = {limit: [len(part) for part in parts(corpus.open("demo:ru", limit=limit)).values()] for limit in (1, 2, 3, 4)}
    assert few == {1: [1, 0, 0], 2: [2, 0, 0], 3: [1, 1, 1], 4: [2, 1, 1]}
    assert [len(part) for part in parts(corpus.open("demo:ru", limit=4, held_out=0.49)).values()] == [2, 1, 1]
    assert sum(1 for _ in corpus.open("demo:en")) == 20_000


def test_a_dataset_is_streamed_from_a_folder_too(tmp_path):
    write(tmp_path / "train.jsonl", DOCUMENTS)
    opened = corpus.open(f"hf:{tmp_path}")
    assert list(opened) == list(opened) == DOCUMENTS
    assert list(corpus.open(f"hf:{tmp_path}:::text")) == DOCUMENTS
    with pytest.raises(WorkbenchError, match=r"has no column 'body'. There is: id, text."):
        corpus.open(f"hf:{tmp_path}:::body")
    with pytest.raises(WorkbenchError, match=r"The dataset hf:.*::nope could not be opened \(.*\); check its name, config and split, or the connection."):
        corpus.open(f"hf:{tmp_path}::nope")


def test_a_dataset_that_cannot_be_had_is_one_sentence():
    with pytest.raises(WorkbenchError, match="The dataset hf:nobody/nothing could not be opened"):
        corpus.open("hf:nobody/nothing")


def test_a_dataset_that_breaks_off_is_one_sentence(monkeypatch):
    def rows():
        yield {"text": "a"}
        raise ConnectionError("gone")

    class Broken:
        def __iter__(self):
            return rows()

    monkeypatch.setattr("datasets.load_dataset", lambda *given, **knobs: Broken())
    with pytest.raises(RunFailed, match=r"The dataset hf:some/thing broke off \(ConnectionError\); check the connection and run it again, or set a limit\."):
        list(corpus.open("hf:some/thing"))


def test_objects_are_documents():
    class Shelf:
        def __iter__(self):
            return iter(["a", " ", "b"])

    assert list(corpus.open(Shelf())) == ["a", "b"]
    assert list(corpus.open(corpus.open(iter("abc"), held_out=0).train)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("reference", "knobs", "sentence"),
    [
        ("demo:rus", {}, "There is no 'demo:rus'. Did you mean demo:ru"),
        ("corpus-00000000", {}, "There is no artefact 'corpus-00000000'."),
        ("nowhere/*.txt", {}, "No file matches nowhere/*.txt; check the pattern."),
        ("A whole sentence.", {}, "'A whole sentence.' is no file, folder, pattern, corpus artefact, demo: or hf: name."),
        ("", {}, "The reference to a text is empty; name a file, a folder or a source such as demo:ru."),
        (["demo:ru", " "], {}, "The reference to a text is empty"),
        ("A pasted text. " * 30, {}, "'A pasted text. A pasted text. A pasted text. A pasted text. …' cannot be looked up (File name too long); name a file"),
        ("One line.\nTwo lines.", {}, "'One line. Two lines.…' is no file"),
        ("nul\0", {}, "is no file, folder"),
        ("nul\0/*", {}, "cannot be looked up (embedded null byte)"),
        ("~nouser/x", {}, "'~nouser/x' cannot be looked up (Could not determine home directory); name a file"),
        (iter(["a", "cut \ud83d"]), {}, "Document 1 holds half a character (\\ud83d), as of a cut emoji; remove it."),
        (iter("a"), {"weights": [float("nan")]}, "There are 1 sources and the weights [nan]; give one finite weight above 0 per source."),
        (["demo:ru", "demo:fa"], {"weights": [float("inf"), 1]}, "give one finite weight above 0 per source."),
        (["demo:ru", "demo:fa"], {"weights": [1, float("nan")]}, "give one finite weight above 0 per source."),
        ("hf:", {}, "'hf:' is no dataset name; write hf:NAME:CONFIG:SPLIT:COLUMN"),
        ("hf:a:b:c:d:e", {}, "is no dataset name"),
        ([], {}, "The list of sources is empty; name at least one, such as demo:ru."),
        (3, {}, "Text cannot be opened from a int; give a reference such as demo:ru, or an iterable of strings."),
        (iter([b"x"]), {}, "Document 0 is a bytes; every document must be a string."),
        (iter([]), {}, "There is no text in the given documents; give one that is not empty."),
        (iter("a"), {"held_out": 0.5}, "held_out=0.5 must be at least 0 and below 0.5"),
        (iter("a"), {"seed": -1}, "seed=-1 must be a whole number"),
        (iter("a"), {"limit": 0}, "limit=0 must be 1 or more; leave it out to read everything."),
        (iter("a"), {"unit": "page"}, "unit='page' is not known; choose line, paragraph or file."),
        (iter("a"), {"weights": [1, 2]}, "There are 1 sources and the weights [1, 2]; give one finite weight above 0 per source."),
    ],
)
def test_bad_references_are_one_sentence(reference, knobs, sentence):
    with pytest.raises(WorkbenchError) as caught:
        list(corpus.open(reference, **knobs))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "iter(texts)" not in str(caught.value)


def test_a_missing_file_names_its_neighbour_and_a_bare_folder_says_so(make, tmp_path):
    make("corpus.txt")
    with pytest.raises(WorkbenchError, match=r"Did you mean .*/corpus\.txt"):
        corpus.open(tmp_path / "corpsu.txt")
    (tmp_path / "bare").mkdir()
    with pytest.raises(WorkbenchError, match=r"bare holds no \.txt, .* file; put some text there"):
        corpus.open(tmp_path / "bare")


def test_the_step_writes_what_opens_again(make):
    documents = [f"Документ {n}." for n in range(400)] + ["Документ 1."]
    pairs = make("pairs.tsv", b"ru\ten\n\xd0\xb4\xd0\xb0\tyes\n")
    spec = corpus.Corpus(source=(make("a.txt", documents),), held_out=0.1, seed=3, parallel=pairs, source_column="en", target_column="ru")
    made = wb.run(spec)
    direct, again = corpus.open(spec.source[0], held_out=0.1, seed=3), corpus.open(made.id)
    assert parts(again) == parts(direct)
    assert parts(corpus.open(made)) == parts(corpus.open(made.path)) == parts(again)
    assert corpus.open(made.id, limit=20).held_out.take(9) == direct.held_out.take(1)
    assert list(corpus.open_parallel(made.id)) == [("yes", "да")]
    assert {p.name for p in made.path.iterdir()} >= {"train.parquet", "validation.parquet", "held_out.parquet", "parallel.parquet", "statistics.json"}
    assert made.metrics["documents"] == 401
    assert made.metrics["exact_duplicates"] == 1
    assert made.metrics["pairs"] == 1
    assert made.metrics["train"] + made.metrics["validation"] + made.metrics["held_out"] == 401


def test_the_same_step_gives_the_same_files(make):
    spec = corpus.Corpus(source=(make("a.txt"),), held_out=0.3)
    assert wb.run(spec).manifest["content_hash"] == wb.run(spec).manifest["content_hash"]


def test_an_empty_split_is_a_warning(make):
    heard = []
    made = wb.run(corpus.Corpus(source=(make("a.txt", ["only one"]),)), wb.Progress(lambda event: heard.append((event.kind, event.message))))
    assert ("warning", "No document fell to validation; raise held_out or give more text.") in heard
    assert list(corpus.open(made.id)) == ["only one"]


def test_an_artefact_of_another_kind_is_refused(monkeypatch):
    monkeypatch.setattr("workbench.store.open_artefact", lambda reference: wb.store.Artefact(reference, "model", None, {}))
    with pytest.raises(WorkbenchError, match="model-0123abcd is a model, not a corpus; choose an artefact whose id starts with corpus-"):
        corpus.open("model-0123abcd")


def test_importing_is_light():
    import subprocess

    load = "import sys, workbench.corpus as c, workbench.fertility as f; c.open, c.measure, c.Corpus, f.measure, f.Fertility"
    code = f"{load}; print({{'torch', 'transformers', 'datasets', 'gradio'}} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "set()"


@some
@given(texts, seeds)
def test_the_global_generator_is_left_alone(documents, seed):
    import random

    random.seed(5)
    before = random.getstate()
    opened = corpus.open(iter(documents), seed=seed)
    corpus.measure(opened, near_sample=2)
    assert random.getstate() == before
