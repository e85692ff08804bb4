"""From pressing Run to the end of a short job: in a process of its own against a fork of one that has its imports behind it, in turns.

    python -m tests.benchmarks.bench_jobs [--rounds 5]

Prints one JSON row per step: seconds of each (medians), and the ratio fork / own process of a round. The steps are those of the demo's first journey that
work shortest, so that what is measured is the start.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable
from functools import partial

from .timing import paired

STEPS = {
    "corpus": {"source": "demo:ru", "limit": 100},
    "transfer": {"model": "demo:en-base", "tokenizer": "demo:en-base"},
    "evaluate": {"models": ["demo:en-base"], "text": "demo:ru", "documents": 5},
}  # fmt: skip


def ended(step: str, forks: bool) -> None:
    """Run one job to its end."""
    from workbench import forking, jobs
    from workbench.steps import from_flat

    forked, forking.start = forking.start, forking.start if forks else lambda path: False
    try:
        job = jobs.submit(from_flat(step, STEPS[step]))
    finally:
        forking.start = forked
    assert job.wait(300).state == "done", job.error


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as home:
        os.environ["WORKBENCH_HOME"] = home
        from workbench import forking

        forking.prepare()
        for step in STEPS:
            works: dict[str, Callable[[], None]] = {"own": partial(ended, step, False), "fork": partial(ended, step, True)}
            print(json.dumps({"benchmark": "jobs", "step": step, **paired(works, rounds), "load": round(os.getloadavg()[0], 1)}), flush=True)


if __name__ == "__main__":
    main()
