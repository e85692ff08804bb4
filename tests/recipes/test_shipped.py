"""The recipes that come with the workbench: at demo scale as they are, shortened; at the others over stand-ins for what the hub has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import stand_ins

import workbench as wb
from workbench.recipes import Recipe, load, names, read
from workbench.recipes.building import check
from workbench.recipes.reading import scales

LANGUAGE = {"lep": "ru", "salt": "ru", "persian": "fa"}
# What stages and measures are shortened to; no knob but those of size.
SHORT = {
    "train": {"steps": 2, "batch_size": 2, "accumulate": 1, "block": 192, "eval_every": 0, "eval_documents": 2, "minutes": 0},
    "evaluate": {"documents": 3, "context": 64}, "corpus": {"limit": 200}, "race": {"steps": [0, 1], "seeds": 1, "documents": 2, "batch_size": 2, "block": 64},
    "fertility": {"limit": 20}, "tokenizer.extend": {"new_tokens": 40},
}  # fmt: skip
SHORT_STAGES = {"calibrate": {"prompt_limit": 6, "copy_tasks": 4, "reply_tokens": 24}}


def shortened(name: str, scale: str) -> list[str]:
    changes = []
    for entry in read(name, scale).entries.values():
        knobs = SHORT.get(entry.command, {}) | SHORT_STAGES.get(entry.knobs.get("stage", ""), {})
        knobs |= {"copies": 1} if "copies" in entry.knobs else {}
        changes += [f"{entry.name}.{knob}={value}" for knob, value in knobs.items()]
    return changes


def local(name: str, scale: str, place: Path) -> list[str]:
    """The recipe's values, pointed at stand-ins."""
    target, changes = LANGUAGE[name], []
    for value, columns in load(name)["values"].items():
        hub = columns[scale]
        if isinstance(hub, str) and hub in stand_ins.MODELS:
            # A donor shares tokens with its source: German and English by their letters, these two only because the source has seen both.
            languages = (target,) if value == "donor" else ("en", target) if name == "salt" else ("en",)
            changes.append(f"{value}={stand_ins.model(hub, place / value, languages)}")
        elif value in ("text", "source"):
            changes.append(f"{value}={stand_ins.text(place / f'{value}.txt', target if value == 'text' else 'en')}")
        elif value == "pairs":
            changes.append(f"pairs={stand_ins.pairs(place / 'pairs.tsv', target)}")
        elif value in ("prompts", "instructions", "source_instructions"):
            changes.append(f"{value}=[{stand_ins.instructions(place / f'{value}.jsonl', 'en' if 'source' in value else target)}]")
        else:
            assert value == "size", f"no stand-in for {value}"
    if name == "lep":  # a model that has learnt nothing never ends an answer, so none could be kept
        changes += [f"calibrated.answers={stand_ins.instructions(place / 'answers.jsonl', target)}", "calibrated.prompts=[]"]
    return changes


def ran(name: str, scale: str, changes: list[str]) -> dict[str, Any]:
    """Run it, see that it is whole, and that a second run does nothing."""
    step = Recipe(recipe=name, scale=scale, set=changes)
    found = wb.run(step).metrics
    entries = read(name, scale).entries
    assert set(found["made"]) == {each for each, built in check(read(name, scale, changes)).items() if built.makes}
    wanted = [tabled for each in read(name, scale).table for tabled in entries[each].knobs["models"]]
    assert len(found["rows"]) == len(set(wanted))
    assert not [row for row in found["rows"] if "/" in row["model"]]  # every model has the recipe's own name
    for row in found["rows"]:
        assert {"bits_per_byte target", "bits_per_byte source"} <= set(row)
        assert all(value is not None for value in row.values())
    assert wb.run(step).metrics["kept"] == list(entries)
    return found


@pytest.mark.parametrize("name", LANGUAGE)
@pytest.mark.parametrize("scale", ["paper", pytest.param("small", marks=pytest.mark.slow)])
def test_a_recipe_runs_over_stand_ins_of_its_models(name: str, scale: str, tmp_path: Path) -> None:
    found = ran(name, scale, [*shortened(name, scale), *local(name, scale, tmp_path)])
    for id in found["made"].values():
        made = wb.open_artefact(id)
        if made.kind == "model":
            from workbench.checkpoint import Checkpoint

            tied = stand_ins.MODELS[next(iter(load(name)["values"].values()))[scale]][2]
            assert Checkpoint.open(made.path).tied == tied


@pytest.mark.parametrize("name", LANGUAGE)
def test_a_recipe_runs_at_demo_scale(name: str) -> None:
    found = ran(name, "demo", shortened(name, "demo"))
    measures = {key for row in found["rows"] for key in row if key != "model"}
    assert {"choice target", "choice source"} <= measures
    tokenizer, text = found["made"].get("tokenizer", "demo:ru-plm"), found["made"]["target_text"]
    counted = wb.run(wb.fertility.Fertility(tokenizers=[tokenizer], text=[text], limit=20)).metrics["rows"][0]
    assert found["tokens_per_word"]["after"] == pytest.approx(counted["tokens_per_word"])  # of this tokenizer on this text, not of another row
    if name != "salt":
        assert {f"{measure} {side}" for measure in ("exact_match", "copy_sentences", "copy_characters") for side in ("target", "source")} <= measures


@pytest.mark.parametrize(("name", "scale"), [(name, scale) for name in names() for scale in scales(load(name)) or [""]])
def test_every_step_of_a_shipped_recipe_can_be_built(name: str, scale: str) -> None:
    journey = read(name, scale)
    assert list(check(journey)) == list(journey.entries)
    assert load(name)["title"]


def test_the_papers_scales_are_as_the_papers_state() -> None:
    lep, persian = (check(read(name, "paper")) for name in ("lep", "persian"))
    adapted, calibrated, monolingual, instructed = lep["adapted"], lep["calibrated"], persian["monolingual"], persian["instructed"]
    assert (adapted.batch_size * adapted.accumulate, adapted.block, adapted.learning_rate, adapted.weight_decay) == (256, 1024, 2e-4, 0.1)
    assert (adapted.warmup_steps, adapted.epochs) == (100, 1)
    assert 128_256 + lep["tokenizer"].new_tokens == 174_816
    assert (calibrated.lora_rank, calibrated.lora_alpha, calibrated.lora_layers, calibrated.learning_rate, calibrated.epochs) == (8, 1, "ends", 2.5e-5, 1)
    assert calibrated.copy_tasks == 10_000
    assert 32_000 + persian["tokenizer"].new_tokens == 49_816
    assert (monolingual.lora_rank, monolingual.lora_alpha, monolingual.lora_dropout, monolingual.body_learning_rate) == (8, 32, 0.05, 2e-4)
    assert (monolingual.block, monolingual.weight_decay, monolingual.warmup_steps) == (512, 0.01, 0.05)
    assert (instructed.learning_rate, instructed.warmup_steps) == (1e-4, 0.03)
