"""From documents to blocks of token ids: packing without leakage, loss only where it belongs, order fixed by a seed.

A block holds several documents side by side. `position_ids` start again at 0 with each of them, from which transformers
builds a mask that keeps every document to itself (no attention mask may be passed beside them).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..errors import WorkbenchError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

IGNORE = -100  # the label that carries no loss, as everywhere in torch
WINDOW = 32  # documents that wait while a block is filled; more of them leave less padding but mix the order further
BATCH = 128  # texts encoded at a time: twice as fast as one by one (novel, Llama-2, two busy cores), as the library then uses its threads
# Kinds of models that make no such mask of `position_ids` in some transformers 5: one document changes the next one's logits, as a test shows for each.
SEEING = frozenset({"bloom", "falcon", "mpt", "opt", "xglm"})
Block = dict[str, list[int]]


class Refused(WorkbenchError):
    """The chat template does not take a conversation."""


@dataclass(frozen=True)
class Document:
    """Token ids and, of equal length, their labels: the id itself, or `IGNORE` where no loss is wanted."""

    ids: list[int]
    labels: list[int]
    whole: bool = True  # False: running text, which may be cut at the end of a block


def plain(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str]) -> Iterator[Document]:
    """Running text, loss on every token, framed by the tokenizer's own beginning and end marks where it has them."""
    first, last = start_ids(tokenizer), [tokenizer.eos_token_id] if tokenizer.eos_token_id is not None else []
    source = iter(texts)
    while batch := list(islice(source, BATCH)):
        for inner in tokenizer(batch, add_special_tokens=False, verbose=False)["input_ids"]:
            ids = first + inner + last
            yield Document(ids, list(ids), whole=False)


def chats(tokenizer: PreTrainedTokenizerBase, conversations: Iterable[Sequence[Mapping[str, str]]]) -> Iterator[Document]:
    """Conversations in the tokenizer's own chat template, loss on the assistant's words and the mark that ends them only.

    Raises WorkbenchError for a tokenizer without a template, or one whose template rewrites earlier turns.
    """
    if not tokenizer.chat_template:
        raise WorkbenchError("This tokenizer has no chat template; choose an instruct model or set tokenizer.chat_template.")
    for messages in conversations:
        ids: list[int] = []
        labels: list[int] = []
        text = ""
        for n, message in enumerate(messages):
            if message["role"] == "assistant":
                asked, answered = rendered(tokenizer, messages[:n], True), rendered(tokenizer, messages[: n + 1], False)
                if not asked.startswith(text) or not answered.startswith(asked):
                    raise WorkbenchError(
                        "This chat template changes earlier turns as the conversation goes on, so replies cannot be told apart; use another one."
                    )
                prompt = _continued(tokenizer, ids, text, asked)
                whole = _continued(tokenizer, prompt, asked, answered)
                labels += [IGNORE] * (len(prompt) - len(ids)) + whole[len(prompt) :]
                ids, text = whole, answered
        yield Document(ids, labels)


def _continued(tokenizer: PreTrainedTokenizerBase, ids: list[int], text: str, longer: str) -> list[int]:
    """The ids of `longer`, which begins with `text`, whose ids are given and are kept: they are what the model has read when it is asked.

    Where a merge would cross the border (a reply that begins with a line break), the rest is encoded on its own.
    """
    whole = encode(tokenizer, longer)
    return whole if whole[: len(ids)] == ids else ids + encode(tokenizer, longer[len(text) :])


def answers(tokenizer: PreTrainedTokenizerBase, parts: Iterable[Sequence[tuple[str, bool]]]) -> Iterator[Document]:
    """Texts given in pieces (text, is it an answer?), loss on the answers only and on the mark that ends the document."""
    first, last = start_ids(tokenizer), tokenizer.eos_token_id
    for pieces in parts:
        ids, labels = list(first), [IGNORE] * len(first)
        for text, counts in pieces:
            new = encode(tokenizer, text)
            ids += new
            labels += new if counts else [IGNORE] * len(new)
        yield Document([*ids, last], [*labels, last])


def encode(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]


def start_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    return [tokenizer.bos_token_id] if tokenizer.bos_token_id is not None else []


def render(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, str]], ask: bool) -> list[int]:
    """Token ids of a conversation in the chat template; with `ask`, up to where the reply begins."""
    return encode(tokenizer, rendered(tokenizer, messages, ask))


def rendered(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, str]], ask: bool) -> str:
    """A conversation as text in the chat template. Raises WorkbenchError where the template refuses it (roles in another order, no system turn)."""
    from jinja2 import TemplateError

    try:
        return tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=ask)
    except TemplateError as error:
        raise Refused(f"The chat template of this model refuses a conversation ({error}); change the order of its turns or leave it out.") from error


def pack(documents: Iterable[Document], block: int, pad: int, alone: bool = False) -> Iterator[Block]:
    """Fill blocks of exactly `block` tokens; a last block that is half empty is given too.

    Whole documents go where they fit, within a window, and those longer than a block are cut at its end; running text is
    cut wherever a block ends and goes on in the next one without its past. `alone`: one document a block, for models in `SEEING`.
    """
    source = iter(documents)
    waiting = list(islice(source, WINDOW))
    room: list[Document] = []
    left = block
    while waiting:
        fit = next((n for n, d in enumerate(waiting) if not d.whole or len(d.ids) <= left or left == block), None)
        if fit is None or left < 2:
            yield _block(room, block, pad)
            room, left = [], block
            continue
        document = waiting.pop(fit)
        if len(document.ids) > left and not document.whole:
            waiting.insert(0, Document(document.ids[left:], document.labels[left:], whole=False))
        else:
            waiting += islice(source, 1)
        room.append(Document(document.ids[:left], document.labels[:left]))
        left = 0 if alone else left - len(room[-1].ids)
    if room:
        yield _block(room, block, pad)


def _block(documents: list[Document], block: int, pad: int) -> Block:
    ids: list[int] = []
    labels: list[int] = []
    positions: list[int] = []
    for document in documents:
        ids += document.ids
        labels += [IGNORE, *document.labels[1:]]  # the first token must not be predicted from the document before
        positions += range(len(document.ids))
    gap = block - len(ids)
    return {"input_ids": ids + [pad] * gap, "labels": labels + [IGNORE] * gap, "position_ids": positions + list(range(gap))}


def mix(streams: Sequence[Iterator[Block]], shares: Sequence[float], seed: int) -> Iterator[Block]:
    """Blocks from several streams in the given proportions, in an order fixed by the seed; ends with the first stream to end."""
    rng = random.Random(seed)
    while True:
        try:
            yield next(streams[rng.choices(range(len(streams)), shares)[0]])
        except StopIteration:
            return


def repeat(make: Callable[[int], Iterator[Block]]) -> Iterator[Block]:
    """`make(0)`, then `make(1)`… without end. Raises WorkbenchError where there is nothing to repeat."""
    epoch = 0
    while True:
        empty = True
        for item in make(epoch):
            empty = False
            yield item
        if empty:
            raise WorkbenchError("The text is empty, so there is nothing to train on; give a text of at least a few sentences.")
        epoch += 1


def shuffled(items: Iterable[Any], seed: object, window: int = 1024) -> Iterator[Any]:
    """The items in another order, decided by the seed: each next one is drawn from a window over the stream."""
    rng = random.Random(str(seed))
    source = iter(items)
    held = list(islice(source, window))
    for item in source:
        n = rng.randrange(len(held))
        held[n], item = item, held[n]
        yield item
    rng.shuffle(held)
    yield from held


def collate(blocks: Sequence[Block]) -> dict[str, torch.Tensor]:
    """A batch: every entry (blocks, tokens), int64."""
    import torch

    return {key: torch.tensor([block[key] for block in blocks]) for key in blocks[0]}


def padded(batch: Mapping[str, torch.Tensor]) -> int:
    """The tokens of a collated batch that fill up its blocks: from the last document's beginning to the end of a block, where nothing is learnt of it
    and it is one token over and over. A block without positions has none."""
    import torch

    if "position_ids" not in batch:
        return 0
    places = torch.arange(batch["input_ids"].shape[1], device=batch["input_ids"].device)
    start = torch.where(batch["position_ids"] == 0, places, 0).amax(dim=1, keepdim=True)
    filling = (batch["labels"] == IGNORE) & (batch["input_ids"] == batch["input_ids"][:, -1:])
    gap = (filling | (places < start)).all(dim=1, keepdim=True)
    return int(((places >= start) & gap).sum())


def stream(make: Callable[[], Iterator[Any]]) -> torch.utils.data.IterableDataset:
    """An iterable dataset that begins anew whenever it is iterated."""
    from torch.utils.data import IterableDataset

    class Stream(IterableDataset):
        def __iter__(self) -> Iterator[Any]:
            return make()

    return Stream()
