"""Several processes train as one would: on other data each, to the same curve."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import tiny

import workbench as wb
from workbench import processes
from workbench.errors import WorkbenchError
from workbench.steps import to_json
from workbench.training import Calibrate
from workbench.training.base import Stage
from workbench.training.conversations import ANSWERS
from workbench.training.stages import Align


def align(tmp_path: Path, **knobs: object) -> Align:
    text = tmp_path / "ru.txt"
    text.write_text("\n".join(f"{line}, {n}" for n in range(60) for line in tiny.RUSSIAN), encoding="utf-8")
    quick = {"steps": 8, "batch_size": 2, "block": 32, "learning_rate": 0.02, "warmup_steps": 1, "eval_every": 4, "eval_documents": 5, "device": "cpu"}
    return Align(model=str(tiny.folder(tmp_path / "model")), text=str(text), **{**quick, "dtype": "fp32", **knobs})


def launch(tmp_path: Path, step: Stage, *options: str) -> subprocess.CompletedProcess[str]:
    """Run as two processes, as the command that we show does."""
    (tmp_path / "job.json").write_text(json.dumps(to_json(step)), encoding="utf-8")
    words = processes.launch_command(str(tmp_path / "job.json"), 2, work=str(tmp_path / "work")).split()
    assert words[0] == "accelerate"
    port = ["--main_process_port", "0"]
    command = [sys.executable, "-m", "accelerate.commands.launch", *words[2:3], *port, *words[3:], *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def launched(tmp_path: Path, step: Stage, *options: str) -> list[str]:
    """The lines of stdout of one that goes well."""
    done = launch(tmp_path, step, *options)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.split("\n")


def test_two_processes_follow_the_curve_of_one_with_twice_the_accumulation(tmp_path: Path) -> None:
    one = wb.run(align(tmp_path, accumulate=2))
    lines = [line for line in launched(tmp_path, align(tmp_path), "--json") if line]
    assert len(lines) == 1, "only the main process writes"
    two = wb.store.open_artefact(json.loads(lines[0])["id"])
    assert len(wb.store.artefacts()) == 2
    assert two.metrics["tokens"] == one.metrics["tokens"] == 8 * 2 * 2 * 32
    assert [row["step"] for row in two.metrics["loss"]] == [row["step"] for row in one.metrics["loss"]]
    for a, b in zip(one.metrics["loss"], two.metrics["loss"], strict=True):
        assert b["loss"] == pytest.approx(a["loss"], rel=1e-4)
    assert two.metrics["bits_per_byte"]["target"]["after"] == pytest.approx(one.metrics["bits_per_byte"]["target"]["after"], rel=1e-4)
    assert not (tmp_path / "work").exists(), "what was kept to go on from is gone once the step has succeeded"


def test_the_command_says_how_many_and_where() -> None:
    one = processes.launch_command("job.json", 1)
    assert one == (
        "accelerate launch --num_processes 1 --num_machines 1 --mixed_precision no --dynamo_backend no -m workbench train --spec job.json --work checkpoints"
    )
    many = processes.launch_command("my job.json", 16, 2, sharded=True)
    assert "--use_fsdp --num_processes 16 --num_machines 2" in many
    assert "--fsdp_version 2" in many
    assert "--machine_rank $HOST_RANK --main_process_ip $FIRST_HOST" in many
    assert "--spec 'my job.json'" in many
    with pytest.raises(WorkbenchError, match="3 processes cannot be spread evenly over 2 hosts"):
        processes.launch_command("job.json", 3, 2)


@pytest.mark.slow
def test_two_processes_learn_answers_that_one_of_them_asked_for(tmp_path: Path) -> None:
    quick = {
        "prompts": ("demo:en",),
        "prompt_limit": 24,
        "copy_tasks": 0,
        "reply_tokens": 16,
        "steps": 2,
        "batch_size": 1,
        "eval_documents": 2,
        "eval_every": 0,
    }
    step = Calibrate(model="demo:en-chat", instruct="demo:en-chat", device="cpu", dtype="fp32", **quick)
    (line,) = (line for line in launched(tmp_path, step, "--json") if line)
    two = wb.store.open_artefact(json.loads(line)["id"])
    one = wb.run(step)
    assert (two.path / ANSWERS).read_bytes() == (one.path / ANSWERS).read_bytes()
    assert two.metrics["answers"] == one.metrics["answers"]
    assert two.metrics["tokens"] == 2 * one.metrics["tokens"]


@pytest.mark.slow
def test_where_no_answer_is_fit_the_processes_that_wait_end_too(tmp_path: Path) -> None:
    step = Calibrate(model="demo:en-chat", instruct="demo:en-chat", prompts=("demo:en",), prompt_limit=4, reply_tokens=1, copy_tasks=0, device="cpu")
    done = launch(tmp_path, step)
    assert done.returncode != 0
    assert "None of 4 answers is fit to learn from" in done.stderr
