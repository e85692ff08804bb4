"""The step that measures what the demo claims, with all controls, and says which claims hold."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from ..errors import WorkbenchError
from ..progress import Progress
from ..specs import Step
from . import gates

if TYPE_CHECKING:
    from ..store import Artefact

Part = Literal["lep", "salt", "persian", "time"]
# Name, script, how to ask for a copy, and steps: so many that the adapted base reads the language better than the original, and not so many that a model which
# begins with nothing and trains every weight has caught up, as it does in a small world. Bits per byte of Russian: the original .241, adapted .242 and .234
# after 500 and 700 steps, from nothing .267 and .235; of Persian the original .252, adapted .240 after 500, from nothing .256, and after 600 the two are level.
LANGUAGES = {"ru": ("Russian", "Cyrillic", "Повтори: {text}", 600), "fa": ("Persian", "Arabic", "تکرار کن: {text}", 500)}
RUNNERS = ("salt", "subtokens", "focus", "wechsel", "omp", "mean", "gaussian", "random")
QUESTIONS = 200  # of an evaluation in recipes/check.yaml
CHOICES = 100  # of one in recipes/persian.yaml
MINUTES, GIBIBYTES = 3.0, 2.0


class Check(Step):
    """Measure what the demo claims of LEP, SALT and the Persian recipe, with all controls, and say which claims hold: some hours on two cores.

    It runs recipes and races, whose results stay in the home and are not made again; only the whole demo is run each time, to see how long it takes.
    """

    command: ClassVar[str] = "demo.check"
    parts: tuple[Part, ...] = Field(("lep", "salt", "persian", "time"), min_length=1, description="What is measured.")
    languages: tuple[Literal["ru", "fa"], ...] = Field(("ru", "fa"), min_length=1, description="Languages that LEP and SALT are measured in.")
    seeds: int = Field(3, ge=1, le=20, description="Trainings of each kind; a claim about a difference needs two at least.")
    file: str = Field("", description="A JSON file that gets the table, too; the demo's own is beside its models.", json_schema_extra={"advanced": True})
    set: tuple[str, ...] = Field(
        (), description="Changes of knobs of the recipe check, as step.knob=value, for a quick trial.", json_schema_extra={"advanced": True}
    )

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        from .. import refs, store

        if missing := [name for name in ("demo:en-base", "demo:en-chat") if name not in refs.demo_names()]:
            raise WorkbenchError(f"There is no {' and no '.join(missing)} to measure; make the demo's models with demo.build first.")
        file = refs.path(self.file) if self.file else None
        if file and not file.parent.is_dir():
            raise WorkbenchError(f"{file.parent} is no folder, so the table could not be written there in the end; make it first, or name another file.")
        found: list[gates.Gate] = []
        work = [(part, lang) for part in self.parts for lang in (self.languages if part in ("lep", "salt") else ("fa",))]
        for n, (part, lang) in enumerate(work):
            found += getattr(self, f"_{part}")(lang, progress.part(n / len(work), (n + 1) / len(work)))
        rows = list({gate.gate: gate.row() for gate in found}.values())  # English is asked beside every language
        judged = [row["pass"] for row in rows if row["pass"] is not None]
        table = {"rows": rows, "passed": sum(judged), "judged": len(judged)}
        if file:
            about = {"measured": time.strftime("%Y-%m-%d"), "seeds": self.seeds, "set": list(self.set), "versions": store.versions()}
            store.write_json(file, about | table)
        return table

    def _lep(self, lang: str, progress: Progress) -> list[gates.Gate]:
        language, script, repeat, steps = LANGUAGES[lang]
        given = (f"text=demo:{lang}", f"script={script}", f"repeat='{repeat}'", f"steps={steps}")
        made = [self._recipe("check", (*given, f"seed={seed}", *self.set), seed, progress) for seed in range(self.seeds)]
        tokens = [_tokens_of_answers(lang, each.metrics["made"]["tokenizer"]) for each in made]
        return gates.lep(language, [_by_model(m) for m in made], [m.metrics for m in made], guessing(lang), tokens, QUESTIONS)

    def _persian(self, _lang: str, progress: Progress) -> list[gates.Gate]:
        def seeded(seed: int) -> tuple[str, ...]:
            return tuple(f"{step}.seed={seed}" for step in ("aligned", "monolingual", "control", "instructed"))

        made = [self._recipe("persian", seeded(seed), seed, progress) for seed in range(self.seeds)]
        return gates.persian([_by_model(each) for each in made], CHOICES)

    def _recipe(self, name: str, given: tuple[str, ...], seed: int, progress: Progress) -> Artefact:
        from .. import store
        from ..recipes.run import Recipe

        part = progress.part(seed / self.seeds, (seed + 1) / self.seeds, work=f"{name}-{given[0].split(':')[-1]}-{seed}")
        return store.run(Recipe(recipe=name, set=given), part, name=f"demo.check: {name}, seed {seed}")

    def _salt(self, lang: str, progress: Progress) -> list[gates.Gate]:
        from .. import contents, refs
        from ..evaluation.steps import Race
        from ..recipes import ledger

        if "demo:multi-base" not in refs.demo_names():
            raise WorkbenchError("There is no demo:multi-base for SALT to transfer from; make it with demo.build --only multi-base.")
        text, pairs = f"demo:{lang}", f"demo:en-{lang}"
        race = Race(
            model="demo:multi-base", tokenizer=f"demo:{lang}-plm", donor=f"demo:{lang}-plm", text=text, vectors=text, source_vectors="demo:en", pairs=pairs,
            methods=RUNNERS, steps=(0, 10, 20, 50, 75, 100, 125, 150, 175, 200), seeds=self.seeds,
        )  # fmt: skip
        key = contents.fingerprint(race)
        made = ledger.find(key) or ledger.run(race, key, progress, f"demo.check: race, {lang}")
        return gates.salt(LANGUAGES[lang][0], made.metrics["rows"], made.metrics["summary"])

    def _time(self, _lang: str, progress: Progress) -> list[gates.Gate]:
        progress.at(0, "running the whole demo in a process of its own")
        with tempfile.TemporaryDirectory() as home:
            seconds, peak = _measured([sys.executable, "-m", "workbench", "recipe", "demo"], home)
        minutes = seconds / 60
        return [
            gates.Gate("7 the whole demo: minutes", minutes, minutes, minutes, MINUTES, minutes <= MINUTES),
            gates.Gate("7 the whole demo: GiB at most", peak, peak, peak, GIBIBYTES, peak <= GIBIBYTES),
        ]


def shipped() -> dict[str, Any]:
    """The table that was measured when the demo's models were made; {} where there is none."""
    from .. import refs

    try:
        return json.loads((refs.demo_folder() / "check.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def guessing(lang: str, count: int = 2000) -> float:
    """Share of held-out questions answered by taking one of what the story names that could be the answer, whichever."""
    from .world.text import plan_questions, source

    def options() -> Iterator[float]:
        from .world.plan import Blocked

        rng = source("dialogues", lang, "test", 1)
        while True:
            try:
                plan = plan_questions(rng, "test")
            except Blocked:
                continue
            ask = rng.choice(plan.asks)
            yield 1 / len({ask.args[ask.slot], *(other for other in ask.pool if other in plan.used)})

    shares = list(islice(options(), count))
    return sum(shares) / len(shares)


def _tokens_of_answers(lang: str, tokenizer: str) -> tuple[float, float]:
    """Mean tokens of the right answers, with the original's tokenizer and with another."""
    from ..evaluation.asking import read_questions
    from ..refs import locate
    from ..tokenizer import load

    answers = [item["answer"] for item in read_questions(f"demo:{lang}", QUESTIONS)]
    sizes = [[len(t(answer, add_special_tokens=False)["input_ids"]) for answer in answers] for t in (load(locate("demo:en-chat")), load(locate(tokenizer)))]
    return sum(sizes[0]) / len(answers), sum(sizes[1]) / len(answers)


def _by_model(recipe: Artefact) -> gates.Table:
    return {row["model"]: row for row in recipe.metrics["rows"]}


def _measured(command: list[str], home: str) -> tuple[float, float]:
    """Seconds that a command takes, and the most memory in GiB that one of its processes holds."""
    import os
    import resource

    start = time.monotonic()
    done = subprocess.run(command, env={**os.environ, "WORKBENCH_HOME": home}, capture_output=True, text=True)
    if done.returncode:
        raise WorkbenchError(f"The demo did not run to its end: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'no word'}.")
    return time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
