"""Self-calibration's data (LEP, arXiv:2412.21140): what the original instruct model answers to prompts, and which answers are fit to learn from."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import contents
from ..corpus.scripts import main_script
from ..progress import Progress
from .conversations import Messages

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

REASONS = ("empty", "cut", "repeated", "script")
LOOP = 12  # characters: 10000 ends in a repetition, too, but is none
_LOOP = re.compile(r"(.{1,100}?)(?:\s*\1){3,}\W*$", re.DOTALL)  # the same piece four times over, up to the end


@dataclass(frozen=True)
class Answered:
    """Prompts with the answers that were kept, and how many were left out for which reason; `too_long`: prompts that leave no room for an answer."""

    kept: list[Messages]
    counts: dict[str, int]


def self_answers(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, prompts: Sequence[Messages], *, tokens: int = 256, batch_size: int = 16, wanted: str = "prompt",
    progress: Progress | None = None, keep: Path | None = None,
) -> Answered:  # fmt: skip
    """Greedy answers to the first turn of each conversation, in the model's own chat template, batched by length; kept in the order of the prompts.

    Left out are answers that are empty, cut off after `tokens`, caught in a loop, or not in the script that is `wanted`: that of the prompt
    ("prompt"), a script's name, or "any". In the file `keep` the answers are kept as they come; where it holds some, only the others are asked for.
    """
    from ..evaluation.asking import finished_replies
    from ..models import context_of
    from .conversations import end_ids
    from .data import render

    progress = progress or Progress()
    asked = [opening(messages) for messages in prompts]
    ids = [render(tokenizer, messages, True) for messages in asked]
    room = context_of(model.config)
    order = sorted((n for n in range(len(ids)) if len(ids[n]) + tokens <= room), key=lambda n: len(ids[n]))
    said: dict[int, tuple[str, bool]] = {}
    batches = Batches(keep, (ids, tokens, batch_size))
    for number, start in enumerate(range(0, len(order), batch_size)):
        part = order[start : start + batch_size]
        if number == len(batches.said):
            progress.at(start / len(order), f"the original model answers: {start} of {len(order)}")
            batches.add(finished_replies(model, tokenizer, [ids[n] for n in part], tokens, end_ids(tokenizer)))
        said |= zip(part, batches.said[number], strict=True)
    counts, kept = Counter(too_long=len(ids) - len(order)), []
    for n in sorted(said):
        reason = unfit(asked[n][-1]["content"], *said[n], wanted)
        counts[reason or "kept"] += 1
        if not reason:
            kept.append([*asked[n], {"role": "assistant", "content": said[n][0].strip()}])
    return Answered(kept, {name: counts[name] for name in ("kept", *REASONS, "too_long")})


class Batches:
    """The answers so far, batch by batch: in a file a line each, of which the first says what was asked. A kill costs the batch that is being answered.

    Batches stay what they were, as an answer may hang on what it was padded with: those of an asking that was cut off are those of one that was not.
    """

    def __init__(self, file: Path | None, asked: object) -> None:
        self.file = file
        self.said: list[list[tuple[str, bool]]] = []
        if file is None:
            return
        about = contents.digest(asked).encode()
        held = file.read_bytes() if file.is_file() else b""
        first, *whole = held.split(b"\n")[:-1] or [b""]  # what follows the last line break is half a line
        if first == about:
            self.said = [[(text, ended) for text, ended in json.loads(line)] for line in whole]
            os.truncate(file, held.rfind(b"\n") + 1)
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(about + b"\n")

    def add(self, answers: list[tuple[str, bool]]) -> None:
        self.said.append(answers)
        if self.file:
            with self.file.open("ab") as file:
                file.write(json.dumps(answers).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())


def opening(messages: Messages) -> Messages:
    """The conversation up to its first question."""
    return messages[: next(n for n, m in enumerate(messages) if m["role"] == "user") + 1]


def unfit(prompt: str, answer: str, ended: bool, wanted: str = "prompt") -> str:
    """Why an answer is no good to learn from: empty, cut, repeated, script; "" where it is good."""
    if not answer.strip():
        return "empty"
    if not ended:
        return "cut"
    if looped(answer):
        return "repeated"
    right = main_script(prompt) if wanted == "prompt" else "" if wanted == "any" else wanted
    return "script" if right and main_script(answer) not in ("", right) else ""


def looped(text: str) -> str:
    """The piece that a text ends in four times over or more; "" where it does not."""
    loop = _LOOP.search(text)
    return loop[1] if loop and len(loop[0]) >= LOOP else ""
