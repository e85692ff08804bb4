"""Who may compute next on a device: first come, first served, a token at a time."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import cache


class Turns:
    """The queue of one device. Two replies at once take turns token by token, so that both are seen to grow and neither is slowed by more than its share."""

    def __init__(self) -> None:
        self.lock, self.queue = threading.Lock(), deque[threading.Event]()

    def take(self, stop: Callable[[], bool]) -> Turn | None:
        """Wait for a first turn; None where `stop` says so before it has come."""
        turn = Turn(self, stop)
        self.join(turn)
        if turn.wait():
            return turn
        self.leave(turn)
        return None

    def leave(self, turn: Turn) -> None:
        with self.lock:
            if turn.mine in self.queue:
                self.queue.remove(turn.mine)
            turn.mine.clear()
            self._next()

    def join(self, turn: Turn) -> None:
        with self.lock:
            self.queue.append(turn.mine)
            self._next()

    @property
    def waiting(self) -> int:
        """Replies under way, those that wait included."""
        return len(self.queue)

    def _next(self) -> None:
        if self.queue:
            self.queue[0].set()


class Turn:
    """One reply's place in the queue. `waited`: seconds that others had, or in which nobody asked for the next token."""

    def __init__(self, turns: Turns, stop: Callable[[], bool]) -> None:
        self.turns, self.stop, self.mine = turns, stop, threading.Event()
        self.waited, self.left = 0.0, 0.0

    def wait(self, started: float | None = None) -> bool:
        """Whether its turn has come; false where it is to stop instead. A stop is heard within a tenth of a second."""
        started = started or time.perf_counter()
        try:
            while not self.mine.wait(0.1):
                if self.stop():
                    return False
            return True
        finally:
            self.waited += time.perf_counter() - started

    def pass_on(self) -> None:
        """Let whoever waits compute one token, then go on."""
        with self.turns.lock:
            if len(self.turns.queue) < 2:
                return
            self.mine.clear()
            self.turns.queue.remove(self.mine)
            self.turns.queue.append(self.mine)
            self.turns._next()
        self.wait()

    def leave(self) -> None:
        self.left = time.perf_counter()
        self.turns.leave(self)

    def back(self) -> None:
        """Into the queue again, at its end, after `leave`."""
        self.turns.join(self)
        self.wait(self.left)


@cache
def of(device: str) -> Turns:
    """The queue of a device."""
    return Turns()
