"""Presets: knobs of their stages, values that hold, and specs that mean the same without them."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.__main__ import main
from workbench.specs import command_line, stage_of
from workbench.steps import find, from_flat, from_json, menu, to_json
from workbench.training import cautions
from workbench.training.presets import PRESETS, preset

STAGES = [stage_of(step)[1] for step in menu()["train"]]
NEEDED = {"instruct": {"instructions": ("a.jsonl",)}}


def build(stage: str, **knobs: object) -> object:
    return find("train", stage)(**{"model": "m", "text": "t"} | NEEDED.get(stage, {}) | knobs)


def test_every_stage_has_them() -> None:
    assert set(PRESETS) == set(STAGES)
    assert all(list(each) == ["laptop", "one-gpu", "paper"] for each in PRESETS.values())


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", ["demo", "laptop", "one-gpu", "paper"])
def test_a_preset_is_the_knobs_that_it_sets(stage: str, name: str) -> None:
    step = build(stage, preset=name)
    assert step == build(stage, **preset(stage, name))
    assert from_json(to_json(step)) == step
    words = shlex.split(command_line(step))[2:]
    assert from_flat("train", parsed(words)) == step
    for kind, knob in (("tables", "learning_rate"), (step.kind, "body_learning_rate")):
        if name != "demo" and kind != "tables":
            assert cautions.of_rate(kind, knob, getattr(step, knob), 4096 if name == "paper" else 512) is None


def parsed(words: list[str]) -> dict[str, object]:
    """Flags and their values as the command line reads them."""
    found: dict[str, object] = {}
    for word in words:
        if word.startswith("--"):
            name = word[2:].replace("-", "_")
            found[name] = None
        else:
            found[name] = [word] if name == "instructions" else word
    return found


@given(st.sampled_from(STAGES), st.sampled_from(["laptop", "one-gpu", "paper"]), st.integers(1, 10**6))
def test_what_is_given_goes_before_the_preset(stage: str, name: str, steps: int) -> None:
    step = build(stage, preset=name, steps=steps)
    assert step.steps == steps
    assert step.block == preset(stage, name).get("block", type(step).model_fields["block"].default)
    assert from_json(to_json(step)) == step


def test_the_command_line_knows_presets_and_stages(capsys: pytest.CaptureFixture) -> None:
    assert main(["train", "--stage", "monolingual", "--preset", "papr", "--model", "m", "--text", "t"]) == 2
    assert "preset='papr' is not valid" in capsys.readouterr().err
    assert main(["train", "--stage", "calibrate", "--help"]) == 0
    said = capsys.readouterr().out
    assert "--prompts" in said
    assert "Stages: align, monolingual, instruct, calibrate, full (shown: calibrate)." in said


def test_the_papers_values_are_theirs() -> None:
    align, mono, chat = (build(stage, preset="paper") for stage in ("align", "monolingual", "calibrate"))
    assert (align.batch_size * align.accumulate, align.block, align.warmup_steps, align.weight_decay, align.epochs) == (256, 1024, 100, 0.1, 1)
    assert (mono.lora_rank, mono.lora_alpha, mono.lora_dropout, mono.body_learning_rate, mono.block) == (8, 32, 0.05, 2e-4, 512)
    assert (mono.warmup_steps, mono.weight_decay, mono.lora_targets, mono.lora_layers) == (0.05, 0.01, (), "all")
    assert (chat.lora_rank, chat.lora_alpha, chat.lora_layers, chat.learning_rate, chat.copy_tasks, chat.epochs) == (8, 1, "ends", 2.5e-5, 10_000, 1)


def test_rates_are_judged_by_what_learns_and_by_width() -> None:
    assert cautions.of_rate("tables", "learning_rate", 5e-3, 192) is None
    assert "far above" in cautions.of_rate("tables", "learning_rate", 2e-2, 4096)
    assert "far above" in cautions.of_rate("full", "learning_rate", 5e-3, 4096)
    assert "far below" in cautions.of_rate("lora", "body_learning_rate", 1e-9, 64)


def test_only_the_source_can_be_lost() -> None:
    assert cautions.of_loss("target", 1.0, 2.0) is None
    assert cautions.of_loss("source", 1.0, 1.05) is None
    assert "rose from 1.000 to 1.200" in cautions.of_loss("source", 1.0, 1.2)
    assert "replies" in cautions.of_loss("source_replies", 1.0, 1.2)
