"""What a stage is said to take before its model is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny

from workbench.errors import WorkbenchError
from workbench.models import open_model
from workbench.training import Align, Full, Monolingual, foresee
from workbench.training.estimating import of_model

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
