"""A conversation as the token ids that a model reads: through its own chat template, or as plain text to go on with. What was done instead is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..errors import WorkbenchError

if TYPE_CHECKING:
    from .loading import Chatter

Message = dict[str, str]  # {"role": "user", "content": "…"}
Overflow = Literal["refuse", "forget"]


@dataclass(frozen=True)
class Prompt:
    """Token ids, and a sentence for each thing that is not as was asked."""

    ids: list[int]
    notes: tuple[str, ...] = ()


def prompt(chatter: Chatter, messages: Sequence[Message], raw: bool = False, overflow: Overflow = "refuse") -> Prompt:
    """The prompt of a conversation. `raw`: continue its plain text even where there is a chat template.

    Raises WorkbenchError on an empty prompt, or one that leaves no room for a reply in the context; with `overflow="forget"` the oldest turns are left
    out instead, and a note says how many.
    """
    if not messages or not messages[-1]["content"].strip():
        raise WorkbenchError("The prompt is empty; type something.")
    told = [dict(m) for m in messages]
    made, left_out = _made(chatter, told, raw), 0
    while len(made.ids) >= chatter.context and overflow == "forget" and len(turns := [m for m in told if m["role"] != "system"]) > 1:
        oldest = turns[: next((n for n, m in enumerate(turns) if n and m["role"] == "user"), len(turns))]
        told = [m for m in told if not any(m is gone for gone in oldest)]
        left_out += len(oldest)
        made = _made(chatter, told, raw)
    if len(made.ids) >= chatter.context:
        raise WorkbenchError(
            f"The conversation has {len(made.ids)} tokens but {chatter.name} reads only {chatter.context}; "
            "shorten it, edit an earlier question, or start a new one."
        )
    forgot = f"The oldest {left_out} turns are left out: with them there are more than the {chatter.context} tokens that {chatter.name} reads."
    return Prompt(made.ids, (*made.notes, *([forgot] if left_out else [])))


def _made(chatter: Chatter, messages: list[Message], raw: bool) -> Prompt:
    if raw:
        return Prompt(_continued(chatter, messages))
    if not chatter.tokenizer.chat_template:
        return Prompt(_continued(chatter, messages), (f"{chatter.name} has no chat template: the text is continued as it stands.",))
    text, notes = _templated(chatter, messages)
    if text is None:
        return Prompt(_continued(chatter, messages), notes)
    return Prompt(chatter.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"], notes)


def _templated(chatter: Chatter, messages: list[Message]) -> tuple[str | None, tuple[str, ...]]:
    """The conversation in the model's own template; a system message that it does not take stands before the first question instead."""
    system = messages[0]["content"].strip() if messages[0]["role"] == "system" else ""
    try:
        text = _rendered(chatter, messages)
        if system in text:
            return text, ()
    except Exception as error:  # a template is a program of its own: beside jinja's errors it raises Python's, as where it adds a text to nothing
        failed = str(error) or type(error).__name__
        if not system:
            return None, (f"The chat template of {chatter.name} fails ({failed}): the text is continued as it stands instead.",)
    try:
        first = {"role": messages[1]["role"], "content": f"{system}\n\n{messages[1]['content']}"}
        text = _rendered(chatter, [first, *messages[2:]])
    except Exception as error:  # as above
        return None, (f"The chat template of {chatter.name} fails ({str(error) or type(error).__name__}): the text is continued as it stands instead.",)
    return text, (f"The chat template of {chatter.name} takes no system message: it stands before the first question instead.",)


def _rendered(chatter: Chatter, messages: list[Message]) -> str:
    return chatter.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)


def _continued(chatter: Chatter, messages: list[Message]) -> list[int]:
    ids = list(chatter.tokenizer("\n".join(m["content"] for m in messages), verbose=False)["input_ids"])
    return ids[:-1] if len(ids) > 1 and ids[-1] == chatter.tokenizer.eos_token_id else ids  # what ends a text would end the reply before it begins
