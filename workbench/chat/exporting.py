"""Comparisons as files for others: Markdown to read, JSON and CSV to compute with, and the JSON of LLM Comparator.

LLM Comparator (arXiv:2402.10524) shows two models; scores lie between -1.5 and 1.5, and a positive one says that the first is better.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import WorkbenchError

Entry = Mapping[str, Any]  # id, prompt, tags, verdict, replies: side → {text, facts}
Models = Mapping[str, str]
SCORE = 1.5
NUMBERS = ("tokens", "characters", "tokens_per_second", "characters_per_second", "first_seconds")
COLUMNS = (
    "model", "fingerprint", "tokenizer", "text", "tokens", "characters", "seconds", "first_seconds", "waited", "tokens_per_second", "characters_per_second",
    "prompt_tokens", "context", "finish", "script", "script_share", "repeated", "error",
)  # fmt: skip


def markdown(models: Models, entries: Sequence[Entry]) -> str:
    """To read: a heading for each question, and below it what each side said."""
    lines = ["# Side by side", "", *(f"- **{side}**: {name}" for side, name in models.items()), ""]
    for number, entry in enumerate(entries, 1):
        lines += [f"## {number}. {_one_line(entry['prompt'])}", ""]
        if "\n" in entry["prompt"].strip():
            lines += [_quoted(entry["prompt"]), ""]
        for side, said in entry["replies"].items():
            about = [said.get("fingerprint", ""), f"{said['tokens']} tokens" if "tokens" in said else "", said.get("script", ""), said.get("finish", "")]
            lines += [f"**{side}** ({', '.join(filter(None, about))})", "", _quoted(said.get("error") or said["text"] or "(nothing)"), ""]
        if entry.get("verdict"):
            lines += [f"Vote: {entry['verdict']}", ""]
    return "\n".join(lines)


def as_json(models: Models, entries: Sequence[Entry]) -> str:
    """Everything, as one object."""
    return json.dumps({"models": dict(models), "entries": list(entries)}, ensure_ascii=False, indent=1)


def as_csv(models: Models, entries: Sequence[Entry]) -> str:
    """A row for each reply."""
    out = io.StringIO()
    writer = csv.DictWriter(out, ["id", "prompt", "tags", "verdict", "side", *COLUMNS], extrasaction="ignore", restval="")
    writer.writeheader()
    for entry in entries:
        about = {"id": entry["id"], "prompt": entry["prompt"], "tags": ";".join(entry.get("tags", ())), "verdict": entry.get("verdict", "")}
        for side, said in entry["replies"].items():
            writer.writerow(about | {"side": side, "model": models[side], **said})
    return out.getvalue()


def llm_comparator(models: Models, entries: Sequence[Entry]) -> str:
    """For LLM Comparator: the first two sides. A vote is a rater's score; without one the score is 0. Raises WorkbenchError where there is only one side."""
    if len(models) < 2:
        raise WorkbenchError("LLM Comparator compares two models, and here is one; choose another format.")
    a, b = list(models)[:2]
    score = {a: SCORE, b: -SCORE}
    examples = []
    for entry in entries:
        if not {a, b} <= set(entry["replies"]):
            continue
        said = [entry["replies"][side] for side in (a, b)]
        verdict, value = entry.get("verdict", ""), score.get(entry.get("verdict", ""), 0.0)
        rated = [{"is_flipped": False, "score": value, "rationale": f"A person's vote: {verdict}."}] if verdict else []
        fields = {"id": entry["id"]} | {name: [each.get(name) or 0 for each in said] for name in NUMBERS}
        fields |= {"script": [each.get("script") or "none" for each in said], "repeats_itself": [bool(each.get("repeated")) for each in said]}
        examples.append(
            {
                "input_text": entry["prompt"], "tags": list(entry.get("tags", ())), "output_text_a": said[0]["text"], "output_text_b": said[1]["text"],
                "score": value, "individual_rater_scores": rated, "custom_fields": fields,
            }
        )  # fmt: skip
    kinds = {"id": "string", "script": "per_model_category", "repeats_itself": "per_model_boolean"} | dict.fromkeys(NUMBERS, "per_model_number")
    schema = [{"name": name, "type": kind} for name, kind in kinds.items()]
    about = {"metadata": {"source_path": "workbench chat", "custom_fields_schema": schema}, "models": [{"name": models[side]} for side in (a, b)]}
    return json.dumps(about | {"examples": examples}, ensure_ascii=False, indent=1)


FORMATS: dict[str, tuple[str, str, Callable[[Models, Sequence[Entry]], str]]] = {  # name → ending, media type, writer
    "markdown": ("md", "text/markdown", markdown),
    "json": ("json", "application/json", as_json),
    "csv": ("csv", "text/csv", as_csv),
    "llm-comparator": ("llm-comparator.json", "application/json", llm_comparator),
}


def export(reference: str, kind: str) -> str:
    """A conversation by its id, or what a batch made, in a format. What is still blind stays so.

    Raises WorkbenchError where there is no such format or nothing to export.
    """
    from .. import refs
    from .comparisons import ID, open_comparison

    if kind not in FORMATS:
        raise WorkbenchError(f"There is no format '{kind}'; choose one of {', '.join(FORMATS)}.")
    if ID.fullmatch(reference):
        made = open_comparison(reference)
        return FORMATS[kind][2]({side: made.name(side) for side in made.models}, made.entries())
    models, entries = read_batch(refs.locate(reference))
    return FORMATS[kind][2](models, entries)


def read_batch(place: Path) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """(models by side, entries) of what a batch wrote. Raises WorkbenchError where the folder is none."""
    file = place / "replies.jsonl"
    if not file.is_file():
        raise WorkbenchError(f"{place} is no comparison; give the id of a conversation, or of what `workbench chat batch` made.")
    first, *entries = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]  # a reply may hold other line ends
    return first["models"], entries


def _one_line(text: str) -> str:
    line = text.strip().split("\n")[0]
    return line if len(line) <= 100 else line[:99] + "…"


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.strip().split("\n"))
