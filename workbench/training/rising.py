"""A number that should fall, watched: said once, when it rises for good."""

from __future__ import annotations

from collections import deque


class Rising:
    """Watches a measured number, such as a loss or the bits per byte of source text, and words one warning when it rises.

    `by` is how far the mean of the last `over` values may lie above the lowest such mean so far; one noisy value is no rise.
    """

    def __init__(self, name: str, by: float, advice: str, over: int = 5) -> None:
        self.name, self.by, self.advice = name, by, advice
        self.last: deque[float] = deque(maxlen=over)
        self.lowest: float | None = None
        self.said = False

    def see(self, step: int, value: float) -> str | None:
        """The warning, at the first step at which it holds, else None."""
        self.last.append(value)
        if len(self.last) < (self.last.maxlen or 1):
            return None
        mean = sum(self.last) / len(self.last)
        self.lowest = mean if self.lowest is None else min(self.lowest, mean)
        if self.said or mean <= self.lowest + self.by:
            return None
        self.said = True
        return f"The {self.name} has risen from {self.lowest:.2f} to {mean:.2f} by step {step}; {self.advice}."
