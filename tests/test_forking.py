"""Jobs forked from a process that has its imports behind it: the same jobs, sooner."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from workbench import forking, jobs, store
from workbench.steps import from_flat


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(forking, "_ready", None)
    forking.prepare()
    yield forking._ready
    forking._ready.stdin.close()
    assert forking._ready.wait(30) == 0, "it ends with its input"


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("\n".join(f"The bear number {n} lives in the forest." for n in range(400)))
    return path


def test_forked_jobs_do_their_work_and_say_how_they_ended(prepared, text: Path) -> None:
    with_text, without = (jobs.submit(from_flat("corpus", {"source": str(source)})) for source in (text, text.with_name("nothing.txt")))
    assert with_text.wait(120).state == "done", with_text.error
    assert store.open_artefact(with_text.result["id"]).kind == "corpus"
    assert without.wait(120).state == "failed"
    assert "nothing.txt" in without.error
    assert prepared.poll() is None, "a job that failed took nothing down with it"
    assert (with_text.path / "output.log").is_file()


def test_where_it_is_gone_jobs_start_by_themselves(prepared, text: Path) -> None:
    prepared.kill()
    prepared.wait(10)
    assert not forking.start(text)
    forking.prepare()  # and here for the next ones
    assert jobs.submit(from_flat("corpus", {"source": str(text)})).wait(120).state == "done"


def test_a_job_outlives_its_host(text: Path) -> None:
    host = (
        "from workbench import forking, jobs; from workbench.steps import from_flat; forking.prepare(); "
        f"print(jobs.submit(from_flat('corpus', {{'source': {str(text)!r}}})).id)"
    )
    said = subprocess.run([sys.executable, "-c", host], capture_output=True, text=True, check=True, timeout=120)
    assert jobs.open_job(said.stdout.strip()).wait(120).state == "done"
