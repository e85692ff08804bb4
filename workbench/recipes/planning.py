"""What a recipe would do, before it does it: each step with its sizes, its time on this machine and its disk. Nothing is run or downloaded."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import contents, store
from ..progress import Progress
from ..specs import Step, flat, knobs
from . import building, ledger
from .reading import Entry, Journey
from .sizing import Size, Text, here, joined, size_of, text_of

START = 0.1  # minutes that any step takes: a process warm, files opened and written
DOCUMENT, QUESTION = 400, 150  # tokens of one measured document, and of one question asked and answered
WINDOW = 1024  # tokens of context in which documents are measured
REPLY, TOKEN = 256, 4.5  # tokens of a long reply, and bytes of a token in a vocabulary that knows the language
ENDLESS = 1e12  # tokens: steps that are no limit
USED = 0.4  # share of the speed of one large product that training reaches; 0.3 to 0.5 on processors and GPUs alike
Row = dict[str, Any]
Known = Size | Text | float | None  # of a model, a text, a tokenizer (its tokens); None where it cannot be said


@dataclass
class _Seen:
    """What the plan knows of the steps before: their sizes, their ids where they are kept, and all steps counted so far (a sweep shares some)."""

    sizes: dict[str, Known] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)


def plan(journeys: Sequence[Journey], progress: Progress) -> dict[str, Any]:
    """One row for each step that the recipes would run; a step that several of them share is counted once. Minutes and gigabytes are rough.

    A size that is not known here and that the recipe does not state gives empty cells, and a note that names the model. Gigabytes are at most: files that
    a step passes through unchanged are linked where they can be.
    """
    progress.at(0, "measuring this machine")
    rate = _rate()
    rows: list[Row] = []
    counted: set[str] = set()
    for journey in journeys:
        seen = _Seen()
        for entry in journey.entries.values():
            row = _row(journey, entry, seen, rate)
            if seen.keys[entry.name] not in counted:
                counted.add(seen.keys[entry.name])
                rows.append(row)
    downloads, unknown = _downloads(journeys)
    notes = [f"The size of {', '.join(unknown)} is known only once it is downloaded."] if unknown else []
    if any(row["minutes"] is None for row in rows):
        notes.append("Steps without a time are not in the sum.")
    minutes, disk = sum(row.pop("minutes") or 0 for row in rows), sum(row["gigabytes"] or 0 for row in rows)
    if disk + sum(downloads.values()) / 1e9 > (free := shutil.disk_usage(store.folder()).free / 1e9):
        notes.append(f"There are only {free:.0f} GB free for {store.home()}; free some space, or set WORKBENCH_HOME to a larger disk.")
    return {
        "rows": rows, "time": spoken(minutes), "minutes": round(minutes, 1), "gigabytes": round(disk, 3),
        "download_gigabytes": round(sum(downloads.values()) / 1e9, 2), "downloads": list(downloads), "speed_gflops": round(rate / 1e9), "notes": notes,
    }  # fmt: skip


def _row(journey: Journey, entry: Entry, seen: _Seen, rate: float) -> Row:
    stand_ins = {name: seen.ids.get(name, "artefact-00000000") for name in journey.entries}
    step = building.step_of(entry, stand_ins)
    seen.keys[entry.name] = str((contents.fingerprint(step), [seen.keys[used] for used in entry.uses()]))
    kept = ledger.find(contents.fingerprint(step)) if all(used in seen.ids for used in entry.uses()) else None
    if kept:
        seen.ids[entry.name] = kept.id or ""
    about = _About(journey, entry, flat(step, defaults=True), seen)
    size = seen.sizes[entry.name] = about.made(step)
    model = size if isinstance(size, Size) else None
    run = not kept
    minutes, learnt = about.minutes(step, rate), about.trained_tokens() if step.command == "train" else None
    return {
        "step": entry.name, "what": " ".join([entry.command, *(str(entry.knobs[k]) for k in ("stage", "method", "variant") if k in entry.knobs)]),
        "state": "to run" if run else "kept", "time": None if minutes is None else "" if kept else spoken(minutes),
        "parameters": _number(model.parameters) if model else None,
        "tokens": _number(size) if isinstance(size, float) else _number(model.rows) if model else None,
        "trained_on": None if learnt is None else _number(learnt), "minutes": 0.0 if kept else minutes,
        "gigabytes": round(size.bytes / 1e9, 3) if run and isinstance(size, (Size, Text)) else None,
    }  # fmt: skip


@dataclass(frozen=True)
class _About:
    """One entry with its values, and what is known of what it reads."""

    journey: Journey
    entry: Entry
    values: dict[str, Any]
    seen: _Seen

    def size(self, knob: str) -> Known:
        """The size of what a knob refers to."""
        return next(map(self._of, self.given(knob)), None)

    def _of(self, given: str) -> Known:
        return self.seen.sizes.get(given[1:]) if given.startswith("$") else size_of(given, self.journey.sizes)

    def made(self, step: Step) -> Known:
        """The size of what the step makes."""
        if step.command == "corpus":
            texts = [self._text(each) for each in self.given("source")]
            return None if None in texts else joined([text.limited(self.values["limit"]) for text in texts])
        if step.command.startswith("tokenizer."):
            base = _rows(self.size("base"))
            if step.command == "tokenizer.train":
                return float(self.values["vocab_size"])
            return None if base is None else min(base, float(self.values.get("keep") or base)) + float(self.values.get("new_tokens") or 0)
        model, rows = self.size("instruct" if step.command == "lep" else "model"), None
        if step.command in ("lep", "transfer"):
            rows = _rows(self.size("adapted" if step.command == "lep" else "tokenizer"))
        if not isinstance(model, Size) or step.makes != "model":
            return None
        return model.with_rows(rows) if rows else model

    def trained_tokens(self) -> float | None:
        """Tokens that a training sees, by its steps or by its passes over what it reads, whichever is less; None where neither can be said."""
        v = self.values
        by_steps = float(v["steps"]) * v["batch_size"] * v["block"] * v.get("accumulate", 1)
        if not v.get("epochs"):
            return by_steps
        if v["stage"] == "calibrate":
            once = (v.get("prompt_limit", 0) + v.get("copy_tasks", 0)) * v.get("reply_tokens", REPLY) / 2
            return min(by_steps, v["epochs"] * once)
        texts = [self._text(each) for name in (("instructions",) if v["stage"] == "instruct" else ("text", "pairs")) for each in self.given(name)]
        if not texts or None in texts:
            return None if by_steps > ENDLESS else by_steps
        return min(by_steps, v["epochs"] * sum(text.bytes for text in texts) / TOKEN)

    def given(self, knob: str) -> list[str]:
        """The references of a knob, as the recipe writes them."""
        value = self.entry.knobs.get(knob, self.values.get(knob))
        return [each for each in (value if isinstance(value, (list, tuple)) else [value]) if isinstance(each, str) and each]

    def _text(self, reference: str) -> Text | None:
        found = self.seen.sizes.get(reference[1:]) if reference.startswith("$") else text_of(reference, self.journey.sizes)
        return found if isinstance(found, Text) else None

    def minutes(self, step: Step, rate: float) -> float | None:
        """Two operations for a parameter and token forwards, two more for what flows back, two for each gradient of a trained parameter."""
        if step.command == "train":
            size, tokens = self.size("model"), self.trained_tokens()
            if not isinstance(size, Size) or tokens is None:
                return None
            trained = size.computed if self.values.get("stage") == "full" else size.in_tables / size.tables
            found = START + tokens * (4 * size.computed + 2 * trained) / rate / 60
            return min(found, self.values.get("minutes") or found) + self._asking(rate)
        if step.command == "race":
            model, rows = self.size("model"), _rows(self.size("tokenizer"))
            if not isinstance(model, Size):
                return None
            size = model.with_rows(rows) if rows else model
            tokens = len(step.runners()) * step.seeds * max(step.steps) * step.batch_size * step.block
            return START + tokens * (4 * size.computed + 2 * size.in_tables / size.tables) / rate / 60
        sizes = [self._of(each) for each in self.given("models")]
        if not all(isinstance(each, Size) for each in sizes):
            return None
        return START * max(len(sizes), 1) + sum(2 * each.computed * self._measured() for each in sizes) / rate / 60

    def _asking(self, rate: float) -> float:
        """Minutes at most in which a calibration asks the original model, if it does: two operations for a parameter and token of a reply."""
        size = self.size("instruct")
        if self.values["stage"] != "calibrate" or self.given("answers") or not isinstance(size, Size):
            return 0.0
        return self.values["prompt_limit"] * self.values["reply_tokens"] * 2 * size.computed / rate / 60

    def _measured(self) -> float:
        """Tokens that an evaluation reads with one model; a long document is read in windows that overlap by half."""
        v, found = self.values, 0.0
        for name in ("text", "source_text"):
            for each in self.given(name)[:1]:
                text = self._text(each)
                one = text.bytes / text.documents / TOKEN if text and text.documents else DOCUMENT
                found += v.get("documents", 0) * one * (2 if one > WINDOW else 1) + v.get("copies", 0) * 4 * min(one, QUESTION)
        return found + v.get("documents", 0) * QUESTION * sum(bool(v.get(f"{side}{what}")) for side in ("", "source_") for what in ("questions", "choices"))


def _rows(size: Known) -> float | None:
    return size.rows if isinstance(size, Size) else size


def _rate() -> float:
    """Multiply-adds, counted as two operations, that training can do here in a second: a share of what one large product reaches."""
    import torch

    from .. import devices

    device = devices.pick()
    half = torch.randn(1024, 1024, device=device, generator=torch.Generator(device).manual_seed(0)).to(devices.number_format("auto", device))
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        float((half @ half)[0, 0])  # reading a number waits for the device
        best = min(best, time.perf_counter() - started)
    return USED * 2 * 1024**3 / best


def _downloads(journeys: Sequence[Journey]) -> tuple[dict[str, float], list[str]]:
    """Models of the hub that are not here: bytes of those whose size is stated, and the names of the others."""
    found: dict[str, float] = {}
    for journey in journeys:
        for entry in journey.entries.values():
            for knob in knobs(type(building.step_of(entry, dict.fromkeys(journey.entries, "artefact-00000000")))):
                value = entry.knobs.get(knob.name)
                for each in value if isinstance(value, list) else [value]:
                    if knob.ref in ("model", "tokenizer") and isinstance(each, str) and each and not each.startswith("$") and here(each) is None:
                        size = size_of(each, journey.sizes)
                        found[each] = size.bytes if size else 0.0
    return found, [name for name, size in found.items() if not size]


def spoken(minutes: float) -> str:
    """0.4 min, 3.2 h, 12 days."""
    for limit, unit in ((60 * 48, "days"), (60, "h")):
        if minutes >= limit:
            count = minutes / (1440 if unit == "days" else 60)
            return f"{count:,.0f} {unit}" if count >= 100 else f"{count:.3g} {unit}"
    return f"{minutes:.1f} min"


def _number(value: float) -> str:
    """12 k, 135 M, 8.03 B."""
    for limit, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g} {unit}"
    return f"{value:.0f}"
