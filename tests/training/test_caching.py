"""Kept token ids: the same documents in the same order, encoded once, and never more on disk than is right."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import tiny
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench import contents, refs
from workbench.progress import Event, Progress
from workbench.tokenizer import load
from workbench.training import Align, Instruct, caching, tokenfiles
from workbench.training.caching import Encoded, key_of
from workbench.training.data import IGNORE, Document, plain
from workbench.training.running import opened, reading

QUICK = {"steps": 8, "batch_size": 2, "block": 32, "warmup_steps": 1, "eval_every": 0, "eval_documents": 4, "device": "cpu", "dtype": "fp32"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.folder(tmp_path_factory.mktemp("model"), chat=True)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    (tmp_path / "ru.txt").write_text("\n".join(f"{line}, {n}" for n in range(30) for line in tiny.RUSSIAN), encoding="utf-8")
    return tmp_path / "ru.txt"


def kept() -> list[Path]:
    return sorted(tokenfiles.folder().glob("*.arrow"))


def left() -> list[str]:
    """What lies beside whole files and their locks."""
    return sorted(p.name for p in tokenfiles.folder().glob("*") if p.suffix not in (".arrow", ".lock"))


def numbers(count: int, calls: list[int]) -> Encoded:
    """Items whose documents are their numbers: every third left out, every fourth learnt in part."""

    def encode(items: Iterable[int]) -> Iterator[Document | None]:
        for item in items:
            calls.append(item)
            ids = list(range(item, item + item % 7))
            labels = [IGNORE, *ids[1:]] if item % 4 == 0 and ids else list(ids)
            yield None if item % 3 == 0 else Document(ids, labels)

    return Encoded(range(count), encode, True, lambda: f"count{count}")


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(count=st.integers(0, 3000), buffer=st.integers(1, 5000))
def test_what_is_kept_comes_in_the_order_and_with_the_labels_it_would_have_without(count: int, buffer: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("WORKBENCH_HOME", str(tmp_path_factory.mktemp("home")))
        patched.setattr(tokenfiles, "BUFFER", buffer)
        calls: list[int] = []
        unkept = [list(Encoded(range(count), numbers(count, []).encode, True).documents(seed)) for seed in ("0", "1")]
        assert [list(numbers(count, calls).documents("1"))] == unkept[1:]
        assert len(calls) == count
        assert len(kept()) == (count > 0)
        again = numbers(count, calls)
        assert [list(again.documents(seed)) for seed in ("0", "1")] == unkept
        assert len(calls) == count, "nothing is encoded twice"
        assert not left()


def test_running_text_comes_back_as_it_was(place: Path, text: Path) -> None:
    tokens = load(place)
    corpus = wb.corpus.open(str(text))
    made = Encoded(corpus.train, lambda texts: plain(tokens, texts), False, key_of([str(text)], 0, tokens))
    first, second = list(made.documents("a")), list(made.documents("a"))
    assert first == second
    assert len(kept()) == 1
    assert not first[0].whole
    assert not second[0].whole


def test_a_pass_that_is_broken_off_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenfiles, "BUFFER", 10)
    made = numbers(2000, [])
    found = made.documents("0")
    list(islice(found, 1000))
    assert left()
    assert not kept()
    del found
    assert not left()
    assert not kept()


def test_a_look_at_the_first_blocks_touches_no_disk() -> None:
    found = numbers(2000, []).documents("0")
    next(found)
    assert not tokenfiles.folder().exists()


def test_one_process_writes_and_the_others_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenfiles.folder().mkdir(parents=True)
    with FileLock(tokenfiles.folder() / "count50.lock"):
        assert len(list(numbers(50, []).documents("0"))) > 10
        assert not kept()
    list(numbers(50, []).documents("0"))
    assert len(kept()) == 1


def test_two_passes_at_once_leave_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenfiles, "BUFFER", 10)
    made = numbers(500, [])
    pairs = list(zip(made.documents("0"), made.documents("0"), strict=True))
    assert all(a == b for a, b in pairs)
    assert len(kept()) == 1
    assert not left()


@pytest.mark.parametrize("error", [OSError(28, os.strerror(28)), PermissionError(13, "Permission denied")])
def test_a_disk_that_takes_nothing_ends_no_training(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    from datasets.arrow_writer import ArrowWriter

    def full(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(ArrowWriter, "write_table", full)
    assert list(numbers(50, []).documents("0")) == list(Encoded(range(50), numbers(50, []).encode, True).documents("0"))
    assert not kept()
    assert not left()


@pytest.mark.parametrize(("name", "value"), [("LARGEST", 100), ("SPARE", 1 << 60)])
def test_a_file_that_grows_too_large_is_given_up(monkeypatch: pytest.MonkeyPatch, name: str, value: int) -> None:
    monkeypatch.setattr(tokenfiles, name, value)
    monkeypatch.setattr(tokenfiles, "BUFFER", 50)
    assert len(list(numbers(2000, []).documents("0"))) > 1000
    assert not kept()
    assert not left()


def test_the_files_used_longest_ago_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    for count, time in ((100, 1), (101, 2), (102, 3)):
        list(numbers(count, []).documents("0"))
        os.utime(tokenfiles.folder() / f"count{count}.arrow", (time, time))
    list(numbers(100, []).documents("0"))  # used again
    monkeypatch.setattr(tokenfiles, "ROOM", 3 * max(p.stat().st_size for p in kept()))
    list(numbers(103, []).documents("0"))
    assert [p.stem for p in kept()] == ["count100", "count102", "count103"]


def test_what_a_killed_process_left_is_removed() -> None:
    tokenfiles.folder().mkdir(parents=True)
    (tokenfiles.folder() / ".other.1234").write_bytes(b"half")
    (tokenfiles.folder() / ".alive.1234").write_bytes(b"half")
    with FileLock(tokenfiles.folder() / "alive.lock"):
        list(numbers(50, []).documents("0"))
        assert left() == [".alive.1234"]


def test_what_killed_processes_left_is_removed_before_more_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that is killed again and again never comes to the end of a pass."""
    monkeypatch.setattr(tokenfiles, "BUFFER", 10)
    tokenfiles.folder().mkdir(parents=True)
    (tokenfiles.folder() / ".count2000.1234").write_bytes(b"half")
    found = numbers(2000, []).documents("0")
    list(islice(found, 1000))
    assert [name.split(".")[1] for name in left()] == ["count2000"]
    assert left() != [".count2000.1234"]


def test_a_folder_that_may_not_be_looked_into_ends_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that another user made: the system answers even the question whether a file is there with an error."""

    def refused(path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    expected = list(numbers(50, []).documents("0"))
    monkeypatch.setattr(Path, "is_file", refused)
    assert list(numbers(50, []).documents("0")) == expected


@pytest.mark.parametrize("damage", [lambda whole: whole[:-400], lambda whole: b"none", lambda whole: b""])
def test_a_damaged_file_is_made_anew(damage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenfiles, "BUFFER", 50)
    calls: list[int] = []
    first = list(numbers(100, calls).documents("0"))
    (path,) = kept()
    path.write_bytes(damage(path.read_bytes()))
    assert list(numbers(100, calls).documents("0")) == first
    assert len(calls) == 200
    assert list(numbers(100, calls).documents("0")) == first
    assert len(calls) == 200


def test_a_name_follows_the_content_the_seed_and_the_tokenizer(place: Path, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = load(place)
    first = key_of([str(text)], 0, tokens)()
    tokens("a text", truncation=True, max_length=1)
    assert key_of([str(text)], 0, tokens)() == first
    assert key_of([str(text)], 1, tokens)() != first
    assert key_of([str(text)], 0, load(tiny.tokenizer(tmp_path / "other", merges=5)))() != first
    chat = key_of([str(text)], 0, tokens, chat=True)()
    tokens.chat_template = tiny.TEMPLATE.replace("<|", "|<")
    assert first != chat != key_of([str(text)], 0, tokens, chat=True)()
    assert key_of([str(text)], 0, tokens)() == first
    text.write_text("дом", encoding="utf-8")
    assert key_of([str(text)], 0, tokens)() != first
    demo = key_of(["demo:ru"], 0, tokens)()
    assert demo is not None
    assert demo != key_of(["demo:fa"], 0, tokens)()
    assert key_of(["hf:some/set"], 0, tokens)() is key_of([str(text), "hf:some/set"], 0, tokens)() is key_of([], 0, tokens)() is None
    monkeypatch.setattr(tokenfiles, "LARGEST", 3)
    monkeypatch.setattr(contents, "pointed", lambda *_: pytest.fail("a text too large to be kept was read for its name"))
    assert key_of([str(text)], 0, tokens)() is None


@pytest.mark.parametrize("part", ["corpus/formats.py", "training/conversations.py", "demo/world/facts.py"])
def test_a_name_follows_the_code_that_reads_and_encodes(place: Path, text: Path, part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "workbench"
    for folder in ("corpus", "training", "demo/world"):
        shutil.copytree(refs.demo_folder().parents[1] / folder, package / folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(refs, "demo_folder", lambda: package / "demo" / "models")
    tokens, names = load(place), []
    for _ in range(2):
        caching._code.cache_clear()
        names.append(key_of([str(text)], 0, tokens)())
        (package / part).write_text("another program", encoding="utf-8")
    caching._code.cache_clear()
    assert names[0] != names[1]


def test_a_text_that_is_edited_while_it_is_read_is_not_kept(text: Path, place: Path) -> None:
    tokens = load(place)
    key = key_of([str(text)], 0, tokens)
    found = Encoded(["a", "b"], lambda texts: plain(tokens, texts), False, key).documents("0")
    next(found)
    text.write_text("other", encoding="utf-8")
    assert len(list(found)) == 1
    assert not kept()
    assert not left()


def rows(tmp_path: Path) -> str:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps({"instruction": f"{n}?", "output": line}) for n in range(30) for line in tiny.RUSSIAN), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("stage", ["align", "instruct"])
def test_the_weights_are_the_same_kept_or_not(place: Path, text: Path, tmp_path: Path, stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text of some 150 documents is read more than once in these steps: from its encoder, and then from what the first pass has left."""
    given = {"text": str(text)} if stage == "align" else {"instructions": rows(tmp_path), "block": 48}
    step = (Align if stage == "align" else Instruct)(model=str(place), **QUICK | {"steps": 60, "batch_size": 6} | given)
    with monkeypatch.context() as patched:
        patched.setattr("workbench.contents.size", lambda reference: tokenfiles.LARGEST + 1)
        unkept = wb.run(step)
        assert not kept()
    first = wb.run(step)
    assert len(kept()) == 1
    monkeypatch.setattr("workbench.training.caching.Encoded._first", lambda *_: pytest.fail("encoded again"))
    second = wb.run(step)
    assert len({made.manifest["content_hash"] for made in (unkept, first, second)}) == 1
    assert unkept.metrics["loss"] == first.metrics["loss"] == second.metrics["loss"]


def test_counting_the_blocks_of_a_pass_leaves_what_the_training_reads(place: Path, text: Path) -> None:
    step = Align(model=str(place), text=str(text), **QUICK | {"epochs": 1.0, "steps": 10_000})
    ready = opened(step)
    assert len(kept()) == 1
    fresh = list(islice(reading(step, opened(step))(), 20))
    kept()[0].unlink()
    assert list(islice(reading(step, opened(step))(), 20)) == fresh == list(islice(reading(step, ready)(), 20))


def test_a_training_that_was_cut_off_goes_on_from_what_is_kept(place: Path, text: Path, tmp_path: Path) -> None:
    step = Align(model=str(place), text=str(text), **QUICK | {"steps": 60, "batch_size": 6, "checkpoint_every": 10})

    def cut(event: Event) -> None:
        if event.data.get("step") == 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        wb.run(step, Progress(cut, work=tmp_path / "work"))
    assert len(kept()) == 1, "it was cut off in a later pass"
    again = wb.run(step, Progress(work=tmp_path / "work"))
    kept()[0].unlink()
    assert again.manifest["content_hash"] == wb.run(step).manifest["content_hash"]
