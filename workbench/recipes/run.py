"""Run a recipe: a YAML file of named steps, where `$name` stands for what an earlier step made.

`report` says which numbers of which step's metrics the recipe itself reports, as dotted paths such as
`$fertility.rows.0.tokens_per_word`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from .. import store
from ..errors import WorkbenchError, nearest
from ..progress import Progress
from ..specs import Step


def names() -> list[str]:
    return sorted(p.stem for p in Path(__file__).parent.glob("*.yaml"))


def load(name: str) -> dict[str, Any]:
    """The recipe of this name, or of this YAML file. Raises WorkbenchError where there is none."""
    import yaml

    path = Path(__file__).parent / f"{name}.yaml" if name in names() else Path(name)
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        raise WorkbenchError(f"There is no recipe '{name}'.{nearest(name, names())}")
    try:
        recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise WorkbenchError(f"{path} is not YAML ({error}); compare it with a shipped recipe.") from error
    steps = recipe.get("steps") if isinstance(recipe, dict) else None
    if not isinstance(steps, dict) or not all(isinstance(spec, dict) and isinstance(spec.get("step"), str) for spec in steps.values()):
        raise WorkbenchError(f"{path} has no 'steps', each with the name of its 'step'; compare it with a shipped recipe.")
    if not isinstance(recipe.get("report") or {}, dict) or any(spec["step"] == "recipe" for spec in steps.values()):
        raise WorkbenchError(f"{path}: 'report' has names with values, and no step is a recipe itself; compare it with a shipped recipe.")
    return recipe


class Recipe(Step):
    """Run a whole journey, step by step, and report it as a short table."""

    command: ClassVar[str] = "recipe"
    makes: ClassVar[str] = "recipe"
    main: ClassVar[tuple[str, ...]] = ("recipe",)
    recipe: str = Field("demo", min_length=1, description="The recipe's name (demo), or a YAML file of your own.")
    set: tuple[str, ...] = Field((), description="Changes of knobs, as step.knob=value.")

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        recipe = load(self.recipe)
        specs = changed(recipe["steps"], self.set)
        weights = {name: _weight(name, spec) for name, spec in specs.items()}
        made: dict[str, store.Artefact] = {}
        done, total = 0.0, sum(weights.values())
        for name, spec in specs.items():
            step = resolve({k: v for k, v in spec.items() if k != "weight"}, made)
            part = progress.part(done / total, (done + weights[name]) / total)
            part.at(0, f"{name}: {spec['step']}")
            made[name] = store.run(step, part, name=f"{self.recipe}: {name}")
            done += weights[name]
            progress.note(f"{name}: {made[name]}")
        report = {key: _lookup(value, made) for key, value in (recipe.get("report") or {}).items()}
        store.write_json(out / "recipe.json", {"recipe": recipe, "set": list(self.set), "made": {n: a.id for n, a in made.items()}})
        return {"made": {n: a.id for n, a in made.items() if a.id}, **report}


def _weight(name: str, spec: dict[str, Any]) -> float:
    weight = spec.get("weight", 1)
    if not isinstance(weight, (int, float)) or not 0 < weight < 1e6:
        raise WorkbenchError(f"The weight of {name} is {weight!r}; give a number above 0, its share of the progress bar.")
    return float(weight)


def changed(steps: dict[str, Any], changes: tuple[str, ...]) -> dict[str, Any]:
    """The steps with knobs set as `step.knob=value`. Raises WorkbenchError on a step that is not there."""
    import yaml

    steps = {name: dict(spec) for name, spec in steps.items()}
    for change in changes:
        where, _, value = change.partition("=")
        name, _, knob = where.partition(".")
        if name not in steps or not knob:
            raise WorkbenchError(f"'{change}' is not step.knob=value of this recipe.{nearest(name, steps)}")
        try:
            steps[name][knob] = yaml.safe_load(value)
        except yaml.YAMLError:
            steps[name][knob] = value
    return steps


def resolve(spec: dict[str, Any], made: dict[str, store.Artefact]) -> Step:
    """A step with every `$name` replaced by the id of what that step made."""
    from ..steps import from_flat

    values = {key: [_id(v, made) for v in value] if isinstance(value, list) else _id(value, made) for key, value in spec.items()}
    return from_flat(values.pop("step"), values)


def _id(value: Any, made: dict[str, store.Artefact]) -> Any:
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    if value[1:] not in made or made[value[1:]].id is None:
        raise WorkbenchError(f"The recipe refers to {value}, which no earlier step has made.{nearest(value[1:], made)}")
    return made[value[1:]].id


def _lookup(value: Any, made: dict[str, store.Artefact]) -> Any:
    """`$step.path.to.number` in the metrics of the steps; dictionaries and lists of such are followed."""
    if isinstance(value, dict):
        return {key: _lookup(v, made) for key, v in value.items()}
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    name, *path = value[1:].split(".")
    if name not in made:
        raise WorkbenchError(f"The recipe's report refers to {value}, which no step has made.{nearest(name, made)}")
    found: Any = made[name].metrics
    for part in path:
        try:
            found = found[int(part)] if isinstance(found, list) else found[part]
        except (KeyError, IndexError, ValueError, TypeError):
            raise WorkbenchError(f"The recipe's report asks for {value}, but the step's metrics have no '{part}'.") from None
    return found
