"""Run a recipe: each step once, and again only where it, or something that it reads, has changed."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from .. import contents, store
from ..errors import Stopped, WorkbenchError
from ..progress import Progress
from ..specs import Step
from . import building, ledger, planning, tabling
from .reading import Journey, parsed, read


class Recipe(Step):
    """Run a whole journey, step by step, and report it as a short table; what has been made already and has not changed is kept."""

    command: ClassVar[str] = "recipe"
    makes: ClassVar[str] = "recipe"
    main: ClassVar[tuple[str, ...]] = ("recipe",)
    recipe: str = Field("demo", min_length=1, description="The recipe's name (demo, lep, salt, persian), or a YAML file of your own.")
    scale: str = Field("", description="Which size of models and training: demo, small or paper. Left out, demo.")
    set: tuple[str, ...] = Field((), description="Changes of knobs, as step.knob=value, or of the recipe's values, as base=folder.")
    from_step: str = Field(
        "", description="Run this step and all after it again, also where nothing has changed.", json_schema_extra={"advanced": True, "flag": "from"}
    )
    dry_run: bool = Field(False, description="Say what would be run, how long it would take and how much disk it would need; run nothing.")
    sweep: tuple[str, ...] = Field(
        (), description="Run it once for each value, as step.knob=a,b,c, and give one table; several of these give every combination.",
        json_schema_extra={"advanced": True},
    )  # fmt: skip

    def made_kind(self) -> str:
        return "" if self.dry_run else self.makes

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        variants = self.variants()
        journeys = [(given, self.journey(given)) for given in variants]
        if self.dry_run:
            return planning.plan([journey for _, journey in journeys], progress)
        if not self.sweep:
            return self._once(journeys[0][1], out, progress)
        rows, runs = [], {}
        for n, given in enumerate(variants):
            part = progress.part(n / len(variants), (n + 1) / len(variants), work=f"run{n}")
            part.note(f"run {n + 1} of {len(variants)}: {', '.join(given)}")
            one = self.model_copy(update={"set": (*self.set, *given), "sweep": ()})
            made = store.run(one, part, name=f"{journeys[n][1].name}: {', '.join(given)}"[:80])
            runs[", ".join(given)] = made.id
            swept = {where: parsed(value) for where, _, value in (change.partition("=") for change in given)}
            rows += [swept | row for row in made.metrics.get("rows") or [tabling.flattened(made.metrics)]]
        store.write_json(out / "recipe.json", {"recipe": self.recipe, "scale": self.scale, "set": list(self.set), "sweep": list(self.sweep), "runs": runs})
        return {"rows": rows, "runs": runs}

    def journey(self, given: tuple[str, ...] = ()) -> Journey:
        """The recipe as it would run, checked. Raises WorkbenchError on anything wrong with it, before any of it runs."""
        journey = read(self.recipe, self.scale, (*self.set, *given))
        building.check(journey)
        if self.from_step:
            journey.after(self.from_step)
        return journey

    def variants(self) -> list[tuple[str, ...]]:
        """The changes of every run of a sweep; one run without any where nothing is swept."""
        axes = []
        for sweep in self.sweep:
            where, _, values = sweep.partition("=")
            each = [value.strip() for value in values.split(",")]
            if not where or "" in each:
                raise WorkbenchError(f"'{sweep}' is no sweep; write step.knob=a,b,c.")
            axes.append([f"{where}={value}" for value in each])
        return list(product(*axes))

    def _once(self, journey: Journey, out: Path, progress: Progress) -> dict[str, Any]:
        again = ledger.Again(journey.after(self.from_step) if self.from_step else (), progress.work)
        made: dict[str, store.Artefact] = {}
        kept: list[str] = []
        done, total = 0.0, sum(entry.weight for entry in journey.entries.values())
        for name, entry in journey.entries.items():
            part = _named(progress.part(done / total, (done + entry.weight) / total), name)
            step = building.step_of(entry, {n: a.id for n, a in made.items() if a.id})
            key = contents.fingerprint(step)
            found = None if again.due(name) else ledger.find(key)
            if found:
                kept.append(name)
            try:
                part.at(0, entry.command)
                made[name] = found or ledger.run(step, key, part, f"{journey.name}: {name}"[:80], anew=again.begin(name))
            except Stopped:
                raise Stopped(f"Stopped in {name}, at your request; what is done is kept: resume it, or run the recipe again, and it goes on there.") from None
            again.done(name)
            done += entry.weight
            progress.note(f"{name}: {made[name]}{' (unchanged, kept)' if name in kept else ''}")
        ids = {name: artefact.id for name, artefact in made.items() if artefact.id}
        rows = tabling.table(journey, made)
        about = {"scale": journey.scale, "set": list(self.set), "steps": {n: e.knobs | {"step": e.command} for n, e in journey.entries.items()}, "made": ids}
        store.write_json(out / "recipe.json", {"recipe": self.recipe} | about)
        return {"made": ids, "kept": kept, **({"rows": rows} if rows else {}), **tabling.report(journey.report, made)}


def _named(progress: Progress, name: str) -> Progress:
    """Says of everything it reports which step of the recipe it is about."""
    told = progress.sink
    progress.sink = lambda event: told(replace(event, message=f"{name}: {event.message}") if event.kind in ("progress", "warning") and event.message else event)
    return progress
