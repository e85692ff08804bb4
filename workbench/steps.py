"""The steps that there are, in the order of the story: the menu of the command line, the app and the recipes."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

from .errors import WorkbenchError, nearest
from .specs import Step, build, stage_of

STEPS = (
    "corpus.steps:Corpus",
    "tokenizer.steps:Extend",
    "tokenizer.steps:Optimize",
    "tokenizer.steps:Train",
    "fertility.steps:Fertility",
    "fertility.sweeping:Sweep",
    "transfer.steps:Transfer",
    "transfer.steps:Preview",
    "transfer.steps:Explain",
    "transfer.lep:Lep",
    "transfer.compatibility:LepCheck",
    "spaces.steps:Measure",
    "spaces.steps:Project",
    "spaces.steps:Neighbours",
    "training.stages:Align",
    "training.stages:Monolingual",
    "training.instruct:Instruct",
    "training.calibrate:Calibrate",
    "training.stages:Full",
    "training.seeing:PreviewAlign",
    "training.seeing:PreviewMonolingual",
    "training.seeing:PreviewInstruct",
    "training.seeing:PreviewCalibrate",
    "training.seeing:PreviewFull",
    "chat.steps:Chat",
    "chat.steps:Batch",
    "chat.steps:Export",
    "chat.steps:Votes",
    "evaluation.steps:Evaluate",
    "evaluation.steps:Race",
    "recipes.run:Recipe",
    "artefacts:Artefacts",
    "artefacts:Import",
    "artefacts:Export",
    "jobs:Jobs",
    "demo.build:Build",
    "demo.check:Check",
    "ui.step:App",
)


@cache
def menu() -> dict[str, tuple[type[Step], ...]]:
    """Command → its step classes: one, or several told apart by `--stage`."""
    found: dict[str, tuple[type[Step], ...]] = {}
    for place in STEPS:
        module, name = place.split(":")
        step = getattr(importlib.import_module(f"workbench.{module}"), name)
        found[step.command] = (*found.get(step.command, ()), step)
    return found


def find(command: str, stage: str | None = None) -> type[Step]:
    """The step class of a command. Raises WorkbenchError that names close ones."""
    if command not in menu():
        raise WorkbenchError(f"There is no step '{command}'.{nearest(command, menu())}")
    classes = menu()[command]
    if len(classes) == 1 and stage_of(classes[0]) is None:
        return classes[0]
    stages = {stage_of(c)[1]: c for c in classes}
    if stage is None:
        return classes[0]
    if not isinstance(stage, str) or stage not in stages:
        raise WorkbenchError(f"{command} has no stage '{stage}'.{nearest(str(stage), stages)}")
    return stages[stage]


def to_json(step: Step) -> dict[str, Any]:
    """The step as JSON: its command and the knobs that were given or differ from their defaults."""
    return {"step": step.command} | step.model_dump(mode="json")


def from_json(spec: dict[str, Any]) -> Step:
    """The step of a job's or manifest's JSON. Raises WorkbenchError on an unknown step or knob."""
    values = dict(spec)
    model = find(values.pop("step", ""), values.get("stage"))
    return model(**values)


def from_flat(command: str, values: dict[str, Any]) -> Step:
    """A step from flat knob values, as flags, forms and recipes give them."""
    return build(find(command, values.get("stage")), values)
