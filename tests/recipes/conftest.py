"""A short journey over tiny models, in a file of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny
import yaml


class Written:
    """A recipe in a file; `change` writes it anew with parts of it replaced."""

    def __init__(self, file: Path, recipe: dict[str, Any]) -> None:
        self.file, self.recipe = file, recipe
        self.write()

    def __str__(self) -> str:
        return str(self.file)

    def write(self) -> None:
        self.file.write_text(yaml.safe_dump(self.recipe, sort_keys=False, allow_unicode=True), encoding="utf-8")

    def change(self, **parts: Any) -> None:
        self.recipe |= parts
        self.write()


@pytest.fixture
def journey(tmp_path: Path) -> Written:
    base, chat = tiny.folder(tmp_path / "base"), tiny.folder(tmp_path / "chat", seed=1, chat=True)
    text = tmp_path / "text.txt"
    text.write_text("\n".join(f"{line} {n}" for n in range(40) for line in tiny.RUSSIAN), encoding="utf-8")
    values = {"base": {"demo": str(base), "paper": "some-lab/base"}, "chat": {"demo": str(chat), "paper": "some-lab/chat"}}
    steps = {
        "longer": {"step": "tokenizer.extend", "base": "$base", "text": str(text), "script": "Cyrillic", "scales": {
            "demo": {"new_tokens": 20}, "paper": {"new_tokens": 20_000},
        }},
        "start": {"step": "transfer", "model": "$base", "tokenizer": "$longer", "method": "mean", "weight": 3},
        "result": {"step": "lep", "base": "$base", "adapted": "$start", "instruct": "$chat", "variant": "swap"},
        "scores": {"step": "evaluate", "models": ["$base", "$start"], "text": str(text), "source_text": str(text), "documents": 3},
        "chats": {"step": "chat", "models": ["$chat", "$result"], "prompt": "кто", "max_tokens": 3},
    }  # fmt: skip
    report = {"new": "$start.new", "replies": {"original": "$chats.rows.0.text", "adapted": "$chats.rows.1.text"}, "constant": 1}
    sizes = {"some-lab/base": {"parameters": 8.0e9, "rows": 128_000, "width": 4096, "tables": 2}}
    return Written(tmp_path / "journey.yaml", {"values": values, "sizes": sizes, "steps": steps, "table": ["scores"], "report": report})
