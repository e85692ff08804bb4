"""The alignment stage: tables move, the body keeps its bits, the result opens anywhere."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import tiny
import torch

import workbench as wb
from workbench.checkpoint import Checkpoint
from workbench.errors import WorkbenchError
from workbench.progress import Event, Progress
from workbench.training.choosing import own_tokens
from workbench.training.foreseeing import foresee
from workbench.training.stages import Align, Monolingual


def write(path: Path, lines: list[str], times: int = 40) -> str:
    path.write_text("\n".join(f"{line}, {n}" for n in range(times) for line in lines), encoding="utf-8")
    return str(path)


@pytest.fixture
def texts(tmp_path: Path) -> dict[str, str]:
    return {"text": write(tmp_path / "ru.txt", tiny.RUSSIAN), "source_text": write(tmp_path / "en.txt", tiny.ENGLISH)}


def align(folder: Path, texts: dict[str, str], **knobs: object) -> Align:
    quick = {
        "steps": 12,
        "batch_size": 4,
        "block": 32,
        "learning_rate": 0.02,
        "warmup_steps": 1,
        "eval_every": 6,
        "eval_documents": 5,
        "device": "cpu",
        "dtype": "fp32",
    }
    return Align(model=str(folder), **{**quick, **texts, **knobs})


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    source = Checkpoint.open(folder)
    return {name: source.tensor(name) for name in source.shards}


@pytest.mark.parametrize("kind", [{}, {"tied": True}, {"dtype": "float16", "shards": True}])
def test_only_the_tables_move(tmp_path: Path, texts: dict[str, str], kind: dict) -> None:
    folder = tiny.folder(tmp_path / "model", **kind)
    events: list[Event] = []
    made = wb.run(align(folder, texts), Progress(events.append))
    before, after = tensors(folder), tensors(made.path)
    assert set(before) == set(after)
    assert {n for n in before if not torch.equal(before[n], after[n])} == {n for n in before if n in ("model.embed_tokens.weight", "lm_head.weight")}
    assert all(before[n].dtype == after[n].dtype for n in before)
    assert made.metrics["bits_per_byte"]["target"]["after"] < made.metrics["bits_per_byte"]["target"]["before"]
    assert set(made.metrics["bits_per_byte"]) == {"target", "source"}
    assert made.metrics["tokens"] == 12 * 4 * 32
    assert [e.data["step"] for e in events if e.kind == "sample"] == [6, 12]
    curve = [e.data for e in events if "bits_per_byte_target" in e.data]
    assert [row["step"] for row in curve] == [0, 6, 12]
    assert curve[0]["bits_per_byte_source"] == made.metrics["bits_per_byte"]["source"]["before"]
    assert curve[-1]["bits_per_byte_target"] == made.metrics["bits_per_byte"]["target"]["after"]
    assert wb.tokenizer.load(made.id).get_vocab() == wb.tokenizer.load(folder).get_vocab()


@pytest.mark.parametrize("tied", [False, True])
def test_only_new_rows_move_if_asked(tmp_path: Path, texts: dict[str, str], tied: bool) -> None:
    folder = tiny.folder(tmp_path / "model", tied=tied)
    bigger = tiny.tokenizer(tmp_path / "bigger", merges=90, texts=tiny.ENGLISH + tiny.RUSSIAN)
    carried = wb.run(wb.transfer.Transfer(model=str(folder), tokenizer=str(bigger)))
    step = align(carried.path, texts, rows="new")
    made = wb.run(Align(**step.model_dump() | {"model": carried.id}))
    before, after = Checkpoint.open(carried.path), Checkpoint.open(made.path)
    new = wb.training.stages.new_rows(carried.id)
    assert made.metrics["rows_trained"] == len(new) == carried.metrics["new"]
    for old, now in ((before.input(), after.input()), (before.output(), after.output())):
        moved = [i for i in range(len(old)) if not torch.equal(old[i], now[i])]
        assert moved
        assert set(moved) <= set(new)
    assert wb.training.stages.new_rows(made.id) == new
    with pytest.raises(WorkbenchError, match="was not made by a transfer"):
        wb.training.stages.new_rows(str(folder))


def test_target_rows_leave_what_both_languages_use(tmp_path: Path, texts: dict[str, str]) -> None:
    folder = tiny.folder(tmp_path / "model")
    bigger = tiny.tokenizer(tmp_path / "bigger", merges=90, texts=tiny.ENGLISH + tiny.RUSSIAN)
    carried = wb.run(wb.transfer.Transfer(model=str(folder), tokenizer=str(bigger)))
    lines = [*tiny.RUSSIAN, "съешь же ещё этих мягких булок"]  # letters that the new tokenizer has no token for
    write(Path(texts["text"]), lines)
    made = wb.run(Align(**align(folder, texts, rows="target").model_dump() | {"model": carried.id}))
    tokens, new = wb.tokenizer.load(carried.id), set(wb.training.stages.new_rows(carried.id))
    russian, english = ({i for n in range(40) for line in each for i in tokens(f"{line}, {n}")["input_ids"]} for each in (lines, tiny.ENGLISH))
    assert russian - english - new, "old rows of the new language's own"
    assert russian & english, "and some of both"
    before, after = Checkpoint.open(carried.path), Checkpoint.open(made.path)
    for old, now in ((before.input(), after.input()), (before.output(), after.output())):
        moved = {i for i in range(len(old)) if not torch.equal(old[i], now[i])}
        assert moved - new, "old rows learn, too"
        assert moved <= (russian - english) | new
        assert not moved & (english - new)
    assert made.metrics["rows_trained"] == len((russian - english) | new)


def test_target_rows_are_told_by_how_often_each_language_uses_them(tmp_path: Path) -> None:
    tiny.tokenizer(tmp_path / "tokenizer")
    target, source = ["ж" * 50 + "z"], ["z" * 50 + "ж"]
    tokens = wb.tokenizer.load(tmp_path / "tokenizer")
    ids = {letter: set(tokens(letter, add_special_tokens=False)["input_ids"]) for letter in "жz"}
    found = own_tokens(tokens, target, source)
    assert ids["ж"] <= found
    assert not ids["z"] & found
    assert own_tokens(tokens, source, target) >= ids["z"]
    assert own_tokens(tokens, target, target) == set()
    assert own_tokens(tokens, target, []) == set(tokens(target[0], add_special_tokens=False)["input_ids"])


def test_target_rows_of_pairs_and_of_a_model_that_no_transfer_made(tmp_path: Path) -> None:
    folder = tiny.folder(tmp_path / "model")
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("en\tru\n" + "".join(f"{a} {n}\t{b} {n}\n" for n in range(30) for a, b in zip(tiny.ENGLISH, tiny.RUSSIAN, strict=False)), encoding="utf-8")
    step, tokens = align(folder, {}, pairs=str(pairs), rows="target"), wb.tokenizer.load(folder)
    rows = step.trained_rows()
    english = {i for line in tiny.ENGLISH for i in tokens(f"{line} 12")["input_ids"]}
    assert rows
    assert not english & set(rows)
    assert set(rows) <= {i for line in tiny.RUSSIAN for i in tokens(f"{line} 12")["input_ids"]}
    assert foresee(align(folder, {}, pairs=str(pairs), rows="target")).optimizer > foresee(step).optimizer, "before the texts are read, the most it can be"
    assert wb.run(step).metrics["rows_trained"] == len(rows)


@pytest.mark.parametrize(("given", "said"), [({"text"}, "give --source-text, or use --rows all"), ({"source_text"}, "give --text, or use --rows all")])
def test_target_rows_need_both_languages(tmp_path: Path, texts: dict[str, str], given: set[str], said: str) -> None:
    folder = tiny.folder(tmp_path / "model")
    with pytest.raises(WorkbenchError, match=said):
        wb.run(align(folder, {name: texts[name] for name in given}, rows="target"))


def test_target_rows_that_cannot_be_told_are_refused(tmp_path: Path, texts: dict[str, str]) -> None:
    folder = tiny.folder(tmp_path / "model")
    with pytest.raises(WorkbenchError, match="has no new rows; use --rows all"):
        wb.run(align(folder, {"text": texts["text"], "source_text": texts["text"]}, rows="target"))
    bigger = tiny.tokenizer(tmp_path / "bigger", merges=90, texts=tiny.ENGLISH + tiny.RUSSIAN)
    carried = wb.run(wb.transfer.Transfer(model=str(folder), tokenizer=str(bigger)))
    shutil.copytree(carried.path, tmp_path / "copy")
    whole = align(Path(carried.id), texts, rows="target").model_dump() | {"model": carried.id}
    assert Align(**whole | {"model": str(tmp_path / "copy")}).trained_rows() == Align(**whole).trained_rows()
    (tmp_path / "copy" / "manifest.json").unlink()
    for rows in ("target", "new"):  # where the new rows are not known any more, they are not just left out
        with pytest.raises(WorkbenchError, match="is a copy of a transferred model; give the id of the original"):
            wb.run(align(tmp_path / "copy", texts, rows=rows))


def test_target_rows_behind_lep_and_with_adapters(tmp_path: Path, texts: dict[str, str]) -> None:
    folder = tiny.folder(tmp_path / "model")
    bigger = tiny.tokenizer(tmp_path / "bigger", merges=90, texts=tiny.ENGLISH + tiny.RUSSIAN)
    carried = wb.run(wb.transfer.Transfer(model=str(folder), tokenizer=str(bigger)))
    lep = wb.run(wb.transfer.Lep(base=str(folder), adapted=carried.id, instruct=str(folder), variant="swap"))
    knobs = align(folder, texts, rows="target").model_dump(exclude={"stage"}) | {"model": lep.id}
    step = Monolingual(**knobs, lora_rank=2, body_learning_rate=1e-3)
    made, before = wb.run(step), Checkpoint.open(lep.path)
    after = Checkpoint.open(made.path)
    moved = {i for i in range(before.shape[0]) if not torch.equal(before.input()[i], after.input()[i])}
    assert moved
    assert moved <= set(step.trained_rows()) < set(range(before.shape[0]))
    assert set(wb.training.stages.new_rows(carried.id)) <= set(step.trained_rows())


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, texts: dict[str, str]) -> None:
    folder = tiny.folder(tmp_path / "model")
    hashes = [wb.run(align(folder, texts, seed=seed, eval_every=0)).manifest["content_hash"] for seed in (3, 3, 4)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_stop_keeps_the_result(tmp_path: Path, texts: dict[str, str]) -> None:
    folder, out, seen = tiny.folder(tmp_path / "model"), tmp_path / "out", []
    out.mkdir()
    metrics = align(folder, texts, steps=10_000).run(out, Progress(seen.append, lambda: sum("loss" in e.data for e in seen) > 1))
    assert metrics["ended"] == "stop"
    assert metrics["bits_per_byte"]["target"]["after"] is None
    assert Checkpoint.open(out).shape == Checkpoint.open(folder).shape


def test_a_text_that_is_too_short_is_named(tmp_path: Path, texts: dict[str, str]) -> None:
    folder = tiny.folder(tmp_path / "model")
    short = tmp_path / "short.txt"
    short.write_text("медведь\nлиса\n", encoding="utf-8")
    with pytest.raises(WorkbenchError, match="tokens to train on, less than one block of 64; give more text or a smaller block"):
        wb.run(align(folder, {**texts, "text": str(short)}, block=64))
    short.write_text("медведь живёт в лесу\n", encoding="utf-8")
    with pytest.raises(WorkbenchError, match="no held-out documents"):
        wb.run(align(folder, {**texts, "text": str(short)}, block=8))


def test_a_block_that_the_model_cannot_read_is_refused(tmp_path: Path, texts: dict[str, str]) -> None:
    with pytest.raises(WorkbenchError, match="more than the 64 tokens that this model can read at once; use --block 64"):
        wb.run(align(tiny.folder(tmp_path / "model"), texts, block=65))
