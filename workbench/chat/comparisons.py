"""A conversation with several models at once, kept line by line as it goes, so that its id opens it again."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import WorkbenchError
from . import log
from .choices import packed
from .prompting import Message

if TYPE_CHECKING:
    from .replying import Reply

ID = re.compile(r"chat-[0-9a-f]{16}")
SIDES = ("A", "B", "C", "D")
Said = dict[str, Any]  # "text", the facts of the reply, and its packed "choices"


@dataclass
class Turn:
    """One question, and what each side said."""

    question: str
    asked: str = ""  # told anew whenever the question is put again, so that a late reply to what was asked before is none to this
    replies: dict[str, Said] = field(default_factory=dict)
    verdict: str = ""


@dataclass
class Comparison:
    """Models by side, and the turns so far. Of a blind one nobody is to see which model is which until it is revealed."""

    id: str
    models: dict[str, str]
    blind: bool = False
    revealed: bool = False
    created: float = 0.0
    options: dict[str, Any] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)

    @property
    def hidden(self) -> bool:
        return self.blind and not self.revealed

    def name(self, side: str) -> str:
        """What a side is called: its model, or what may be seen of it."""
        return f"Model {side}" if self.hidden else self.models[side]

    def messages(self, side: str) -> list[Message]:
        """What a side has heard and said, up to the last question."""
        told: list[Message] = []
        for number, turn in enumerate(self.turns):
            told.append({"role": "user", "content": turn.question})
            if number < len(self.turns) - 1 and (said := turn.replies.get(side)):
                told.append({"role": "assistant", "content": said["text"]})
        return told

    def ask(self, question: str, at: int | None = None, options: Mapping[str, Any] | None = None) -> None:
        """Put a question to all sides; `at` an earlier turn it takes that one's place, and what followed is gone from the conversation.

        Raises WorkbenchError on an empty question.
        """
        if not question.strip():
            raise WorkbenchError("The question is empty; type something.")
        number = len(self.turns) if at is None else min(max(at, 0), len(self.turns))
        asked = secrets.token_hex(4)
        self._add({"kind": "ask", "turn": number, "question": question.strip(), "asked": asked, "options": dict(options or {})})

    def answer(self, side: str, reply: Reply) -> None:
        """What a side says to the last question; said again, it takes the place of what it said before."""
        said = {"text": reply.text, **reply.facts(), "choices": packed(reply.choices)}
        self._add({"kind": "reply", "turn": len(self.turns) - 1, "asked": self.turns[-1].asked, "side": side, "said": said})

    def judge(self, verdict: str, turn: int | None = None) -> None:
        """Vote on a turn, the last one unless told: a side's letter, "tie" or "bad". The last vote on a turn counts.

        Raises WorkbenchError where not every side has answered, or the verdict is none of these.
        """
        from .votes import VERDICTS, cast

        number = len(self.turns) - 1 if turn is None else turn
        if not 0 <= number < len(self.turns) or set(self.turns[number].replies) != set(self.models):
            raise WorkbenchError("There is nothing to vote on yet; ask something and wait until every side has answered.")
        if len(self.models) < 2:
            raise WorkbenchError("A vote needs two sides; add one.")
        if verdict not in self.models and verdict not in VERDICTS:
            raise WorkbenchError(f"A vote is one of {', '.join([*self.models, *VERDICTS])}, not '{verdict}'.")
        cast(self, number, verdict)
        self._add({"kind": "vote", "turn": number, "verdict": verdict})

    def reveal(self) -> None:
        """Show which model is which, for good."""
        if not self.revealed:
            self._add({"kind": "reveal"})

    @property
    def answered(self) -> bool:
        """Whether every side has answered the last question."""
        return bool(self.turns) and set(self.turns[-1].replies) == set(self.models)

    @property
    def note(self) -> str:
        """A sentence where sides answered with identical weights; "" where all differ."""
        from .loading import same

        return same({side: said["fingerprint"] for side, said in self.turns[-1].replies.items()}) if self.turns else ""

    def entries(self) -> list[dict[str, Any]]:
        """The turns as rows for an export: question, replies by side, verdict."""
        rows = []
        for number, turn in enumerate(self.turns):
            replies = {side: self._seen(said) for side, said in turn.replies.items()}
            rows.append({"id": f"{self.id}:{number + 1}", "prompt": turn.question, "tags": [], "replies": replies, "verdict": turn.verdict})
        return rows

    def _seen(self, said: Said) -> Said:
        hidden = ("model", "fingerprint", "tokenizer", "notes") if self.hidden else ()
        return {key: value for key, value in said.items() if key not in ("choices", *hidden)}

    def _add(self, line: dict[str, Any]) -> None:
        log.append(log.folder() / f"{self.id}.jsonl", line | {"at": time.time()})
        self._read(line)

    def _read(self, line: Mapping[str, Any]) -> None:
        kind, number = line.get("kind"), line.get("turn", 0)
        if kind == "ask":
            self.turns = [*self.turns[:number], Turn(line["question"], line["asked"])]
            self.options = line.get("options") or self.options
        elif kind == "reply" and number < len(self.turns) and self.turns[number].asked == line["asked"]:
            self.turns[number].replies[line["side"]] = line["said"]
        elif kind == "vote" and number < len(self.turns):
            self.turns[number].verdict = line["verdict"]
        elif kind == "reveal":
            self.revealed = True


def begin(models: Sequence[str | None], blind: bool = False) -> Comparison:
    """A new comparison of one to four models, on the sides A to D in this order; a side may be left out. A blind one gives them their sides at random.

    Raises WorkbenchError for another number of models.
    """
    given = {side: model for side, model in zip(SIDES, models, strict=False) if model}
    if not given or len(models) > len(SIDES):
        raise WorkbenchError(f"Choose one to {len(SIDES)} models; here are {len(given) and len(models)}.")
    if blind:
        if len(given) < 2:
            raise WorkbenchError("A blind comparison needs at least two models; choose another one.")
        drawn = list(given.values())
        secrets.SystemRandom().shuffle(drawn)
        given = dict(zip(SIDES, drawn, strict=False))
    made = Comparison(f"chat-{secrets.token_hex(8)}", given, blind, created=time.time())
    log.append(log.folder() / f"{made.id}.jsonl", {"kind": "begin", "models": made.models, "blind": blind, "at": made.created})
    return made


def open_comparison(reference: str) -> Comparison:
    """The comparison with this id. Raises WorkbenchError where there is none."""
    lines = log.read(log.folder() / f"{reference}.jsonl") if ID.fullmatch(reference) else []
    if not lines or lines[0].get("kind") != "begin":
        raise WorkbenchError(f"There is no conversation '{reference[:40]}' here; it was made on another machine, or its file is gone.")
    made = Comparison(reference, dict(lines[0]["models"]), bool(lines[0]["blind"]), created=lines[0]["at"])
    for line in lines[1:]:
        made._read(line)
    return made
