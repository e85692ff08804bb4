"""Votes on replies side by side, and what they add up to."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any

from . import log

if TYPE_CHECKING:
    from .comparisons import Comparison

VERDICTS = ("tie", "bad")  # beside the letter of the side that is better
FILE = "votes.jsonl"
Vote = Mapping[str, Any]


def cast(comparison: Comparison, turn: int, verdict: str) -> None:
    """Keep a vote, with the weights that it is about: a model that is trained on under the same name is another one."""
    replies = comparison.turns[turn].replies
    sides = {side: {"model": said["model"], "fingerprint": said["fingerprint"]} for side, said in replies.items()}
    about = {"comparison": comparison.id, "turn": turn, "prompt": comparison.turns[turn].question, "blind": comparison.hidden}
    log.append(log.folder() / FILE, about | {"verdict": verdict, "sides": sides, "at": time.time()})


def votes() -> list[Vote]:
    """All votes that count: of several on the same turn of a conversation with the same weights, the last one."""
    found: dict[tuple[Any, ...], Vote] = {}
    for vote in log.read(log.folder() / FILE):
        prints = tuple(sorted(side["fingerprint"] for side in vote["sides"].values()))
        found[vote["comparison"], vote["turn"], vote["prompt"], prints] = vote
    return list(found.values())


def tally(given: Iterable[Vote] | None = None) -> list[dict[str, Any]]:
    """A row for each pair of models: wins of the first and of the second, ties, both bad, and the first one's share of the decided votes.

    `low` and `high` are Wilson's 95 % interval of that share (E. B. Wilson 1927), which also holds for few votes and shares near 0 and 1. Among more
    than two sides the better one wins against each of the others. Pairs are told apart by their weights, and blind votes are counted for themselves.
    """
    from scipy.stats import binomtest

    counts: dict[tuple[str, str, bool], Counter[str]] = {}
    names: dict[str, str] = {}
    for vote in votes() if given is None else given:
        sides = vote["sides"]
        names |= {side["fingerprint"]: side["model"] for side in sides.values()}
        for one, two in combinations(sorted(sides, key=lambda s: sides[s]["fingerprint"]), 2):
            pair = (sides[one]["fingerprint"], sides[two]["fingerprint"], bool(vote["blind"]))
            verdict = vote["verdict"]
            if verdict in VERDICTS or verdict in (one, two):
                counts.setdefault(pair, Counter())[verdict if verdict in VERDICTS else "first" if verdict == one else "second"] += 1
    rows = []
    for (one, two, blind), count in counts.items():
        decided = count["first"] + count["second"]
        interval = binomtest(count["first"], decided).proportion_ci(method="wilson") if decided else None
        rows.append(
            {
                "first": names[one], "second": names[two], "blind": blind, "first_wins": count["first"], "second_wins": count["second"],
                "ties": count["tie"], "both_bad": count["bad"], "win_rate_of_first": count["first"] / decided if decided else None,
                "low": float(interval.low) if interval else None, "high": float(interval.high) if interval else None,
                "first_weights": one, "second_weights": two,
            }
        )  # fmt: skip
    return sorted(rows, key=lambda row: -(row["first_wins"] + row["second_wins"] + row["ties"] + row["both_bad"]))
