"""The report of a tokenizer that was made: what came of it in figures, and in words what to mind."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any, NamedTuple

from ... import refs
from ..messages import notes, say
from ..panel import Snapshot

# The words of the numbers that say little by their name, each with what its tooltip says.
NAMES = {
    "kept": ("kept", "Tokens of the base that are still there."),
    "dropped": ("dropped", "Tokens of the base that are gone."),
    "dead": ("dead", "Tokens that no text can give: none, it is hoped."),
    "specials": ("special tokens", "Tokens with a role, such as the end of a text; they were not learned."),
    "stays": ("could not go", "Bytes, special and added tokens, and what these are made of: they stay, used or not."),
    "unreachable_before": ("dead in the base", "Tokens of the base that no text could give: the first to go."),
    "words": ("words measured on", "What whitespace separates in the text that tokens per word are counted over."),
    "distinct": ("of them distinct", "Different words among them."),
}
PARTS = {"letters": "single letters", "between": "needed in between", "relearned": "had been dropped"}  # of the new tokens
SPOKEN = {"new", "resplit", "shrink", "rows_before", "rows_after", "merges_before", "merges_that_fire", "asked", "size", *PARTS}
FERTILITY = ("tokens_per_word_before", "tokens_per_word_pruned", "tokens_per_word_after")


class Tile(NamedTuple):
    """A figure, what it is called, and what that means."""

    value: str
    name: str
    about: str = ""


def report_html(shot: Snapshot) -> str:
    """What was kept and made, what nothing reaches (none, it is hoped), and how much of the base's languages is cut differently."""
    metrics = shot.result["metrics"]
    said = f"Report of {refs.label(shot.result['id'])}{f', made by {shot.step}' if shot.step else ''}"
    cells = "".join(f'<div title="{escape(about)}"><b>{escape(value)}</b><span>{escape(name)}</span></div>' for value, name, about in tiles(metrics))
    bad = [f"{metrics['dead']:,} tokens cannot be reached by any text."] if metrics.get("dead") else []
    lines = notes(list(_sentences(metrics)), "good") + notes(bad) + notes([str(w) for w in metrics.get("warnings", [])])
    return f'<p class="small">{escape(said)}</p><div class="numbers">{cells}</div>{lines}'


def tiles(metrics: dict[str, Any]) -> Iterator[Tile]:
    """The figures in the order in which they are asked for: the cost, the tokens, the table, and then whatever else the step has counted."""
    plain = {k: v for k, v in metrics.items() if isinstance(v, (int, float)) and not isinstance(v, bool)}
    if costs := [f"{plain[k]:.2f}" for k in FERTILITY if k in plain]:
        about = "Before, with the least used tokens gone, and after." if len(costs) == 3 else "Before and after." if len(costs) == 2 else ""
        yield Tile(" → ".join(costs), "tokens per word", about)
    if "size" in plain:
        yield Tile(say(plain["size"]), f"tokens, of {plain['asked']:,} asked for", "How many the text gave, of the vocabulary size that was asked for.")
        yield Tile(say(plain["letters"]), "letters", "Characters that are tokens of their own, beside the 256 bytes.")
    if "kept" in plain:
        yield Tile(say(plain["kept"]), *NAMES["kept"])
    if "new" in plain:
        made = (metrics.get("extension") or {}) | plain
        parts = ", ".join(f"{made[k]:,} {name}" for k, name in PARTS.items() if made.get(k) and "size" not in plain)
        yield Tile(say(plain["new"]), f"new{f', of them {parts}' if parts else ''}", "Tokens that the base lacked.")
    yield from (Tile(say(plain[k]), *NAMES[k]) for k in ("dropped", "dead") if k in plain)
    if plain.get("rows_before") and plain.get("rows_after"):
        yield Tile(f"{plain['rows_before']:,} → {plain['rows_after']:,}", "rows of the table", "Rows of the embedding tables: the highest id and one.")
    if "merges_that_fire" in plain:
        about = "Merges of the base, and those of them that ever make their token; the others changed no encoding and were left out."
        yield Tile(f"{plain['merges_before']:,} → {plain['merges_that_fire']:,}", "merges that fire", about)
    rest = [k for k in plain if k not in SPOKEN and k not in FERTILITY and k not in ("kept", "dropped", "dead")]
    yield from (Tile(say(plain[k]), *NAMES.get(k, (k.replace("_", " "),))) for k in rest)


def _sentences(metrics: dict[str, Any]) -> Iterator[str]:
    share, shrink = metrics.get("resplit"), metrics.get("shrink")
    if isinstance(shrink, float):
        percent = f"{abs(shrink):.0%}"
        yield "The tables are as large as before." if percent == "0%" else f"The tables {'shrank' if shrink > 0 else 'grew'} by {percent}."
    if isinstance(share, (int, float)):
        examples = ", ".join(map(str, metrics.get("resplit_examples") or ()))
        many = f"{share:.2%}" if share >= 0.0001 else "Less than 0.01%"
        said = f"{many} of the words of the reference text are" if share else "No word of the reference text is"
        pruned = " by the pruned vocabulary" if "dropped_examples" in metrics else ""  # it is counted before new tokens come
        yield f"{said} cut differently{pruned} than before{f', for example {examples}' if examples else ''}."
    if dropped := metrics.get("dropped_examples"):
        yield f"Dropped last, so the most used of what was dropped: {', '.join(map(str, dropped))}."


def rejections(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """What was not added, by reason; with examples where there are any (a pair of tokens that was not learned has none)."""
    made = metrics if "rejected" in metrics else metrics.get("extension") or {}
    examples = made.get("examples") or {}
    rows = [{"reason": reason, "count": count} for reason, count in (made.get("rejected") or {}).items()]
    return [row | {"examples": list(examples.get(row["reason"], ()))} for row in rows] if any(examples.values()) else rows
