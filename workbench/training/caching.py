"""Texts as token ids, encoded once: later passes, trainings that go on, and sweeps read what the first complete pass has kept.

What is kept is written beside that pass, not before it: a training of a few steps on a large text then waits for no more of it to be encoded than it reads,
and a pass that is broken off leaves nothing. Where the blocks of a pass are counted (`epochs`), that is the pass. Every item keeps its number in the text,
so any order can be read from one file, and what is trained on is the same to the bit, kept or not.
"""

from __future__ import annotations

import glob
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from .. import contents, refs, store
from . import tokenfiles
from .data import Document, encode, rendered, shuffled, start_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Key = Callable[[], str | None]
PROBE = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]


@dataclass(frozen=True)
class Encoded:
    """The items of a text as documents.

    Attributes:
        items: the text; reading it again gives the same ones in the same order.
        encode: gives one document for each item, in their order; None for one that is left out.
        whole: whether the documents stay whole (`Document.whole`).
        key: names what the encoding depends on; None where it is not kept.
    """

    items: Iterable[Any]
    encode: Callable[[Iterable[Any]], Iterator[Document | None]]
    whole: bool
    key: Key = lambda: None
    _kept: dict[str, tokenfiles.Rows] = field(default_factory=dict, repr=False)

    def documents(self, seed: str) -> Iterator[Document]:
        """One pass, in the order of the seed; the first complete one leaves its file."""
        key = self.key()
        if key and key not in self._kept and (rows := tokenfiles.opened(key)):
            self._kept[key] = rows
        kept = self._kept.get(key)
        found = kept.documents(shuffled(range(len(kept)), seed), self.whole) if kept else self._first(key, seed)
        return (document for document in found if document is not None and document.ids)

    def _first(self, key: str | None, seed: str) -> Iterator[Document | None]:
        numbers: deque[int] = deque()  # of the items that are being encoded

        def shuffle() -> Iterator[Any]:
            for number, item in shuffled(enumerate(self.items), seed):
                numbers.append(number)
                yield item

        with tokenfiles.writing(key) as file:
            for document in self.encode(shuffle()):
                file.add(numbers.popleft(), document)
                yield document
            file.finish(lambda: self.key() == key)  # the text may have been edited while it was read


def key_of(references: Sequence[str], seed: int, tokenizer: PreTrainedTokenizerBase, chat: bool = False) -> Key:
    """What names the encoding of the part of these texts that is trained on: their content, the seed that splits them, tokenizer and versions.

    It gives None where nothing is to be kept: for a stream whose end is not known (hf:), and for texts larger than `tokenfiles.LARGEST`.
    """
    if not references or not hasattr(tokenizer, "backend_tokenizer"):
        return lambda: None

    @cache
    def encoder() -> str:
        encode(tokenizer, "")  # a tokenizer's file may ask for cutting and padding, which the first use switches off
        how = [start_ids(tokenizer), tokenizer.eos_token_id, getattr(tokenizer, "split_special_tokens", False), type(tokenizer).__name__]
        asked = [rendered(tokenizer, PROBE[:1], True), rendered(tokenizer, PROBE, False), tokenizer.chat_template] if chat else []  # some write today's date
        versions = {name: version for name, version in store.versions().items() if name in ("transformers", "tokenizers")}
        return contents.digest([tokenizer.backend_tokenizer.to_str(), how, asked, versions, _code()])

    def key() -> str | None:
        if sum(contents.size(each) or 0 for each in references) > tokenfiles.LARGEST:
            return None
        seen = [_content(each) for each in references]
        return None if None in seen else contents.digest([seen, seed, encoder()])

    return key


def _content(reference: str) -> Any:
    """What a text is made of; None where that cannot be said."""
    if reference.startswith("demo:"):
        return reference  # what makes it is in `_code`
    found = contents.pointed(reference)
    return None if found == reference or reference.startswith("hf:") else found


@cache
def _code() -> Any:
    """What reads and encodes texts, and makes the demo's: its version stays the same from one change to the next, and what is trained on may not."""
    package = refs.demo_folder().parent.parent
    return [contents.pointed(f"{glob.escape(str(package / part))}/*.py") for part in ("corpus", "training", "demo/world")]
