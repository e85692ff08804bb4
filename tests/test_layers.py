"""Imports flow downwards only, and late."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import workbench

ROOT = Path(workbench.__file__).parent
HOSTS = {"ui", "widgets", "spacewidgets", "__main__"}
ABOVE = {"jobs", "forking", "runs", "plots", "transferplots", "spaceplots", "pictures", *HOSTS}
FILES = sorted(p for p in ROOT.rglob("*.py"))


def modules(path: Path) -> set[str]:
    """First components of the workbench modules that a file imports, wherever in it."""
    here = ["workbench", *path.relative_to(ROOT).with_suffix("").parts]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level] if node.level else []
            stem = [*base, *([node.module] if node.module else [])]
            found |= {".".join([*stem, a.name]) for a in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_imports_only_what_lies_below_it(path: Path) -> None:
    noun = path.relative_to(ROOT).parts[0].removesuffix(".py")
    ours = {m.split(".")[1] for m in modules(path) if m.startswith("workbench.")}
    theirs = {m.split(".")[0] for m in modules(path)}
    if noun != "ui":
        assert "gradio" not in theirs
        assert "ui" not in ours
    if noun not in ABOVE:
        assert not ours & (ABOVE - {"jobs"} if noun == "steps" else ABOVE)
    if noun not in {"widgets", "spacewidgets", "plots", "transferplots", "spaceplots", "pictures", "ui"}:
        assert "plotly" not in theirs
    if noun not in {"widgets", "spacewidgets"}:
        assert not theirs & {"ipywidgets", "anywidget", "IPython"}


def test_import_is_instant_and_lists_names_without_loading_them() -> None:
    code = "import sys, workbench; dir(workbench); bad = {'torch', 'transformers', 'gradio', 'numpy', 'pydantic'} & set(sys.modules); assert not bad, bad"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_menu_loads_no_heavy_library() -> None:
    heavy = {"torch", "transformers", "gradio", "datasets", "sklearn", "umap"}
    code = f"import sys; from workbench.steps import menu; menu(); bad = {heavy} & set(sys.modules); assert not bad, bad"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_there() -> None:
    for name in workbench.__all__:
        assert getattr(workbench, name) is not None
        for public in getattr(getattr(workbench, name), "__all__", []):
            assert getattr(getattr(workbench, name), public) is not None


def test_core_never_prints() -> None:
    for path in FILES:
        if path.relative_to(ROOT).parts[0].removesuffix(".py") in HOSTS | {"jobs"}:
            continue
        tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        called = {node.func.id for node in tree if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
        assert not called & {"print", "input", "exit"}, path


def test_files_stay_small() -> None:
    long = {str(p.relative_to(ROOT)): n for p in FILES if (n := len(p.read_text(encoding="utf-8").splitlines())) > 300}
    assert not long
