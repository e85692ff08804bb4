"""A whole set of prompts, asked of every model."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..contents import digest
from ..corpus.scripts import main_script
from ..errors import Stopped, WorkbenchError
from ..progress import Progress
from . import log
from .comparisons import SIDES
from .loading import Chatter, load, same_weights
from .prompts import Asked, read_prompts
from .replying import Sampling, reply

if TYPE_CHECKING:
    from .steps import Batch

Said = dict[str, Any]


def ask_all(step: Batch, out: Path, progress: Progress) -> dict[str, Any]:
    """Fill `out` with `replies.jsonl`: a line with the models by side, then one for each prompt. Returns a row of numbers for each side.

    A prompt that a model cannot be asked (too long for its context) has the reason in the place of the reply. With `progress.work` replies are kept as
    they come, and a step that was stopped or killed goes on after them.
    """
    asked = read_prompts(step.prompts, step.limit)
    models = dict(zip(SIDES, step.models, strict=False))
    kept = Kept(progress.work)
    said: dict[str, list[Said]] = {}
    chatters: dict[str, Chatter] = {}
    for number, (side, model) in enumerate(models.items()):
        part = progress.part(number / len(models), (number + 1) / len(models))
        chatter = chatters[side] = load(model, step.device, step.dtype)
        said[side] = []
        for n, each in enumerate(asked):
            part.at(n / len(asked), f"{side} answers {n + 1} of {len(asked)}")
            key = digest([side, chatter.fingerprint, chatter.vocabulary, list(each.messages), step.sampling().model_dump()])
            said[side].append(kept.said.get(key) or kept.add(key, answer(chatter, each, step.sampling(), part)))
    with (out / "replies.jsonl").open("w", encoding="utf-8") as file:
        file.write(json.dumps({"models": models, "options": step.sampling().model_dump()}, ensure_ascii=False) + "\n")
        for n, each in enumerate(asked):
            entry = {"id": each.id, "prompt": each.prompt, "tags": list(each.tags), "messages": list(each.messages), "verdict": ""}
            file.write(json.dumps(entry | {"replies": {side: replies[n] for side, replies in said.items()}}, ensure_ascii=False) + "\n")
    if note := same_weights(chatters):
        progress.warn(note)
    return {"prompts": len(asked), "rows": [numbers(side, models[side], chatters[side], asked, replies) for side, replies in said.items()]}


def answer(chatter: Chatter, asked: Asked, options: Sampling, progress: Progress) -> Said:
    """One reply as JSON; a stop of the step ends it at once."""
    stream = reply(chatter, asked.messages, options)
    try:
        while not (said := next(stream)).finish:
            progress.check()
    except Stopped:
        raise
    except WorkbenchError as error:
        return {"text": "", "error": str(error), "model": chatter.name, "fingerprint": chatter.fingerprint}
    finally:
        stream.close()
    return {"text": said.text, **said.facts()}


def numbers(side: str, model: str, chatter: Chatter, asked: Sequence[Asked], replies: Sequence[Said]) -> dict[str, Any]:
    """What one side's replies look like, in numbers."""
    good = [(a, r) for a, r in zip(asked, replies, strict=True) if "error" not in r]
    shares = {
        "same_script": [r["script"] == main_script(a.prompt) for a, r in good],
        "ended": [r["finish"] == "eos" for _, r in good],
        "repeated": [bool(r["repeated"]) for _, r in good],
    }
    means = {name: statistics.fmean(r[name] for _, r in good) if good else None for name in ("tokens", "characters", "characters_per_second")}
    found = {name: statistics.fmean(values) if values else None for name, values in shares.items()}
    return {"side": side, "model": model, "fingerprint": chatter.fingerprint, "refused": len(replies) - len(good), **means, **found}


class Kept:
    """Replies in a step's own folder, by what was asked of which side."""

    def __init__(self, work: Path | None) -> None:
        self.file = work / "said.jsonl" if work else None
        self.said: dict[str, Said] = {line["key"]: line["said"] for line in log.read(self.file)} if self.file else {}

    def add(self, key: str, said: Said) -> Said:
        if self.file:
            log.append(self.file, {"key": key, "said": said})
        return said
