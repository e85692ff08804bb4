"""The alignment stage: tables move, the body keeps its bits, the result opens anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
import torch

import workbench as wb
from workbench.checkpoint import Checkpoint
from workbench.errors import WorkbenchError
from workbench.progress import Event, Progress
from workbench.training.stages import Align


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
