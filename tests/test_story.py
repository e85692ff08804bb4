"""The eight nouns: module, page, notebook and heading have one name and one order, as far as they are there."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import workbench

NOUNS = ("corpus", "tokenizer", "fertility", "transfer", "spaces", "training", "chat", "evaluation")
ROOT = Path(workbench.__file__).parent
NOTEBOOK = {"tour": 0, "corpus": 1, "tokenizer": 2, "fertility": 3, "transfer": 4, "spaces": 5, "training": 6, "chat": 7, "evaluation": 8}


def modules() -> list[str]:
    return [noun for noun in NOUNS if importlib.util.find_spec(f"workbench.{noun}")]


def test_headings_of_the_readme_are_the_modules_in_their_order() -> None:
    text = (ROOT.parent / "README.md").read_text(encoding="utf-8")
    assert [h.lower() for h in re.findall(r"^### (\w+)$", text, re.M)] == modules()


def test_pages_are_nouns() -> None:
    pages = {p.stem for p in (ROOT / "ui" / "pages").glob("*.py")} - {"__init__", "start", "artefacts"}
    assert pages <= set(modules())


def test_notebooks_are_numbered_nouns_or_papers() -> None:
    for path in (ROOT.parent / "notebooks").glob("*.ipynb"):
        number, _, noun = path.stem.partition("_")
        assert NOTEBOOK.get(noun) == int(number) if number.isdigit() else number == "paper"


def test_the_menu_follows_the_story() -> None:
    from workbench.steps import menu

    nouns = [classes[0].__module__.split(".")[1] for classes in menu().values()]
    order = [NOUNS.index(n) for n in nouns if n in NOUNS]
    assert order == sorted(order)


def test_the_readme_shows_only_commands_that_exist() -> None:
    import shlex

    from workbench.specs import knobs
    from workbench.steps import find, menu

    text = (ROOT.parent / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^(?:\S*/)?workbench ([a-z.]+ .*?)(?:\s+#.*)?$", text, re.M)
    assert len(lines) >= 5
    for line in lines:
        words = shlex.split(line)
        command = ".".join(words[:2]) if ".".join(words[:2]) in menu() else words[0]
        stage = words[words.index("--stage") + 1] if "--stage" in words else None
        known = {"--" + (k.flag or k.name.replace("_", "-")) for k in knobs(find(command, stage))} | {"--json", "--name", "--figure", "--report"}
        assert {w for w in words if w.startswith("--")} <= known, line
