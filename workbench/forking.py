"""Jobs that begin at once: a process that has the heavy imports behind it forks itself for each of them.

The libraries a job needs take seconds to import, more than many a job of the demo works for: a short evaluation takes an eighth of the time
(tests/benchmarks/bench_jobs.py). A host that stays, such as the app, calls `prepare`; then each job is a child of that process, in a session of its
own, and outlives both it and the host as other jobs do.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

MODULES = ("torch", "transformers.trainer", "transformers.models.auto.modeling_auto", "transformers.models.auto.tokenization_auto", "peft", "workbench.steps")
_lock = threading.Lock()
_ready: subprocess.Popen[str] | None = None


def prepare() -> None:
    """From now on `start` forks, where the system can. The process is gone when this one is: it reads until its input ends."""
    global _ready
    with _lock:
        if hasattr(os, "fork") and (_ready is None or _ready.poll() is not None):
            _ready = subprocess.Popen([sys.executable, "-m", __name__], stdin=subprocess.PIPE, text=True, start_new_session=True)


def start(path: Path) -> bool:
    """Have the job of this folder run by a fork. False where nobody prepared one, or it is gone: the job then needs a process of its own."""
    with _lock:
        if _ready is None or _ready.poll() is not None or _ready.stdin is None:
            return False
        with contextlib.suppress(BrokenPipeError):
            _ready.stdin.write(f"{path}\n")
            _ready.stdin.flush()
            return True
        return False


def serve(run: Callable[[Path], int]) -> None:
    """Import, then fork for every folder named on the input. No thread is started here, and no model opened: forks would lack the one and share the other."""
    for module in MODULES:
        import_module(module)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system forgets them as they end
    for line in sys.stdin:
        if os.fork() == 0:
            os._exit(_child(run, Path(line.rstrip("\n"))))


def _child(run: Callable[[Path], int], path: Path) -> int:
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(path / "output.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for old, new in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(old, new)
    try:
        return run(path)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


if __name__ == "__main__":
    from workbench.jobs import run_folder

    serve(run_folder)
