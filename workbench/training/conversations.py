"""Instruction data: Alpaca and messages rows as conversations, and the chat template in which they are read and asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import refs, store
from ..corpus import formats, sources
from ..corpus.split import Split, Stream, place
from ..errors import WorkbenchError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

Messages = list[dict[str, str]]  # {"role": "system", "user" or "assistant", "content": text}, in order
ROLES = ("system", "user", "assistant")
QUESTION, REPLY = ("instruction", "prompt", "question"), ("output", "answer", "response")
ANSWERS = "answers.jsonl"  # what a calibrated model learnt, in its folder
DEMO = 2_000  # conversations of the endless demo world, and a twentieth of that held out
# What a model without a template is given. Nothing is taken back when a turn is added, so training and asking see the same tokens.
PLAIN = (
    "{{ bos_token or '' }}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}### Response:\n{{ message['content'] }}{{ eos_token }}"
    "{% elif message['role'] == 'system' %}{{ message['content'] }}\n\n"
    "{% else %}### Instruction:\n{{ message['content'] }}\n\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}### Response:\n{% endif %}"
)


class Conversations:
    """Opened instruction data: `.train` and `.held_out` are streams of messages, read anew each time.

    `skipped` counts the rows that are no conversation, `first_skipped` says where the first is and what it lacks.
    """

    def __init__(self, references: Sequence[str | list[Messages]], seed: int = 0, held_out: float = 0.05, replied: bool = True) -> None:
        """`references`: see `_reader`. `replied`: whether a conversation must have a reply; one without is a prompt.

        Raises WorkbenchError that names the row which is no JSON, and where no row is a conversation.
        """
        if not references:
            raise WorkbenchError("There is no instruction data; name at least one file, or demo:ru.")
        self.name = " + ".join(each if isinstance(each, str) else "the given conversations" for each in references)
        self.skipped, self.first_skipped, self.count = 0, "", 0
        self._readers = [_reader(reference, seed, held_out, replied) for reference in references]
        for row in self._all("train", count=True):
            self.count += bool(row)
        if not self.count:
            reason = f" ({self.first_skipped})" if self.first_skipped else ""
            raise WorkbenchError(f"{self.name} holds no conversation to learn from{reason}; rows need instruction and output, or messages with a reply.")
        self.train, self.held_out = (Stream(f"{self.name} {split}", lambda split=split: self._all(split)) for split in ("train", "held_out"))

    def _all(self, split: Split, count: bool = False) -> Iterator[Messages]:
        for read in self._readers:
            for item in read(split):
                if not isinstance(item, str):
                    yield item
                elif count:
                    self.skipped += 1
                    self.first_skipped = self.first_skipped or item


Reader = Callable[[Split], Iterator[Messages | str]]  # a text in the place of a conversation says what is wrong with the row


def _reader(reference: str | list[Messages], seed: int, share: float, replied: bool) -> Reader:
    """One source: demo:LANG, hf:NAME, a file of rows (.json, .jsonl, .csv, .parquet …), for prompts lines of text, a calibrated model, or a list."""
    if not isinstance(reference, str):
        return lambda split: (item for item in reference if (place(_asked(item), seed, share) == "held_out") == (split == "held_out"))
    if reference.startswith("demo:"):
        return lambda split: _demo(reference, split, seed, share)
    name = reference if reference.startswith("hf:") else None
    paths = [] if name else _files(reference)

    def read(split: Split) -> Iterator[Messages | str]:
        rows = _rows_of_hub(reference, replied) if name else (row for path in paths for row in _rows(path, replied))
        for where, row in rows:
            item = conversation(row, where, replied)
            if isinstance(item, str):
                if split == "train":
                    yield item
            elif (place(_asked(item), seed, share) == "held_out") == (split == "held_out"):
                yield item

    return read


def _files(reference: str) -> list[Path]:
    path = refs.path(reference)
    if path.suffix == ".json" and path.is_file():
        return [path]
    if store.ID.fullmatch(reference) and (answers := store.open_artefact(reference).path / ANSWERS).is_file():
        return [answers]
    if folder := sources.artefact(reference):
        raise WorkbenchError(f"{folder.name} is a corpus of plain text; give a file of instruction rows (.json, .jsonl), or demo:ru.")
    return sources.files(reference)


def _rows(path: Path, replied: bool) -> Iterator[tuple[str, Any]]:
    if path.suffix == ".json":
        yield from ((f"{path}, row {number}", row) for number, row in enumerate(_array(path), 1))
    elif formats.kind(path) == ".txt":
        if replied:
            raise WorkbenchError(f"{path} is plain text, which has no replies; give rows with instruction and output (.json, .jsonl).")
        yield from ((str(path), {"instruction": line}) for line in formats.documents(path))
    elif formats.kind(path) == ".jsonl":
        yield from ((f"{path}, row {number}", row) for number, row in formats.json_objects(path))
    else:
        table = formats.table(path)
        yield from ((f"{path}, row {n}", dict(zip(table.columns, row, strict=True))) for n, row in enumerate(table.rows(table.columns), 1))


def _array(path: Path) -> list[Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise WorkbenchError(f"{path} cannot be read as JSON ({error}); write a list of objects, or one object per line as .jsonl.") from None
    if not isinstance(found, list):
        raise WorkbenchError(f"{path} holds no list; write a list of objects, or one object per line as .jsonl.")
    return found


def _rows_of_hub(reference: str, replied: bool) -> Iterator[tuple[str, Any]]:
    table, _ = sources.hub(reference)
    names = [name for name in (*QUESTION, "input", *(REPLY if replied else ()), "messages") if name in table.columns]
    yield from ((f"{reference}, row {n}", dict(zip(names, row, strict=True))) for n, row in enumerate(table.rows(names), 1))


def _demo(reference: str, split: Split, seed: int, share: float) -> Iterator[Messages]:
    from ..demo.world import LANGUAGES, instructions

    if reference[5:] not in LANGUAGES:
        raise WorkbenchError(f"The demo gives instructions in {', '.join(LANGUAGES)}, not in '{reference[5:]}'; choose demo:{LANGUAGES[0]} or a file.")
    made = instructions(reference[5:], sources.world_split(split), seed)
    return ([dict(m) for m in each.messages] for each in islice(made, DEMO if split == "train" else round(DEMO * share)))


def conversation(row: Any, where: str, replied: bool = True) -> Messages | str:
    """A row as messages: {"messages": […]}, or instruction, input and output; what is wrong with it, as text, where it is neither."""
    if not isinstance(row, dict):
        return f"{where} is no object"
    if "messages" in row:
        return _messages(row["messages"], where, replied)
    asked = next((key for key in QUESTION if _text(row.get(key))), None)
    said = next((key for key in REPLY if _text(row.get(key))), None)
    if asked is None or (said is None and replied):
        return f"{where} has no {'instruction' if asked is None else 'output'}"
    more = _text(row.get("input"))
    made = [{"role": "user", "content": _text(row[asked]) + (f"\n\n{more}" if more else "")}]
    return [*made, {"role": "assistant", "content": _text(row[said])}] if said is not None else made


def _messages(given: Any, where: str, replied: bool) -> Messages | str:
    if not isinstance(given, list) or not all(isinstance(m, dict) and m.get("role") in ROLES and isinstance(m.get("content"), str) for m in given):
        return f"{where}: its messages are no list of role (system, user, assistant) and content"
    made = [{"role": m["role"], "content": m["content"]} for m in given]
    if any(formats.surrogate(m["content"]) for m in made):
        return f"{where}: its messages hold half a character"
    if not any(m["role"] == "user" and m["content"].strip() for m in made):
        return f"{where}: its messages ask nothing"
    if next((m["role"] for m in made if m["role"] != "system"), "") == "assistant":
        return f"{where}: its messages begin with a reply"
    if replied and not any(m["role"] == "assistant" and m["content"].strip() for m in made):
        return f"{where}: its messages have no reply"
    return made


def _text(value: Any) -> str:
    """A field as text: some data have numbers as answers."""
    found = str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value if isinstance(value, str) else ""
    return found if found.strip() and not formats.surrogate(found) else ""


def _asked(messages: Messages) -> str:
    return next(m["content"] for m in messages if m["role"] == "user")


def with_template(tokenizer: PreTrainedTokenizerFast) -> bool:
    """Give a tokenizer without a chat template the plain one; returns whether it was. Raises WorkbenchError where it has no EOS to end a reply by."""
    if tokenizer.chat_template:
        return False
    if tokenizer.eos_token is None:
        raise WorkbenchError("This tokenizer has neither a chat template nor an end-of-text token, so no reply could end; choose one that has.")
    tokenizer.chat_template = PLAIN
    return True


def end_ids(tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """The special token that ends a reply in the template, as a list; empty where none does."""
    from .data import encode

    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    tail = tokenizer.apply_chat_template(talk, tokenize=False).rpartition("b")[2]
    special = {id for id, token in tokenizer.added_tokens_decoder.items() if token.special}
    return [i for i in encode(tokenizer, tail) if i in special][:1]
