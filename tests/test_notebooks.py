"""Every notebook runs from top to bottom, says no error, and is committed without output."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

import workbench

NOTEBOOKS = Path(workbench.__file__).parent.parent / "notebooks"
# The suite looks at the way, not at the quality: a few steps of training do. The slow test changes nothing.
QUICK = {
    "training.Align(": "training.Align(steps=20, eval_documents=10, block=64, ", ", steps=400)": ")", "new_tokens=400": "new_tokens=200",
    "seeds=2": "seeds=1", "steps=[0, 10, 50, 200]": "steps=[0, 5], documents=5", "documents=100": "documents=10", ', vectors="demo:ru"': "",
}  # fmt: skip
# Their last section runs a whole recipe, as tests/recipes/test_shipped does.
LEFT_OUT = ('recipe="lep", scale="demo"', 'recipe="salt", scale="demo"', 'recipe="persian", scale="demo"')
found = pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda p: p.stem)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """One for all quick runs, emptied before each: the libraries take longer to import than most of them to run."""
    manager = pytest.importorskip("jupyter_client", reason="notebooks cannot be run without it (extra test)").AsyncKernelManager(kernel_name="python3")
    yield {"km": manager, "env": os.environ | {"WORKBENCH_HOME": str(tmp_path_factory.mktemp("home"))}}
    if manager.has_kernel:
        from jupyter_core.utils import run_sync

        run_sync(manager.shutdown_kernel)(now=True)


def run(path: Path, changes: dict[str, str], seconds: int, left_out: tuple[str, ...] = (), kernel: dict[str, Any] | None = None) -> None:
    nbclient, nbformat = (pytest.importorskip(name, reason="notebooks cannot be run without it (extra test)") for name in ("nbclient", "nbformat"))
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = list(takewhile(lambda cell: not any(text in cell.source for text in left_out), notebook.cells))
    for cell in notebook.cells:
        for old, new in changes.items():
            cell.source = cell.source.replace(old, new)
    shared, started = ({"km": kernel["km"]}, {"env": kernel["env"]}) if kernel else ({}, {})
    if kernel:
        notebook.cells.insert(0, nbformat.v4.new_code_cell("%reset -f"))
    nbclient.NotebookClient(notebook, timeout=seconds, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}, **shared).execute(**started)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not [o for o in cell.outputs if o.output_type == "error"]


@found
def test_runs(path: Path, kernel: dict[str, Any]) -> None:
    run(path, QUICK, 300, LEFT_OUT, kernel)


@pytest.mark.slow
@found
def test_runs_in_full(path: Path) -> None:
    run(path, {}, 1200)


@found
def test_is_thin_and_carries_no_output(path: Path) -> None:
    import json

    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
            assert len("".join(cell["source"]).splitlines()) <= 15, "work belongs into the core"
