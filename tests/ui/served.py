"""The app as a process of its own, on a free port, with a home folder of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def served(home: Path, environment: dict[str, str], seconds: float = 120) -> Iterator[str]:
    """The address of a running app; the process is ended by its handle, and so are the jobs it left."""
    port = free_port()
    settings = os.environ | environment | {"WORKBENCH_HOME": str(home), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    log = (home / "app.log").open("wb")
    process = subprocess.Popen([sys.executable, "app.py", "--port", str(port)], cwd=ROOT, env=settings, stdout=log, stderr=log)
    try:
        wait_for(f"http://127.0.0.1:{port}/", process, home / "app.log", seconds)
        yield f"http://127.0.0.1:{port}/"
    finally:
        for job in (home / "jobs").glob("*/job.json"):
            (job.parent / "stop").touch()
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        log.close()


def wait_for(address: str, process: subprocess.Popen[bytes], log: Path, seconds: float) -> None:
    end = time.time() + seconds
    while time.time() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the app ended: {log.read_text(encoding='utf-8')}")
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.5)
    raise TimeoutError(f"the app did not answer in {seconds:.0f} s: {log.read_text(encoding='utf-8')}")
