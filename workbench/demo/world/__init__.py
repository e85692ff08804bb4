"""A small world of people, animals and things, told in English, Russian and Persian by rule: the demo's only source of text."""

from .facts import SPLITS, split_of
from .instructions import Instruction, instructions
from .render import LANGUAGES
from .text import Choice, Dialogue, Document, choices, dialogues, dictionary, documents, parallel, stories, texts

__all__ = [
    "LANGUAGES", "SPLITS", "Choice", "Dialogue", "Document", "Instruction", "choices", "dialogues", "dictionary", "documents", "instructions", "parallel",
    "split_of", "stories", "texts",
]  # fmt: skip
