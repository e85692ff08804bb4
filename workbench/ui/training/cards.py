"""The stages as cards: what learns, on what, and whose idea it is; and what the journey in hand has for each."""

from __future__ import annotations

from html import escape
from typing import Any

from ... import steps
from ...training.base import Stage
from .. import picking
from ..chain import Chain
from ..picking import card_html, deck_html, pick_script

ABOUT = {
    "align": ("Embeddings and head, nothing between them", "The new rows find their place, and the layers stay as they were.", "LEP, arXiv:2412.21140"),
    "monolingual": ("Tables, and LoRA in every layer", "The layers learn to think in the language, in few numbers.", "Persian, arXiv:2412.13375"),
    "instruct": ("Tables and LoRA, on replies only", "It learns to follow instructions, in both languages.", "Persian, arXiv:2412.13375"),
    "calibrate": ("Tables, and LoRA in first and last layer", "After LEP: it learns the original's own answers, and to copy.", "LEP, arXiv:2412.21140"),
    "full": ("Every weight", "The most memory, and the most to lose: for comparison.", "control of ours"),
}  # fmt: skip
LACKING = {
    "": "There is no model to train yet. Make one on the Transfer page, or choose any below; to try it out, load the demo and take demo:en-base.",
    "calibrate": "This stage is for a chat model that LEP made: make one under Transfer → LEP. "
    "For the control, choose the original chat model as the model, and the calibrated one for its answers.",
}
PICK = pick_script("stage")


def stages() -> dict[str, type[Stage]]:
    """The stages by name, in the order of the menu."""
    return {str(kind.model_fields["stage"].default): kind for kind in steps.menu()["train"]}


def cards_html(chosen: str) -> str:
    return deck_html("Stage", (_card(name, name == chosen) for name in stages()))


def _card(name: str, chosen: bool) -> str:
    learns, about, paper = ABOUT[name]
    inside = f"<b>{name}</b><em>{escape(about)}</em><code>{escape(learns)}</code><small><span>{escape(paper)}</span></small>"
    return card_html("stage", name, chosen, inside)


def picked(data: Any) -> str:
    """The stage of a card that was pressed. Raises WorkbenchError where there is none of that name."""
    return picking.picked("stage", data, stages())


def model_for(stage: str, now: Chain) -> str:
    """What a stage goes on from: alignment from the transfer, the next stages from what was trained last, calibration from LEP."""
    if stage == "calibrate":
        return now.lep
    return now.transfer if stage in ("align", "full") else now.trained or now.transfer


def lacking(stage: str, model: str | None, now: Chain) -> str:
    """What is missing for a stage, and where to get it."""
    if stage == "calibrate" and not now.lep and model != now.instruct:
        return LACKING["calibrate"]
    return "" if model else LACKING[""]


def demo_only(reference: str) -> str:
    """Instructions come with the demo's languages; any other must be chosen."""
    return reference if reference.startswith("demo:") else ""


# What the journey has for the knobs; the model is chosen by the stage (see `model_for`).
SUGGEST = {
    "text": lambda c: c.text,
    "source_text": lambda c: c.source_text,
    "instructions": lambda c: demo_only(c.text),
    "source_instructions": lambda c: demo_only(c.source_text),
    "prompts": lambda c: demo_only(c.text),
    "instruct": lambda c: c.instruct,
}
