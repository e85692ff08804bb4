"""`fit`: what it changes, what it leaves, how it ends."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from transformers import AutoModelForCausalLM, LlamaForCausalLM

from workbench.errors import RunFailed, WorkbenchError
from workbench.progress import Event, Progress
from workbench.training.data import IGNORE, Block, stream
from workbench.training.fitting import Fit, Settings, fit, frozen_body, rate
from workbench.training.muon import orthogonalise


@pytest.fixture
def model(tmp_path: Path) -> LlamaForCausalLM:
    return AutoModelForCausalLM.from_pretrained(tiny.folder(tmp_path))


def data(seed: int = 0) -> torch.utils.data.IterableDataset:
    def blocks() -> Iterator[Block]:
        rng = random.Random(seed)
        while True:
            start = rng.randrange(100)
            ids = [start + i for i in range(16)]
            yield {"input_ids": ids, "labels": ids, "position_ids": list(range(16))}

    return stream(blocks)


def quick(**values: object) -> Settings:
    return Settings(**{"steps": 6, "batch_size": 4, "learning_rate": 0.01, "warmup_steps": 1, "log_every": 1, "device": "cpu", **values})


def state(model: LlamaForCausalLM) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in model.state_dict().items()}


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_it_learns_and_reports(model: LlamaForCausalLM, optimizer: str) -> None:
    events: list[Event] = []
    done = fit(model, data(), quick(steps=30, optimizer=optimizer), Progress(events.append))
    assert done.ended == "steps"
    assert (done.steps, done.tokens) == (30, 30 * 4 * 16)
    assert done.rows[-1]["loss"] < 0.8 * done.rows[0]["loss"]
    curve = [e.data for e in events if e.kind == "metric"]
    assert curve == done.rows
    assert set(curve[0]) == {"step", "loss", "learning_rate"}


@pytest.mark.parametrize("tied", [False, True])
def test_a_frozen_body_does_not_move(tmp_path: Path, tied: bool) -> None:
    model = frozen_body(AutoModelForCausalLM.from_pretrained(tiny.folder(tmp_path, tied=tied)))
    before = state(model)
    fit(model, data(), quick(weight_decay=0.1))
    moved = {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}
    assert moved == {"model.embed_tokens.weight", "lm_head.weight"}


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    folder = tiny.folder(tmp_path)
    ends = []
    for seed in (1, 1, 2):
        model = AutoModelForCausalLM.from_pretrained(folder)
        fit(model, data(seed), quick(seed=seed))
        ends.append(state(model))
    assert all(torch.equal(ends[0][k], ends[1][k]) for k in ends[0])
    assert not all(torch.equal(ends[0][k], ends[2][k]) for k in ends[0])


def test_global_randomness_and_the_model_s_switches_are_untouched(model: LlamaForCausalLM) -> None:
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    model.eval()
    fit(model, data(), quick(seed=99))
    assert random.getstate() == before[0]
    assert np.random.get_state()[1].tolist() == before[1]
    assert torch.equal(torch.get_rng_state(), before[2])
    assert not model.training
    assert model.config.use_cache


def test_a_second_training_is_like_the_first(model: LlamaForCausalLM) -> None:
    kept = dict(vars(model))
    halves: list[bool] = []
    model.lm_head.register_forward_pre_hook(lambda *_: halves.append(torch.is_autocast_enabled("cpu")))
    for _ in range(2):
        halves.clear()
        fit(model, data(), quick(steps=2, dtype="bf16"))
        assert halves
        assert all(halves)
        assert vars(model).keys() == kept.keys()


def test_a_broken_loss_names_the_step(model: LlamaForCausalLM) -> None:
    with torch.no_grad():
        model.lm_head.weight[5] = float("nan")
    with pytest.raises(RunFailed, match="nan at step 1; lower the learning rate"):
        fit(model, data(), quick())


def test_a_stop_keeps_what_was_learnt(model: LlamaForCausalLM) -> None:
    before, seen = state(model), []
    done = fit(model, data(), quick(steps=1000), Progress(seen.append, lambda: len(seen) > 4))
    assert done.ended == "stop"
    assert 1 < done.steps < 10
    assert not torch.equal(model.lm_head.weight, before["lm_head.weight"])


def test_minutes_end_it_with_a_low_learning_rate(model: LlamaForCausalLM) -> None:
    done = fit(model, data(), quick(steps=10**6, minutes=0.02))
    assert done.ended == "minutes"
    assert done.seconds < 10
    assert done.rows[-1]["learning_rate"] < 0.3 * max(row["learning_rate"] for row in done.rows)


def test_a_hook_sees_the_model_in_evaluation_mode(model: LlamaForCausalLM) -> None:
    seen = []
    fit(model, data(), quick(), every=2, hook=lambda step: seen.append((step, model.training)))
    assert seen == [(2, False), (4, False), (6, False)]


def test_nothing_is_printed(model: LlamaForCausalLM, capsys: pytest.CaptureFixture) -> None:
    fit(model, data(), quick())
    assert capsys.readouterr().out == ""


def test_the_rate_rises_and_falls() -> None:
    warm = quick(warmup_steps=10)
    assert rate(warm, 0, 0.0) == pytest.approx(0.1)
    assert rate(warm, 50, 0.5) == pytest.approx(0.5)
    assert rate(quick(schedule="linear"), 50, 0.75) == pytest.approx(0.25)
    assert rate(quick(schedule="constant"), 50, 0.75) == 1.0


@pytest.mark.parametrize("shape", [(3, 8, 20), (2, 20, 8)])
def test_muon_makes_matrices_orthogonal(shape: tuple[int, int, int]) -> None:
    made = orthogonalise(torch.randn(shape, generator=torch.Generator().manual_seed(0)))
    sizes = torch.linalg.svdvals(made)
    assert made.shape == shape
    assert sizes.min() > 0.5
    assert sizes.max() < 1.3


def test_groups_have_their_own_rates(model: LlamaForCausalLM) -> None:
    before = state(model)
    head = ["lm_head.weight"]
    done = fit(model, data(), quick(schedule="constant", weight_decay=0.0), groups=[(head, 1e-12), (lambda name: "norm" in name, 0.0)])
    moved = {k: float((v - before[k]).abs().max()) for k, v in model.state_dict().items()}
    assert moved["lm_head.weight"] < 1e-8
    assert max(size for name, size in moved.items() if "norm" in name) == 0.0
    assert moved["model.embed_tokens.weight"] > 1e-3
    assert {row["learning_rate"] for row in done.rows} == {0.01}, "the curve shows the rate of all others"


def test_accumulated_batches_are_one_larger_batch(tmp_path: Path) -> None:
    curves = []
    for values in ({"batch_size": 4}, {"batch_size": 1, "accumulate": 4}):
        model = AutoModelForCausalLM.from_pretrained(tiny.folder(tmp_path))
        done = fit(model, data(), quick(**values))
        assert done.tokens == 6 * 4 * 16
        curves.append([row["loss"] for row in done.rows])
    assert curves[0] == pytest.approx(curves[1], rel=1e-4)


def test_data_that_ends_begins_anew(model: LlamaForCausalLM) -> None:
    ids = list(range(16))
    few = stream(lambda: iter([{"input_ids": ids, "labels": ids, "position_ids": ids}] * 5))
    assert fit(model, few, quick(steps=7)).steps == 7
    with pytest.raises(WorkbenchError, match="nothing to train on"):
        fit(model, stream(lambda: iter([])), quick())


def test_a_diverging_loss_is_warned_of(model: LlamaForCausalLM) -> None:
    events: list[Event] = []
    fit(model, data(), quick(steps=40, learning_rate=3.0, schedule="constant", max_grad_norm=0.0), Progress(events.append))
    warnings = [e.message for e in events if e.kind == "warning"]
    assert len(warnings) == 1
    assert "loss has risen from" in warnings[0]


def test_speed_is_of_what_is_trained_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that only the loss, a look and a checkpoint move: 1, 10 and 100 seconds."""
    from workbench.training import reporting, resuming

    clock = [0.0]

    def slow(of: Any, name: str, seconds: float) -> None:
        real = getattr(of, name)

        def wrapped(*given: Any, **named: Any) -> Any:
            clock[0] += seconds
            return real(*given, **named)

        monkeypatch.setattr(of, name, wrapped)

    monkeypatch.setattr(reporting.time, "monotonic", lambda: clock[0])
    slow(reporting.Report, "heed", 1.0)
    slow(resuming, "save_trained", 100.0)
    ids = [5] * 12 + [2] * 4
    half = stream(lambda: iter([{"input_ids": ids, "labels": [5] * 12 + [IGNORE] * 4, "position_ids": [*range(12), *range(4)]}] * 99))
    model = AutoModelForCausalLM.from_pretrained(tiny.folder(tmp_path / "model"))

    def look(step: int) -> None:
        clock[0] += 10

    def run(steps: int, cut: bool = False) -> Fit:
        def hook(step: int) -> None:
            look(step)
            if cut and step == 5:
                raise KeyboardInterrupt

        return fit(model, half, quick(steps=steps, checkpoint_every=2, checkpoint_minutes=0.0), every=1, hook=hook, work=tmp_path / "work")

    with pytest.raises(KeyboardInterrupt):
        run(6, cut=True)
    done = run(6)
    assert done.tokens == 6 * 4 * 16
    assert done.speed == 4 * 12, "a step of four blocks, each with twelve tokens, takes a second"
    assert done.seconds == 6 + 4 * 10 + 100, "of the look and the checkpoint at step 4, that checkpoint does not know"
