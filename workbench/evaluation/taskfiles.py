"""Tasks from JSONL files: what a file holds is told by the fields of its first line, and every other line must be of the same form."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import refs
from ..corpus.formats import surrogate
from ..errors import WorkbenchError

Item = dict[str, Any]
LETTERED = re.compile(r"(Option )?([A-Za-z])")
NUMBERS = (int, float)


@dataclass(frozen=True)
class TaskFile:
    """A file's items, the kind of task they are, and how many there are before it was cut to size."""

    name: str
    kind: str  # a name in FORMS
    items: list[Item]


def read_task(reference: str | Path, count: int = 0) -> TaskFile:
    """The items of a file, `count` at most. Labelled ones (instruction, input, output: the Persian paper's) become choices.

    Raises WorkbenchError that names the line and what is wrong with it.
    """
    path = refs.path(reference)
    if not path.is_file():
        raise WorkbenchError(f"{path} is not a file; give a JSONL file of items: {forms()}.")
    kind, items = "", []
    for number, line in enumerate(_lines(path), 1):
        if line.strip():
            item = _object(path, number, line)
            kind = kind or _kind(path, number, item)
            if reason := FORMS[kind].wrong(item):
                raise WorkbenchError(f"Line {number} of {path} is no {kind}: {reason}; every line must be {FORMS[kind].form}.")
            items.append(item)
    if not items:
        raise WorkbenchError(f"{path} holds no item; give at least one line: {forms()}.")
    if kind == "labelled item":
        kind, items = "choice", _choices(path, items)
    return TaskFile(str(reference), kind, items[: count or None])


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise WorkbenchError(f"{path} cannot be read as UTF-8 text ({type(error).__name__}); save it as UTF-8, one JSON object a line.") from None


def _object(path: Path, number: int, line: str) -> Item:
    try:
        item = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise WorkbenchError(f"Line {number} of {path} is no JSON ({str(error).rstrip('.')}); write one JSON object a line.") from None
    if not isinstance(item, dict):
        raise WorkbenchError(f"Line {number} of {path} is {_called(item)}, not an object; write one JSON object a line.")
    return item


def _kind(path: Path, number: int, item: Item) -> str:
    found = next((name for name, form in FORMS.items() if form.fields <= item.keys()), "")
    if not found:
        raise WorkbenchError(f"Line {number} of {path} has the fields {', '.join(map(str, item)) or 'none'}, which no task has; give {forms()}.")
    return found


def _texts(*fields: str) -> Callable[[Item], str]:
    def wrong(item: Item) -> str:
        return next((said for name in fields if (said := _no_text(name, item.get(name)))), "") or _no_instruction(item)

    return wrong


def _no_text(name: str, value: Any) -> str:
    if value is None:
        return f"'{name}' is missing"
    if not isinstance(value, str):
        return f"'{name}' is {_called(value)}, not text"
    return f"'{name}' is empty" if not value.strip() else f"'{name}' holds half a character" if surrogate(value) else ""


def _called(value: Any) -> str:
    return {bool: "true or false", list: "a list", dict: "an object", str: "text", type(None): "nothing"}.get(type(value), "a number")


def _no_instruction(item: Item) -> str:
    return _no_text("instruction", item["instruction"]) if "instruction" in item else ""


def _wrong_choice(item: Item) -> str:
    options, right = item.get("options"), item.get("right")
    if said := _no_text("prompt", item.get("prompt")):
        return said
    if not isinstance(options, list) or len(options) < 2 or not all(isinstance(option, str) and option for option in options):
        return "'options' is no list of at least two texts"
    fits = isinstance(right, int) and not isinstance(right, bool) and 0 <= right < len(options)
    return "" if fits else f"'right' is no number from 0 to {len(options) - 1}"


def _wrong_answer(item: Item) -> str:
    answers = item.get("answers")
    if said := _texts("context", "question")(item):
        return said
    return "" if isinstance(answers, list) and answers and not any(_no_text("answers", a) for a in answers) else "'answers' is no list of texts"


def _wrong_label(item: Item) -> str:
    if isinstance(item.get("output"), NUMBERS) and not isinstance(item["output"], bool):
        return _texts("instruction", "input")(item)
    return _texts("instruction", "input", "output")(item)


@dataclass(frozen=True)
class Form:
    """How a line of a kind looks, and what is wrong with one that does not."""

    form: str
    fields: frozenset[str]
    wrong: Callable[[Item], str]


FORMS = {
    "choice": Form('{"prompt": text, "options": [text, text, …], "right": number from 0}', frozenset({"prompt", "options", "right"}), _wrong_choice),
    "labelled item": Form('{"instruction": text, "input": text, "output": label}', frozenset({"instruction", "input", "output"}), _wrong_label),
    "question on a text": Form('{"context": text, "question": text, "answers": [text, …]}', frozenset({"context", "question", "answers"}), _wrong_answer),
    "summary": Form('{"text": text, "summary": text}', frozenset({"text", "summary"}), _texts("text", "summary")),
    "translation": Form('{"source": text, "target": text}', frozenset({"source", "target"}), _texts("source", "target")),
}


def forms() -> str:
    return " or ".join(form.form for form in FORMS.values())


def _choices(path: Path, items: list[Item]) -> list[Item]:
    """Labelled items as choices: among the letters that the item offers, else among all labels that its instruction has in this file."""
    labels: dict[str, list[str]] = {}
    for item in items:
        mine = labels.setdefault(item["instruction"], [])
        if (label := str(item["output"]).strip()) not in mine:
            mine.append(label)
    made = []
    for item in items:
        label = str(item["output"]).strip()
        options = letters(item["input"], label) or sorted(labels[item["instruction"]])
        if len(options) < 2:
            raise WorkbenchError(f"{path} has only the label '{label}' for one of its instructions; give items of at least two labels.")
        made.append({"prompt": f"{item['instruction']}\n{item['input']}\n", "options": options, "right": options.index(label)})
    return made


def letters(text: str, label: str) -> list[str]:
    """The lettered options that a text offers, in the form of its label: A for (A), a for a), Option A for Option A: ; [] where the label is none of them."""
    if not (form := LETTERED.fullmatch(label)):
        return []
    upper = form[2].isupper()
    pattern = r"Option ([A-Z])\s*:" if form[1] else r"\(([A-Z])\)" if upper else r"(?<!\w)([a-z])\)"
    there, found = set(re.findall(pattern, text)), []
    first = ord("A" if upper else "a")
    while chr(first + len(found)) in there:
        found.append(chr(first + len(found)))
    options = [f"{form[1] or ''}{letter}" for letter in found]
    return options if label in options and len(options) > 1 else []
