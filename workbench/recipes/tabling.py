"""What a recipe tells at its end: the numbers that its report names, and one table of its evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import store
from ..errors import WorkbenchError
from .reading import Journey

Row = dict[str, Any]


def report(value: Any, made: Mapping[str, store.Artefact]) -> Any:
    """`$step.path.to.number` in the metrics of the steps; dictionaries of such are followed, anything else stands for itself."""
    if isinstance(value, dict):
        return {key: report(each, made) for key, each in value.items()}
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    name, *path = value[1:].split(".")
    found: Any = made[name].metrics
    for part in path:
        try:
            found = found[int(part)] if isinstance(found, list) else found[part]
        except (KeyError, IndexError, ValueError, TypeError):
            raise WorkbenchError(f"The recipe's report asks for {value}, but the step's metrics have no '{part}'.") from None
    return found


def table(journey: Journey, made: Mapping[str, store.Artefact]) -> list[Row]:
    """One row for each model under the recipe's own name for it, one column for each measure and side, from the evaluations that the recipe lists."""
    rows: dict[str, Row] = {}
    for name in journey.table:
        models = journey.entries[name].knobs.get("models", [])
        names = [called(journey, each) for each in (models if isinstance(models, list) else [models])]
        metrics = made[name].metrics
        called_so: dict[str, list[str]] = {}
        for about, model in zip(metrics["models"], names, strict=True):
            called_so.setdefault(about["model"], []).append(model)
        for row in metrics["rows"]:  # a model that could not be measured in some way has fewer of them
            for model in called_so[row["model"]]:
                rows.setdefault(model, {"model": model})[f"{row['measure']} {row['side']}"] = row["value"]
    return list(rows.values())


def called(journey: Journey, reference: str) -> str:
    """What the recipe calls a model: the step that made it, or the value that names it; else the reference."""
    return reference[1:] if reference.startswith("$") else journey.called.get(reference, reference)


def flattened(metrics: Mapping[str, Any]) -> Row:
    """The numbers of a report in one row: {"bits per byte": {"after": 1}} as {"bits per byte after": 1}."""
    found: Row = {}
    for name, value in metrics.items():
        if isinstance(value, dict):
            found |= {f"{name} {key}": each for key, each in flattened(value).items()}
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found[name] = value
    return found
