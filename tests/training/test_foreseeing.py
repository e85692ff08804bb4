"""What a stage is said to take before its model is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny

from workbench.__main__ import main
from workbench.errors import WorkbenchError
from workbench.models import open_model
from workbench.training import Align, Calibrate, Full, Monolingual, foresee
from workbench.training.estimating import Shape, UnknownShape, of_model, spoken_size
from workbench.training.foreseeing import outlook

STAGES = {
    "align": (Align, {}), "monolingual": (Monolingual, {}), "few targets": (Monolingual, {"lora_targets": ["q_proj"], "lora_rank": 2}),
    "ends": (Monolingual, {"lora_layers": "ends"}), "full": (Full, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", STAGES)
def test_what_is_foreseen_from_the_config_is_what_the_loaded_model_gives(tmp_path: Path, name: str) -> None:
    kind, knobs = STAGES[name]
    stage = kind(model=str(tiny.folder(tmp_path / "base")), text="demo:ru", block=16, batch_size=2, device="cpu", dtype="fp32", **knobs)
    made = foresee(stage)
    learner = stage.learner(open_model(stage.model, "cpu", "fp32")[0])
    loaded = of_model(learner.model, stage.settings(), [{"input_ids": [0] * 16}])
    given, true = ((each.weights, each.gradients, each.optimizer, each.tokens) for each in (made, loaded))
    assert given == pytest.approx(true, rel=0.003)  # the formula leaves out the last norm


def test_passes_and_minutes_shorten_it(tmp_path: Path) -> None:
    base = str(tiny.folder(tmp_path / "base"))
    stage = Align(model=base, text="demo:ru", block=16, device="cpu", dtype="fp32", steps=100)
    assert foresee(stage, 10).tokens * 10 == foresee(stage).tokens
    assert foresee(stage.model_copy(update={"minutes": 1e-9})).seconds == pytest.approx(6e-8)


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match="nowhere"):
        foresee(Align(model=str(tmp_path / "nowhere"), text="demo:ru"))


def test_asking_another_model_is_in_the_time() -> None:
    given = {"model": "demo:en-chat", "instruct": "demo:en-chat", "prompts": ("demo:en",), "device": "cpu", "dtype": "fp32"}
    few, many, none = (foresee(Calibrate(**given, **more)) for more in ({"prompt_limit": 160}, {"prompt_limit": 1600}, {"prompt_limit": 1600, "answers": "a"}))
    assert few.asking > 0
    assert many.asking == pytest.approx(10 * few.asking)
    assert many.seconds - many.asking == pytest.approx(none.seconds)
    assert none.asking == foresee(Align(model="demo:en-chat", text="demo:ru", device="cpu")).asking == 0.0


def test_a_preview_prints_time_memory_and_disk(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    place = tiny.folder(tmp_path / "base")
    text = tmp_path / "ru.txt"
    text.write_text("\n".join(f"{line}, {n}" for n in range(40) for line in tiny.RUSSIAN), encoding="utf-8")
    words = ["train", "preview", str(place), str(text), "--block", "32", "--steps", "50", "--device", "cpu", "--dtype", "fp32"]
    assert main(words) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("estimate"))
    found = foresee(Align(model=str(place), text=str(text), block=32, steps=50, device="cpu", dtype="fp32"))
    assert line.startswith("estimate: on cpu, time ")
    assert f"memory {spoken_size(found.peak)}" in line
    weights = sum(p.stat().st_size for p in place.glob("*.safetensors"))
    assert f"disk {spoken_size(weights)}, and {spoken_size(2 * 3 * found.gradients)} for checkpoints" in line


def test_a_preview_of_what_cannot_fit_says_so_and_is_shown_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Align(model=str(tiny.folder(tmp_path / "base")), text="demo:ru", block=16, device="cpu", dtype="fp32")
    assert outlook(stage)[1] == []
    monkeypatch.setattr("workbench.devices.free_memory", lambda device: 1)
    estimate, said = outlook(stage)
    assert estimate["free"] == "0 MiB"
    assert "more memory" in said[0]


def test_a_model_of_unknown_shape_has_no_estimate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(config: object) -> Shape:
        raise UnknownShape("The sizes of a model of type 'odd' are not understood; its config names no width, layers and heads.")

    monkeypatch.setattr(Shape, "of", unknown)
    estimate, said = outlook(Align(model=str(tiny.folder(tmp_path / "base")), text="demo:ru", block=16))
    assert estimate == {}
    assert said[0].startswith("There is no estimate: The sizes of a model of type 'odd'")
