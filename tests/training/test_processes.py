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
from workbench.training.stages import Align


def align(tmp_path: Path, **knobs: object) -> Align:
    text = tmp_path / "ru.txt"
    text.write_text("\n".join(f"{line}, {n}" for n in range(60) for line in tiny.RUSSIAN), encoding="utf-8")
    quick = {"steps": 8, "batch_size": 2, "block": 32, "learning_rate": 0.02, "warmup_steps": 1, "eval_every": 4, "eval_documents": 5, "device": "cpu"}
    return Align(model=str(tiny.folder(tmp_path / "model")), text=str(text), **{**quick, "dtype": "fp32", **knobs})


def launched(tmp_path: Path, step: Align, *options: str) -> list[str]:
    """Run as two processes, as the command that we show does; the lines of stdout."""
    (tmp_path / "job.json").write_text(json.dumps(to_json(step)), encoding="utf-8")
    words = processes.launch_command(str(tmp_path / "job.json"), 2, work=str(tmp_path / "work")).split()
    assert words[0] == "accelerate"
    port = ["--main_process_port", "0"]
    done = subprocess.run([sys.executable, "-m", "accelerate.commands.launch", *words[2:3], *port, *words[3:], *options], capture_output=True, text=True)
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
