"""A recipe as it is written: a YAML file of named steps, values that differ by scale, a report and a table.

In a step `$name` stands for what an earlier step made, or for one of the recipe's `values`. What differs between the
scales stands side by side: `values` has a column for each scale, a step's `scales` the knobs that it has at each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import WorkbenchError, nearest

OWN = ("step", "weight", "scales")  # what a step of a recipe has beside its knobs
SIZES = (("parameters", "rows", "width"), ("tables", "bytes_each")), (("bytes",), ("documents",))  # what a model's and a text's must state, and may
PARTS = ("title", "about", "values", "sizes", "steps", "report", "table")


@dataclass(frozen=True)
class Entry:
    """One step of a recipe at a scale: its command, its flat knobs (`$name` of earlier steps in them) and its share of the progress bar."""

    name: str
    command: str
    knobs: dict[str, Any]
    weight: float = 1.0

    def uses(self) -> list[str]:
        """The earlier steps whose results it takes, in the order of its knobs."""
        given = [v for value in self.knobs.values() for v in (value if isinstance(value, list) else [value])]
        return list(dict.fromkeys(v[1:] for v in given if isinstance(v, str) and v.startswith("$")))


@dataclass(frozen=True)
class Journey:
    """A recipe at a scale, its values put in. `called`: how the recipe calls what its steps are given, for the rows of its table."""

    name: str
    scale: str
    entries: dict[str, Entry]
    report: dict[str, Any] = field(default_factory=dict)
    table: tuple[str, ...] = ()
    sizes: dict[str, dict[str, float]] = field(default_factory=dict)
    called: dict[str, str] = field(default_factory=dict)

    def after(self, name: str) -> list[str]:
        """A step and all that come after it. Raises WorkbenchError for a step that is not there."""
        names = list(self.entries)
        if name not in names:
            raise WorkbenchError(f"The recipe {self.name} has no step '{name}'.{nearest(name, names)}")
        return names[names.index(name) :]


def names() -> list[str]:
    """The recipes that come with the workbench."""
    return sorted(p.stem for p in Path(__file__).parent.glob("*.yaml"))


def load(name: str) -> dict[str, Any]:
    """The recipe of this name, or of this YAML file, as it is written. Raises WorkbenchError where there is none."""
    import yaml

    path = Path(__file__).parent / f"{name}.yaml" if name in names() else Path(name)
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        raise WorkbenchError(f"There is no recipe '{name}'.{nearest(name, names())}")
    try:
        recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise WorkbenchError(f"{path} is not YAML ({error}); compare it with a shipped recipe.") from error
    _check_shape(path, recipe)
    return recipe


def _check_shape(path: Path, recipe: Any) -> None:
    steps = recipe.get("steps") if isinstance(recipe, dict) else None
    if not isinstance(steps, dict) or not all(isinstance(spec, dict) and isinstance(spec.get("step"), str) for spec in steps.values()):
        raise WorkbenchError(f"{path} has no 'steps', each with the name of its 'step'; compare it with a shipped recipe.")
    if unknown := next((part for part in recipe if part not in PARTS), None):
        raise WorkbenchError(f"{path} has a part '{unknown}' that no recipe has.{nearest(str(unknown), PARTS)}")
    mappings = [recipe.get(part) or {} for part in ("values", "sizes", "report")] + [spec.get("scales") or {} for spec in steps.values()]
    if not all(isinstance(each, dict) for each in mappings) or any(spec["step"] == "recipe" for spec in steps.values()):
        raise WorkbenchError(f"{path}: values, sizes, report and scales have names with what each stands for, and no step is a recipe itself.")
    columns = [*(recipe.get("values") or {}).values(), *(s for spec in steps.values() for s in (spec.get("scales") or {}).values())]
    if not all(isinstance(each, dict) for each in columns):
        raise WorkbenchError(f"{path}: every value has what it is at each scale, and every scale of a step its knobs; compare it with a shipped recipe.")
    if not all(isinstance(name, str) for name in [*steps, *(knob for spec in steps.values() for knob in spec)]):
        raise WorkbenchError(f"{path}: the name of a step or of a knob is no text; put it in quotes.")
    if unlike := next((each for each, about in (recipe.get("sizes") or {}).items() if not _is_size(about)), None):
        raise WorkbenchError(f"{path}: the size of '{unlike}' needs numbers: of a model parameters, rows, width and tables, of a text bytes and documents.")
    if not isinstance(recipe.get("table") or [], list) or not all(isinstance(each, str) for each in recipe.get("table") or []):
        raise WorkbenchError(f"{path}: the table is no list of names of its steps; compare it with a shipped recipe.")
    if twice := next((name for name in recipe.get("values") or {} if name in steps), None):
        raise WorkbenchError(f"{path} calls both a value and a step '{twice}'; rename one of them.")


def _is_size(about: Any) -> bool:
    fits = isinstance(about, dict) and any({*must} <= set(about) <= {*must, *may} for must, may in SIZES)
    return fits and all(isinstance(value, (int, float)) and value >= 0 for value in about.values())


def scales(recipe: Mapping[str, Any]) -> list[str]:
    """The scales a recipe is written for, in the order in which it first names them; none where it has but one form."""
    columns = [*(recipe.get("values") or {}).values(), *(spec.get("scales") or {} for spec in recipe["steps"].values())]
    return list(dict.fromkeys(scale for column in columns for scale in column))


def read(name: str, scale: str = "", changes: Iterable[str] = ()) -> Journey:
    """A recipe at a scale (`demo` unless told, where it has that one), with knobs and values changed.

    Raises WorkbenchError on a scale, step, value or reference that is not there.
    """
    recipe = load(name)
    scale = _scale(name, scales(recipe), scale)
    values, steps = _columns(name, recipe.get("values") or {}, scale), _at(recipe["steps"], scale)
    _change(values, steps, changes)
    entries: dict[str, Entry] = {}
    for each, spec in steps.items():
        knobs = {knob: _put(value, values) for knob, value in spec.items() if knob not in OWN}
        entries[each] = Entry(each, spec["step"], knobs, _weight(each, spec))
        for used in entries[each].uses():
            if used not in entries or used == each:
                raise WorkbenchError(f"The recipe's step {each} refers to ${used}, which no earlier step has made.{nearest(used, [*entries, *values])}")
    called = {value: each for each, value in values.items() if isinstance(value, str) and not value.startswith("$")}
    table = tuple(recipe.get("table") or ())
    if missing := next((each for each in table if each not in entries), None):
        raise WorkbenchError(f"The recipe's table asks for '{missing}', which is none of its steps.{nearest(missing, entries)}")
    return Journey(Path(name).stem, scale, entries, recipe.get("report") or {}, table, recipe.get("sizes") or {}, called)


def _scale(name: str, known: list[str], asked: str) -> str:
    if asked and asked not in known:
        has = nearest(asked, known) if known else " Leave --scale out."
        raise WorkbenchError(f"The recipe {name} has no scale '{asked}'.{has}")
    return asked or ("demo" if "demo" in known else known[0] if known else "")


def _columns(name: str, values: Mapping[str, Mapping[str, Any]], scale: str) -> dict[str, Any]:
    if missing := next((each for each, column in values.items() if scale not in column), None):
        raise WorkbenchError(f"The recipe {name} does not say what '{missing}' is at scale {scale}; add it there.")
    return {each: column[scale] for each, column in values.items()}


def _at(steps: Mapping[str, Mapping[str, Any]], scale: str) -> dict[str, dict[str, Any]]:
    return {name: {**spec, **(spec.get("scales") or {}).get(scale, {})} for name, spec in steps.items()}


def _change(values: dict[str, Any], steps: dict[str, dict[str, Any]], changes: Iterable[str]) -> None:
    """Set `step.knob=value` and `name=value` in place."""
    for change in changes:
        where, equals, text = change.partition("=")
        name, dot, knob = where.partition(".")
        known: Collection[str] = steps if dot else values
        if not equals or name not in known or (dot and (not knob or knob in OWN)):
            forms = "step.knob=value" + (" or value=… " if values else " ") + "of this recipe"
            raise WorkbenchError(f"'{change}' is not {forms}.{nearest(name, steps if dot or not values else [*values, *steps])}")
        (steps[name] if dot else values)[knob if dot else name] = parsed(text)


def parsed(text: str) -> Any:
    """A value as YAML reads it: 3, true, [a, b], or else the text itself."""
    import yaml

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):  # as a date that is none
        return text


def _put(value: Any, values: Mapping[str, Any]) -> Any:
    """The knob's value with the recipe's values in it; what `$name` is left names a step."""
    if isinstance(value, list):
        return [_put(each, values) for each in value]
    return values[value[1:]] if isinstance(value, str) and value.startswith("$") and value[1:] in values else value


def _weight(name: str, spec: Mapping[str, Any]) -> float:
    weight = spec.get("weight", 1)
    if not isinstance(weight, (int, float)) or not 0 < weight < 1e6:
        raise WorkbenchError(f"The weight of {name} is {weight!r}; give a number above 0, its share of the progress bar.")
    return float(weight)
