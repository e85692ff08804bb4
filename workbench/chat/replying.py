"""Replies as they grow, from one model or from several side by side."""

from __future__ import annotations

import queue
import threading
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from ..specs import Options
from .loading import Chatter, Message, load


class Sampling(Options):
    """How a reply is generated."""

    max_tokens: int = Field(96, ge=1, le=8192, description="Longest reply, in tokens.")
    temperature: float = Field(0.0, ge=0, le=5, description="0 takes the likeliest token each time; higher is freer.")
    top_p: float = Field(1.0, gt=0, le=1, description="Sample only from the likeliest tokens that together have this probability.")
    seed: int = Field(0, ge=0, lt=2**63, description="The same seed gives the same sample.")


@dataclass(frozen=True)
class Reply:
    """A reply as far as it has come.

    `finish` is "" while it grows, then "eos", "length" or "stopped". `seconds` counts from the question, `first_seconds`
    to the first token; `script` is the script of most letters.
    """

    text: str
    tokens: int
    characters: int
    seconds: float
    first_seconds: float | None
    finish: Literal["", "eos", "length", "stopped"]
    fingerprint: str
    model: str
    script: str


@dataclass(frozen=True)
class SideBySide:
    """One question and each model's reply."""

    messages: list[Message]
    replies: dict[str, Reply]

    def rows(self) -> list[dict[str, Any]]:
        return [{"side": side} | asdict(reply) for side, reply in self.replies.items()]


def reply(chatter: Chatter, messages: Sequence[Message], options: Sampling | None = None, stop: threading.Event | None = None) -> Iterator[Reply]:
    """The reply as it grows: one `Reply` a token, the last with `finish` set.

    Generation runs in a thread of its own; setting `stop`, or closing this generator, ends it at the next token.
    """
    options, stop = options or Sampling(), stop or threading.Event()
    from .generating import generate

    ids = chatter.prompt(messages)
    started = time.perf_counter()
    tokens: queue.Queue[list[int] | BaseException | None] = queue.Queue()
    closed = threading.Event()
    ending = partial(_any_set, stop, closed)
    worker = threading.Thread(target=generate, args=(chatter, ids, options, ending, tokens), daemon=True)
    worker.start()
    made: list[int] = []
    first = None
    try:
        while (item := tokens.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            made += item
            first = first or time.perf_counter() - started
            yield _reply(chatter, made, started, first, "")
        ended = bool(made) and made[-1] in chatter.eos_ids
        yield _reply(chatter, made, started, first, "eos" if ended else "stopped" if stop.is_set() else "length")
    finally:
        closed.set()
        worker.join(timeout=30)


def _any_set(*events: threading.Event) -> bool:
    return any(event.is_set() for event in events)


def side_by_side(
    question: str | Sequence[Message], options: Sampling | None = None, device: str = "auto", dtype: str = "auto", **models: str | Path
) -> SideBySide:
    """Ask several models the same; `models` are references by side, for example original="demo:en-chat"."""
    messages = [{"role": "user", "content": question}] if isinstance(question, str) else list(question)
    replies: dict[str, Reply] = {}
    for side, reference in models.items():
        *_, last = reply(load(reference, device, dtype), messages, options)
        replies[side] = last
    return SideBySide(messages, replies)


def script_of(text: str) -> str:
    """The script that most letters are written in, or '' without letters."""
    names = Counter(unicodedata.name(c, "?").split(" ")[0].title() for c in text if c.isalpha())
    return names.most_common(1)[0][0] if names else ""


def _reply(chatter: Chatter, made: list[int], started: float, first: float | None, finish: str) -> Reply:
    # A token may end inside a character; what is not whole yet is held back rather than shown as a replacement mark.
    text = chatter.tokenizer.decode(made, skip_special_tokens=True)
    text = text.rstrip("\ufffd")
    return Reply(text.strip(), len(made), len(text.strip()), time.perf_counter() - started, first, finish, chatter.fingerprint, chatter.name, script_of(text))
