"""What a stage reads: named sources of documents, mixed as endless blocks in an order that the seed decides."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import WorkbenchError
from .caching import Encoded, key_of
from .data import IGNORE, Block, Document, Refused, chats, encode, mix, pack, plain, repeat, shuffled, start_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAIR = "{first_language}: {first}\n{second_language}: {second}"


@dataclass(frozen=True)
class Feed:
    """One source. `documents(epoch)` reads it from its beginning, in another order each time; `share` is its part of the blocks."""

    name: str
    documents: Callable[[int], Iterator[Document]]
    share: float = 1.0

    def blocks(self, block: int, pad: int, epoch: int = 0, alone: bool = False) -> Iterator[Block]:
        """One pass."""
        return pack(self.documents(epoch), block, pad, alone)


@dataclass(frozen=True)
class Data:
    """All a stage needs of its texts.

    Attributes:
        feeds: what is trained on; passes are counted by the first.
        held_out: documents by language ("target", "source") on which bits per byte are measured.
        asked: held-out conversations, on whose replies alone they are.
        found: numbers about the data that go into the metrics.
        said: what the user should know about the data.
        kept: conversations that go into the result's folder.
    """

    feeds: list[Feed]
    held_out: dict[str, list[str]] = field(default_factory=dict)
    asked: dict[str, list[Document]] = field(default_factory=dict)
    found: dict[str, Any] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    kept: list[Any] = field(default_factory=list)


def text_feed(tokenizer: PreTrainedTokenizerFast, text: Iterable[str], number: int, seed: int, share: float = 1.0, references: Sequence[str] = ()) -> Feed:
    """Running text; `number` tells its order from that of the others. `references`: what the text was opened from, to keep it encoded."""
    encoded = Encoded(text, partial(plain, tokenizer), False, key_of(references, seed, tokenizer))
    return Feed(_named(text), lambda epoch: encoded.documents(f"{seed}:{number}:{epoch}"), share)


def pairs_feed(tokenizer: PreTrainedTokenizerFast, pairs: Any, template: str, seed: int, share: float = 1.0) -> Feed:
    """Sentence pairs of an opened parallel text, either language first as the seed decides, each ended by EOS and kept whole.

    They are encoded anew in every pass: which side comes first is drawn anew, so half of what one pass could keep is not what the next one wants.
    """
    if tokenizer.eos_token_id is None:
        raise WorkbenchError("This tokenizer has no end-of-text token, by which a pair must end; choose one that has.")

    def read(epoch: int) -> Iterator[Document]:
        rng = random.Random(f"{seed}:directions:{epoch}")
        for pair in shuffled(pairs.train, f"{seed}:pairs:{epoch}"):
            sides = list(zip(pairs.sides, pair, strict=True))
            ids = [*start_ids(tokenizer), *encode(tokenizer, paired(template, *(sides if rng.random() < 0.5 else sides[::-1]))), tokenizer.eos_token_id]
            yield Document(ids, list(ids))

    return Feed(_named(pairs.train), read, share)


def _named(source: Any) -> str:
    """What a source is called in an error; a list in a notebook has no name."""
    return getattr(source, "name", "What was given")


def paired(template: str, first: tuple[str, str], second: tuple[str, str]) -> str:
    """A pair of (language, text) in the template; braces in the texts are text."""
    values = {"first_language": first[0], "first": first[1], "second_language": second[0], "second": second[1]}
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[0]), template)


def chats_feed(
    tokenizer: PreTrainedTokenizerFast, conversations: Iterable[Any], block: int, seed: int, name: str, share: float = 1.0, references: Sequence[str] = ()
) -> Feed:
    """Conversations, loss on the replies only; one whose replies begin behind the block's end teaches nothing and is left out, as is one that the template
    does not take. `name` tells their order from that of others, `references` as for text."""

    def encode(given: Iterable[Any]) -> Iterator[Document | None]:
        return (None if isinstance(each, Refused) else each for each in taken(tokenizer, given))

    encoded = Encoded(conversations, encode, True, key_of(references, seed, tokenizer, chat=True))
    return Feed(_named(conversations), lambda epoch: (d for d in encoded.documents(f"{seed}:{name}:{epoch}") if teaches(d, block)), share)


def taken(tokenizer: PreTrainedTokenizerFast, conversations: Iterable[Any]) -> Iterator[Document | Refused]:
    """Each conversation as a document; the reason where the template does not take it."""
    for conversation in conversations:
        try:
            yield next(chats(tokenizer, [conversation]))
        except Refused as error:
            yield error


def teaches(document: Document, block: int) -> bool:
    return any(label != IGNORE for label in document.labels[1:block])


def endless(feeds: Sequence[Feed], block: int, pad: int, seed: int, alone: bool = False) -> Iterator[Block]:
    """Blocks of several sources by their shares; a source that ends is shuffled anew and read again."""

    def read(feed: Feed) -> Iterator[Block]:
        return repeat(lambda epoch: feed.blocks(block, pad, epoch, alone))

    return mix([read(feed) for feed in feeds], [feed.share for feed in feeds], seed)


def passes(feed: Feed, block: int, pad: int, per_step: int, epochs: float, alone: bool = False) -> int:
    """The steps of `per_step` blocks in which a feed, beside the others, is read `epochs` times; it is read once for that."""
    return max(math.ceil(sum(1 for _ in feed.blocks(block, pad, alone=alone)) / feed.share * epochs / per_step), 1)


def checked(feed: Feed, block: int) -> Feed:
    """The feed. Raises WorkbenchError where it does not fill one block."""
    total = 0
    for document in feed.documents(0):
        total += len(document.ids)
        if total >= block:
            return feed
    raise WorkbenchError(f"{feed.name} has only {total} tokens to train on, less than one block of {block}; give more text or a smaller block.")


def held_out(text: Any, count: int) -> list[Any]:
    """The first held-out documents. Raises WorkbenchError where there are none."""
    found = text.held_out.take(count)
    if not found:
        raise WorkbenchError(f"{text!r} has no held-out documents to measure on; give more text.")
    return found
