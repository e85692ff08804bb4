"""Asking models in writing: in the chat template of those that have one, as text to go on with those that have none; greedy, in batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..progress import Progress
from .base import Subject

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Shot = tuple[str, str]  # a question and its answer, shown before the one that is asked


def prompt(tokenizer: PreTrainedTokenizerBase, question: str, shots: Sequence[Shot] = ()) -> list[int]:
    """Token ids up to where the answer begins. Without a template: question and answer on lines of their own, a blank line between two."""
    from ..training.data import encode, render, start_ids

    if tokenizer.chat_template:
        said = [{"role": role, "content": text} for shot in shots for role, text in zip(("user", "assistant"), shot, strict=True)]
        return render(tokenizer, [*said, {"role": "user", "content": question}], True)
    return start_ids(tokenizer) + encode(tokenizer, "".join(f"{q}\n{a}\n\n" for q, a in shots) + f"{question}\n")


def reply_ends(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Ids that end a reply, beside those of the generation config."""
    from ..training.conversations import end_ids

    return end_ids(tokenizer) if tokenizer.chat_template else []


def answer(subject: Subject, questions: Sequence[str], likely: Sequence[str], shots: Sequence[Shot] = (), progress: Progress | None = None) -> list[str | None]:
    """Greedy answers, each with room for twice the tokens of a likely one. None where the question leaves no such room in the model's context."""
    from ..training.data import encode

    prompts = [prompt(subject.tokenizer, question, shots) for question in questions]
    rooms = [2 * len(encode(subject.tokenizer, text)) + 8 for text in likely]
    said = generate(subject, prompts, rooms, progress)
    if not subject.tokenizer.chat_template:  # the model goes on with the next question
        said = [text and text.lstrip("\n").partition("\n\n")[0] for text in said]
    return [text if text is None else text.strip() for text in said]


def generate(subject: Subject, prompts: Sequence[Sequence[int]], rooms: Sequence[int], progress: Progress | None = None) -> list[str | None]:
    """Greedy continuations of at most so many tokens each. None where prompt and room together are more than the model's context."""
    from .asking import finished_replies

    progress, said = progress or Progress(), [None] * len(prompts)
    order = sorted((n for n in range(len(prompts)) if len(prompts[n]) + rooms[n] <= subject.context), key=lambda n: (rooms[n], len(prompts[n])))
    ends, done = reply_ends(subject.tokenizer), 0
    while done < len(order):
        part = order[done : done + subject.batch_size]
        replies = finished_replies(subject.model, subject.tokenizer, [prompts[n] for n in part], [rooms[n] for n in part], ends)
        for n, (text, _) in zip(part, replies, strict=True):
            said[n] = text
        done += len(part)
        progress.at(done / len(order))
    return said
