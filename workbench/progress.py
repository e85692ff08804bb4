"""Typed events through one callback: how core code reports without printing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from .errors import Stopped

T = TypeVar("T")
Kind = Literal["progress", "metric", "note", "warning", "sample"]


@dataclass(frozen=True)
class Event:
    """One thing that happened; `data` is JSON."""

    kind: Kind
    message: str = ""
    fraction: float | None = None
    data: dict[str, Any] = field(default_factory=dict)
    at: float = field(default_factory=time.time)

    def json(self) -> dict[str, Any]:
        return asdict(self)


class Progress:
    """Where a step reports to. `Progress()` is silent; a host passes a `sink` and says by `stop` when to end.

    Every report is also the moment at which a stop is noticed: it raises `Stopped`. `work` is a folder in which the step
    may keep what it needs to go on after a stop or a kill; None where nobody will ask it to.
    """

    def __init__(self, sink: Callable[[Event], None] | None = None, stop: Callable[[], bool] | None = None, work: Path | None = None) -> None:
        self.sink = sink or (lambda event: None)
        self.stopping = stop or (lambda: False)
        self.leaving = self.stopping  # the same, also where this process stops only together with others: heeded while it waits for them
        self.work = work
        self.span = (0.0, 1.0)

    def check(self) -> None:
        """Raise `Stopped` if the host has asked for it."""
        if self.stopping():
            raise Stopped("Stopped at your request; run the step again to redo it.")

    def at(self, fraction: float, message: str = "") -> None:
        """Say how far the work is, 0 to 1 of this part."""
        low, high = self.span
        self._emit(Event("progress", message, low + (high - low) * min(max(fraction, 0.0), 1.0)))

    def track(self, items: Iterable[T], total: int, message: str = "") -> Iterator[T]:
        """Pass items through, reporting about a hundred times."""
        every = max(total // 100, 1)
        for n, item in enumerate(items):
            if n % every == 0:
                self.at(n / max(total, 1), message)
            yield item

    def metric(self, **values: float) -> None:
        """Report numbers of a running curve, for example step=10, loss=2.5."""
        self._emit(Event("metric", data=values))

    def note(self, message: str) -> None:
        self._emit(Event("note", message))

    def warn(self, message: str) -> None:
        """Something the user should see, though the work goes on."""
        self._emit(Event("warning", message))

    def sample(self, text: str, **about: Any) -> None:
        """A text that a model being trained generates."""
        self._emit(Event("sample", text, data=about))

    def part(self, low: float, high: float, work: str = "") -> Progress:
        """A child whose 0 to 1 is `low` to `high` of this one; `work` names its own folder within this one's."""
        start, end = self.span
        child = Progress(self.sink, self.stopping, self.work / work if self.work and work else self.work)
        child.leaving = self.leaving
        child.span = (start + (end - start) * low, start + (end - start) * high)
        return child

    def _emit(self, event: Event) -> None:
        self.check()
        self.sink(event)
