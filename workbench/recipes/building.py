"""From a recipe's entries to steps; everything that can be wrong with them is found before the first one runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import refs, store
from ..errors import WorkbenchError, nearest
from ..specs import Knob, Step, knobs
from ..steps import find, from_flat
from .reading import Entry, Journey

FITS = {"model": ("model",), "tokenizer": ("tokenizer", "model"), "text": ("corpus",), "pairs": ("corpus",)}  # a knob's reference → kinds of artefact


def step_of(entry: Entry, made: Mapping[str, str]) -> Step:
    """The entry as a step, every `$name` in it replaced by the id of what that step made."""

    def put(value: Any) -> Any:
        if isinstance(value, list):
            return [put(each) for each in value]
        return made[value[1:]] if isinstance(value, str) and value.startswith("$") else value

    try:
        return from_flat(entry.command, {knob: put(value) for knob, value in entry.knobs.items()})
    except WorkbenchError as error:
        raise WorkbenchError(f"The recipe's step {entry.name} cannot be: {error}") from None


def check(journey: Journey) -> dict[str, Step]:
    """Every step of the recipe, with stand-ins for what the earlier ones will make.

    Raises WorkbenchError on the first unknown step or knob, value out of bounds, reference to nothing, or result of the wrong kind. No network is asked.
    """
    found: dict[str, Step] = {}
    stand_ins: dict[str, str] = {}
    for entry in journey.entries.values():
        given = {k.name: k for k in knobs(find(entry.command, entry.knobs.get("stage"))) if k.ref}
        for name, value in entry.knobs.items():
            for each in value if isinstance(value, list) else [value]:
                if name in given and isinstance(each, str):
                    _check_reference(entry, given[name], each, found)
        step = found[entry.name] = step_of(entry, stand_ins)
        stand_ins[entry.name] = f"{step.makes or 'report'}-00000000"
    _check_report(journey.report, found)
    return found


def _check_reference(entry: Entry, knob: Knob, value: str, earlier: Mapping[str, Step]) -> None:
    if value.startswith("$"):
        kind = earlier[value[1:]].makes
        if not kind or (knob.ref in FITS and kind not in FITS[knob.ref]):
            made = f"makes a {kind}" if kind else "only reports"
            raise WorkbenchError(f"The recipe's step {entry.name} takes {value} as its {knob.name}, but that step {made}; name one that makes a {knob.ref}.")
        return
    try:
        if knob.ref in ("model", "tokenizer", "artefact"):
            if value and (not refs.HUB_ID.fullmatch(value) or value.startswith("demo:") or Path(value).exists()):
                refs.locate(value)
        elif value:
            _check_text(value, knob.ref)
    except WorkbenchError as error:
        raise WorkbenchError(f"The recipe's step {entry.name}, {knob.name}: {error}") from None


def _check_text(value: str, kind: str) -> None:
    """The text is there; what is in a file or on the hub is for the step to find."""
    from ..corpus import sources
    from ..corpus.parallel import open_parallel

    if value.startswith("demo:"):
        (open_parallel if kind == "pairs" else sources.open)(value)
    elif store.ID.fullmatch(value) and not Path(value).exists():
        store.open_artefact(value)
    elif not value.startswith("hf:") and not refs.path(value).exists():
        sources.files(value)


def _check_report(value: Any, steps: Mapping[str, Step]) -> None:
    if isinstance(value, dict):
        for each in value.values():
            _check_report(each, steps)
    elif isinstance(value, str) and value.startswith("$"):
        name = value[1:].partition(".")[0]
        if name not in steps:
            raise WorkbenchError(f"The recipe's report refers to {value}, which no step has made.{nearest(name, steps)}")
