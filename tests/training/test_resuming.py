"""A training that was cut off goes on as if it had not been: same data, same optimizer, same random numbers, same bits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from trained import counting, fresh, quick, same, state

from workbench.errors import RunFailed, WorkbenchError
from workbench.progress import Event, Progress
from workbench.training import resuming
from workbench.training.fitting import Fit, fit, frozen_body


class Cut(BaseException):
    """What a kill looks like from within: nothing is tidied up by anyone who catches errors."""


def cut_at(step: int) -> object:
    def hook(now: int) -> None:
        if now == step:
            raise Cut

    return hook


def trained(folder: Path, work: Path | None = None, lora: bool = False, cut: int = 0, hook: object = None, **values: object) -> tuple[dict, Fit | None]:
    model = fresh(folder, lora)
    settings = quick(steps=9, checkpoint_every=2, **values)
    if not cut:
        return (done := fit(model, counting(), settings, work=work, every=1, hook=hook)) and (state(model), done)
    with pytest.raises(Cut):
        fit(model, counting(), settings, work=work, every=1, hook=cut_at(cut))
    return state(model), None


@pytest.mark.parametrize(
    ("cut", "lora", "values"),
    [(1, False, {}), (5, False, {}), (6, True, {}), (9, True, {"accumulate": 2}), (5, False, {"optimizer": "muon"}), (3, False, {"weight_decay": 0.1})],
)
def test_the_end_is_the_same_to_the_bit(tmp_path: Path, cut: int, lora: bool, values: dict) -> None:
    whole, done = trained(tmp_path / "model", None, lora, **values)
    trained(tmp_path / "model", tmp_path / "work", lora, cut, **values)
    kept = resuming.last(tmp_path / "work")
    assert (resuming.record(kept)["step"] if kept else 0) == (cut - 1) // 2 * 2, "no more is lost than the steps since the last checkpoint"
    parts, again = trained(tmp_path / "model", tmp_path / "work", lora, **values)
    assert same(whole, parts)
    assert (again.steps, again.tokens, again.rows) == (done.steps, done.tokens, done.rows)


def test_a_stop_keeps_a_checkpoint_from_which_it_goes_on(tmp_path: Path) -> None:
    whole, _ = trained(tmp_path / "model")
    seen: list[Event] = []
    model = fresh(tmp_path / "model")
    settings = quick(steps=9)
    first = fit(model, counting(), settings, Progress(seen.append, lambda: len(seen) > 6), work=tmp_path / "work")
    assert first.ended == "stop"
    assert resuming.record(resuming.last(tmp_path / "work"))["step"] == first.steps < 9
    model, notes = fresh(tmp_path / "model"), []
    assert fit(model, counting(), settings, Progress(notes.append), work=tmp_path / "work").ended == "steps"
    assert same(whole, state(model))
    assert [e.message for e in notes if e.kind == "note"] == [f"Going on from step {first.steps}, in fp32."]


def test_one_that_was_killed_after_its_last_step_is_not_trained_further(tmp_path: Path) -> None:
    model = fresh(tmp_path / "model")
    fit(model, counting(), quick(steps=4, checkpoint_every=2), work=tmp_path / "work")
    again = fresh(tmp_path / "model")
    done = fit(again, counting(), quick(steps=4, checkpoint_every=2), work=tmp_path / "work")
    assert done.steps == 4
    assert same(state(model), state(again))


def test_time_spent_before_counts(tmp_path: Path) -> None:
    values = {"steps": 10**6, "minutes": 0.05, "checkpoint_minutes": 0.005}
    with pytest.raises(Cut):
        fit(fresh(tmp_path / "model"), counting(), quick(**values), work=tmp_path / "work", every=1, hook=cut_when(lambda: resuming.last(tmp_path / "work")))
    spent = resuming.record(resuming.last(tmp_path / "work"))["seconds"]
    assert spent > 0
    again = fit(fresh(tmp_path / "model"), counting(), quick(**values), work=tmp_path / "work")
    assert again.ended == "minutes"
    assert again.seconds >= 3 > spent


def cut_when(there: object) -> object:
    def hook(step: int) -> None:
        if there():
            raise Cut

    return hook


@pytest.mark.parametrize("broken", ["torch.save", "safetensors.torch.save_file"])
def test_a_full_disk_keeps_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    whole, _ = trained(tmp_path / "model")
    work = tmp_path / "work"

    def full(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28))

    def fill(step: int) -> None:
        if step == 3:
            monkeypatch.setattr(broken, full)

    with pytest.raises(RunFailed, match=r"full at step 4; the checkpoint of step 2 stays: free \d+ MiB and resume"):
        trained(tmp_path / "model", work, hook=fill)
    assert sorted(p.name for p in work.iterdir()) == ["checkpoint-2"]
    monkeypatch.undo()
    assert same(whole, trained(tmp_path / "model", work)[0])


def test_what_was_not_written_to_the_end_is_no_checkpoint(tmp_path: Path) -> None:
    work = tmp_path / "work"
    trained(tmp_path / "model", work, cut=3)
    kept = resuming.last(work)
    (work / "checkpoint-8").mkdir()
    (work / resuming.WRITING / "checkpoint-8").mkdir(parents=True)
    assert resuming.last(work) == kept
    whole, _ = trained(tmp_path / "model")
    assert same(whole, trained(tmp_path / "model", work)[0])
    assert sorted(p.name for p in work.iterdir()) == ["checkpoint-8"], "only the last one stays"


def test_other_settings_are_refused_and_shown(tmp_path: Path) -> None:
    trained(tmp_path / "model", tmp_path / "work", cut=3)
    with pytest.raises(WorkbenchError, match=r"step 2 was made with other settings \(learning_rate was 0.01, is 0.02; seed was 0, is 7\)"):
        trained(tmp_path / "model", tmp_path / "work", learning_rate=0.02, seed=7)
    trained(tmp_path / "model", tmp_path / "work", log_every=3)


def test_what_began_in_one_number_format_goes_on_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe of a processor that others keep busy may come out otherwise the next time."""
    monkeypatch.setattr("workbench.training.probing.bf16_pays", lambda: True)
    whole, _ = trained(tmp_path / "model", dtype="auto")
    trained(tmp_path / "model", tmp_path / "work", cut=5, dtype="auto")
    monkeypatch.setattr("workbench.training.probing.bf16_pays", lambda: False)
    fp32, _ = trained(tmp_path / "model", dtype="auto")
    parts, _ = trained(tmp_path / "model", tmp_path / "work", dtype="auto")
    assert resuming.record(resuming.last(tmp_path / "work"))["settings"]["dtype"] == "bf16"
    apart = {name: (whole[name] - parts[name]).abs().max() for name in whole}
    assert sum(apart.values()) < sum((whole[name] - fp32[name]).abs().max() for name in whole) / 2


def test_another_model_is_refused(tmp_path: Path) -> None:
    trained(tmp_path / "model", tmp_path / "work", cut=3)
    with pytest.raises(RunFailed, match="of another model or of other trained parts"):
        trained(tmp_path / "model", tmp_path / "work", lora=True)


def test_a_checkpoint_holds_what_is_trained_and_no_frozen_body(tmp_path: Path) -> None:
    model = frozen_body(fresh(tmp_path / "model", tied=True))
    fit(model, counting(), quick(checkpoint_every=2), work=tmp_path / "work")
    kept = resuming.last(tmp_path / "work")
    assert set(load_file(kept / resuming.TRAINED)) == {"model.embed_tokens.weight"}
    states = torch.load(kept / "optimizer.pt", weights_only=True)["state"]
    assert [tuple(s["exp_avg"].shape) for s in states.values()] == [tuple(model.model.embed_tokens.weight.shape)]


def test_a_broken_loss_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    model = fresh(tmp_path / "model")

    def poison(step: int) -> None:
        if step == 3:
            with torch.no_grad():
                model.model.norm.weight[0] = float("nan")

    with pytest.raises(RunFailed, match=r"nan at step 4; .* The checkpoint of step 2 stays"):
        fit(model, counting(), quick(checkpoint_every=2), work=tmp_path / "work", every=1, hook=poison)
    assert all(t.isfinite().all() for t in load_file(resuming.last(tmp_path / "work") / resuming.TRAINED).values())


def test_weights_that_broke_are_never_kept(tmp_path: Path) -> None:
    model = fresh(tmp_path / "model")

    def poison(step: int) -> None:
        if step == 4:
            with torch.no_grad():
                model.model.norm.weight[0] = float("inf")

    with pytest.raises(RunFailed, match=r"Weights became NaN or infinite at step 4; .* The checkpoint of step 2 stays"):
        fit(model, counting(), quick(checkpoint_every=2), work=tmp_path / "work", every=1, hook=poison)
