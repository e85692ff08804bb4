"""References and paths as users write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workbench import refs
from workbench.__main__ import main
from workbench.errors import WorkbenchError

NOT_PATHS = ["~nobody-of-this-name/a.txt", "a\0b.txt", "a" * 300 + ".txt"]


@given(st.text(max_size=20))
@example(NOT_PATHS[0])
@example(NOT_PATHS[1])
@example(NOT_PATHS[2])
@example("\ud83d")
def test_a_text_is_a_path_or_refused_in_one_sentence(text: str) -> None:
    said = ""
    try:
        made = refs.path(text)
    except WorkbenchError as error:
        said = str(error)
    assert said.endswith("give another path.") if said else isinstance(made, Path)
    assert "\n" not in said


@pytest.mark.parametrize("place", NOT_PATHS)
@pytest.mark.parametrize(
    "line",
    [
        "chat.batch --models demo:en-chat --prompts PLACE", "train --stage instruct demo:en-chat PLACE", "evaluate demo:en-base --choices PLACE",
        "demo.check --file PLACE", "demo.build --out PLACE", "import PLACE", "corpus PLACE",
    ],
)  # fmt: skip
def test_what_cannot_be_a_path_is_one_sentence_in_every_step(line: str, place: str, capsys: pytest.CaptureFixture[str]) -> None:
    command, *words = line.split()
    assert main([*command.split("."), *(place if word == "PLACE" else word for word in words)]) == 2
    said = capsys.readouterr().err
    assert any(reason in said for reason in ("cannot be looked up", "is no artefact, file, folder", "is no file, folder"))
