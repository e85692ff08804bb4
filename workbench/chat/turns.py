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
        turn.join()
        try:
            came = turn.wait()
        except BaseException:  # an interrupt: its place would hold up all others for good
            turn.leave()
            raise
        if came:
            return turn
        turn.leave()
        return None

    def leave(self, turn: Turn) -> None:
        with self.lock:
            self.queue.remove(turn.mine)
            turn.mine.clear()
            self._next()

    def join(self, turn: Turn) -> None:
        with self.lock:
            self.queue.append(turn.mine)
            self._next()

    @property
    def waiting(self) -> int:
        """Replies that compute or wait to; not those whose reader has not asked for more."""
        return len(self.queue)

    def _next(self) -> None:
        if self.queue:
            self.queue[0].set()


class Turn:
    """One reply's place in the queue. `waited`: seconds that others had, or in which nobody asked for the next token."""

    def __init__(self, turns: Turns, stop: Callable[[], bool]) -> None:
        self.turns, self.stop, self.mine = turns, stop, threading.Event()
        self.inside, self.waited, self.left = False, 0.0, 0.0

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

    def join(self) -> None:
        self.inside = True
        self.turns.join(self)

    def leave(self) -> None:
        if self.inside:  # asked first: a reply that has left may be collected while this thread holds the queue's lock
            self.inside, self.left = False, time.perf_counter()
            self.turns.leave(self)

    def back(self) -> None:
        """Into the queue again, at its end, after `leave`."""
        self.join()
        self.wait(self.left)


@cache
def of(device: str) -> Turns:
    """The queue of a device."""
    return Turns()
