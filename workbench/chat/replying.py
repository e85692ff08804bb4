"""Replies as they grow, from one model or from several side by side."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from ..corpus.scripts import main_script, script_shares
from ..errors import WorkbenchError
from ..specs import Options
from .choices import Choice
from .loading import Chatter, load, same_weights
from .prompting import Message, prompt

EVERY = 0.05  # seconds between two replies of a stream
SIDES = 4
LOOKED_AT = 2_000  # characters at the end of a reply in which a repetition is looked for
_ADVANCED = {"advanced": True}


class Sampling(Options):
    """How a reply is generated."""

    max_tokens: int = Field(96, ge=1, le=8192, description="Longest reply, in tokens.")
    temperature: float = Field(0.0, ge=0, le=5, description="0 takes the likeliest token each time; higher is freer.")
    top_p: float = Field(1.0, gt=0, le=1, description="Sample only from the likeliest tokens that together have this probability.")
    top_k: int = Field(0, ge=0, le=100_000, description="Sample only from so many of the likeliest tokens; 0 from all.", json_schema_extra=_ADVANCED)
    min_p: float = Field(
        0.0, ge=0, lt=1, description="Sample only from tokens with at least this share of the likeliest one's probability.", json_schema_extra=_ADVANCED
    )
    repetition_penalty: float = Field(1.0, gt=0, le=5, description="Above 1, what was said already becomes less likely.", json_schema_extra=_ADVANCED)
    seed: int = Field(0, ge=0, lt=2**63, description="The same seed gives the same sample.")
    system: str = Field("", description="An instruction that stands before the conversation.")
    raw: bool = Field(False, description="Continue the plain text, without a chat template; a base model always does.")
    overflow: Literal["refuse", "forget"] = Field(
        "refuse",
        description="A conversation longer than the context is refused, or its oldest turns are left out, which is said.",
        json_schema_extra=_ADVANCED,
    )


@dataclass(frozen=True)
class Reply:
    """A reply as far as it has come.

    `finish` is "" while it grows, then "eos", "length" (as long as asked for), "context" (the context is full) or "stopped". `seconds` are those that the
    model worked, `first_seconds` those until its first token; `waited` those in which others had their turn, or nobody asked for more. `script` is the script
    of most letters, with its `script_share`; `repeated` is the piece that the reply ends in again and again, or "". `notes`: what is not as was asked, a
    sentence each.
    """

    text: str
    tokens: int
    characters: int
    seconds: float
    first_seconds: float | None
    finish: Literal["", "eos", "length", "context", "stopped"]
    fingerprint: str
    model: str
    script: str
    script_share: float = 0.0
    tokenizer: str = ""
    waited: float = 0.0
    prompt_tokens: int = 0
    context: int = 0
    repeated: str = ""
    notes: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / max(self.seconds, 1e-9)

    @property
    def characters_per_second(self) -> float:
        return self.characters / max(self.seconds, 1e-9)

    def facts(self) -> dict[str, Any]:
        """Everything but the text and the choices, as JSON."""
        kept = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in ("text", "choices")}
        return kept | {"notes": list(self.notes), "tokens_per_second": self.tokens_per_second, "characters_per_second": self.characters_per_second}


@dataclass(frozen=True)
class SideBySide:
    """One question and each model's reply; `note` says where sides have identical weights. `tokenizers`: by side, for looking into the replies."""

    messages: list[Message]
    replies: dict[str, Reply]
    note: str = ""
    tokenizers: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def rows(self) -> list[dict[str, Any]]:
        return [{"side": side, "text": reply.text} | reply.facts() for side, reply in self.replies.items()]


def reply(
    model: Chatter | str | Path, messages: Sequence[Message], options: Sampling | None = None, stop: threading.Event | None = None, every: float = EVERY
) -> Iterator[Reply]:
    """The reply as it grows: one `Reply` for the first token, then one at most `every` seconds, the last with `finish` set and its `choices`.

    Tokens are computed while the next `Reply` is asked for, in the thread that asks; in between, other replies on the device have their turn. Setting `stop`
    ends it at the next token, and so does closing this generator; one that is neither read to its end nor closed keeps its model in memory.
    """
    options, stop = options or Sampling(), stop or threading.Event()
    from .generating import generate

    chatter = model if isinstance(model, Chatter) else load(model)
    told = [{"role": "system", "content": options.system}, *messages] if options.system.strip() else list(messages)
    asked = prompt(chatter, told, options.raw, options.overflow)
    growing = _Growing(chatter, len(asked.ids), asked.notes)
    turn = chatter.turns.take(stop.is_set)
    if turn is None:
        yield growing.reply("stopped")
        return
    shown = 0.0
    try:
        with chatter.use:
            for choice in generate(chatter, asked.ids, options):
                growing.add(choice, turn.waited)
                if (now := time.perf_counter()) - shown >= every:
                    shown = now
                    said = growing.reply()
                    turn.leave()  # whoever reads may take long, or never come back
                    yield said
                    turn.back()
                elif not stop.is_set():
                    turn.pass_on()
                if stop.is_set():
                    break
            growing.waited = turn.waited
            end = growing.reply(growing.ended(options, stop.is_set()))
    finally:
        turn.leave()
    yield end


class _Growing:
    """The tokens of a reply so far."""

    def __init__(self, chatter: Chatter, prompt_tokens: int, notes: tuple[str, ...]) -> None:
        self.chatter, self.prompt_tokens, self.notes = chatter, prompt_tokens, notes
        self.choices: list[Choice] = []
        self.ids: list[int] = []
        self.started, self.first, self.waited = time.perf_counter(), None, 0.0

    def add(self, choice: Choice, waited: float) -> None:
        self.waited = waited
        self.first = self.first or time.perf_counter() - self.started - self.waited
        self.choices.append(choice)
        self.ids.append(choice.id)

    def ended(self, options: Sampling, stopped: bool) -> str:
        """How it came to its end."""
        if self.ids and self.ids[-1] in self.chatter.eos_ids:
            return "eos"
        full = self.prompt_tokens + len(self.ids) >= self.chatter.context and len(self.ids) < options.max_tokens
        return "context" if full else "length" if len(self.ids) >= options.max_tokens or not stopped else "stopped"

    def reply(self, finish: str = "") -> Reply:
        # A token may end inside a character; what is not whole yet is held back rather than shown as a replacement mark.
        text = self.chatter.tokenizer.decode(self.ids, skip_special_tokens=True).rstrip("\ufffd").strip()
        script, share = main_script(text), 0.0
        notes, repeated = self.notes, ""
        if finish:
            from ..training.answering import looped

            share = script_shares(Counter(text)).get(script, 0.0)
            repeated = looped(text[-LOOKED_AT:])
            notes = (
                *notes,
                *([f"{self.chatter.name} names no token that ends a text, so its replies go on to the limit."] if not self.chatter.eos_ids else []),
            )
        seconds = max(time.perf_counter() - self.started - self.waited, 1e-6)
        return Reply(
            text, len(self.ids), len(text), seconds, self.first, finish, self.chatter.fingerprint, self.chatter.name, script, round(share, 4),
            self.chatter.vocabulary, self.waited, self.prompt_tokens, self.chatter.context, repeated, notes,
            tuple(self.choices) if finish else (),
        )  # fmt: skip


def side_by_side(
    question: str | Sequence[Message], options: Sampling | None = None, device: str | Sequence[str] = "auto", dtype: str = "auto", **models: str | Path
) -> SideBySide:
    """Ask one to four models the same; `models` are references by side, for example original="demo:en-chat".

    `device`: one for all, where the sides run one after the other, or one for each side: those on different devices run at once. Raises WorkbenchError for
    another number of models or devices.
    """
    messages = [{"role": "user", "content": question}] if isinstance(question, str) else list(question)
    if not 1 <= len(models) <= SIDES:
        raise WorkbenchError(f"Give one to {SIDES} models by side, such as original='demo:en-chat'; here are {len(models)}.")
    places = [device] * len(models) if isinstance(device, str) else list(device)
    if len(places) != len(models):
        raise WorkbenchError(f"Give one device, or one for each of the {len(models)} models; here are {len(places)}.")
    chatters = {side: load(reference, place, dtype) for (side, reference), place in zip(models.items(), places, strict=True)}
    by_device: dict[str, dict[str, Chatter]] = {}
    for side, chatter in chatters.items():
        by_device.setdefault(chatter.device, {})[side] = chatter
    with ThreadPoolExecutor(len(by_device)) as threads:
        told = [one for part in threads.map(partial(_in_turn, messages, options), by_device.values()) for one in part.items()]
    replies = dict(told)
    tokenizers = {side: chatter.tokenizer for side, chatter in chatters.items()}
    return SideBySide(messages, {side: replies[side] for side in models}, same_weights(chatters), tokenizers)


def _in_turn(messages: list[Message], options: Sampling | None, chatters: Mapping[str, Chatter]) -> dict[str, Reply]:
    said = {}
    for side, chatter in chatters.items():
        *_, said[side] = reply(chatter, messages, options)
    return said
