"""A BPE tokenizer taken apart: how it cuts text into words, its bare model, and the parts an extension must not touch."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..errors import WorkbenchError
from ..progress import Progress
from .alphabet import MARK, kind_of

if TYPE_CHECKING:
    import tokenizers

# Without a pre-tokenizer a whole text is one word to the model; ours end before each ▁ that follows something else.
_WORD = re.compile(f"{MARK}*[^{MARK}]+|{MARK}+")


def cutter(model: dict[str, Any]) -> Any:
    """The bare `tokenizers` BPE model of a tokenizer.json's "model": always by its merges, whatever ignore_merges says."""
    from tokenizers.models import BPE

    merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in model["merges"]]
    options = {key: model[key] for key in ("unk_token", "fuse_unk", "byte_fallback") if model.get(key) is not None}
    return BPE(model["vocab"], merges, **options)


class Base:
    """A tokenizer to be extended. `spec` is its tokenizer.json with every token, added ones included, in the model's vocabulary."""

    def __init__(self, backend: tokenizers.Tokenizer) -> None:
        self.backend, self.kind = backend, kind_of(backend)
        self.spec: dict[str, Any] = json.loads(backend.to_str())
        model = self.spec["model"]
        if model.get("type") != "BPE" or self.kind == "wordpiece":
            raise WorkbenchError(
                f"This tokenizer is {model.get('type')}, and only BPE can be extended or optimised; make a new vocabulary with tokenizer.train instead "
                "(substitution), or choose a BPE base."
            )
        if any(model.get(key) for key in ("continuing_subword_prefix", "end_of_word_suffix", "dropout")):
            raise WorkbenchError(
                "This BPE tokenizer marks word parts by prefix or suffix, or drops merges at random; choose a byte-level or SentencePiece base."
            )
        self.ignore_merges = bool(model.get("ignore_merges"))
        # On loading, added tokens that the model lacks are numbered behind its vocabulary: a longer one would move them.
        model["vocab"] |= {t["content"]: t["id"] for t in self.spec["added_tokens"] if t["content"] not in model["vocab"]}
        self.rows = max(model["vocab"].values()) + 1
        self.model = cutter(model)

    def cut(self, text: str) -> list[int]:
        """Ids of `text`, given in the model's alphabet, by the merges alone."""
        return [token.id for token in self.model.tokenize(text)]

    def cuts(self, words: Iterable[str]) -> list[list[int]]:
        """Ids of each word; of one that is a token, and looked up before it is cut, that token's alone."""
        whole = self.spec["model"]["vocab"] if self.ignore_merges else {}
        return [[whole[word]] if word in whole else self.cut(word) for word in words]

    def tokens(self, counts: Counter[str]) -> int:
        """Tokens of all words, each as often as it occurs."""
        return sum(len(ids) * count for ids, count in zip(self.cuts(counts), counts.values(), strict=True))

    def words(self, text: str) -> list[str]:
        """The words between which no merge reaches, in the model's alphabet."""
        if self.backend.normalizer is not None:
            text = self.backend.normalizer.normalize_str(text)
        pieces = [text] if self.backend.pre_tokenizer is None else [piece for piece, _ in self.backend.pre_tokenizer.pre_tokenize_str(text)]
        return pieces if self.kind == "byte-level" else [word for piece in pieces for word in _WORD.findall(piece)]

    def count(self, texts: Iterable[str], progress: Progress) -> tuple[Counter[str], int]:
        """How often each word occurs, and how many words whitespace separates. Raises WorkbenchError where there is no text."""
        counts: Counter[str] = Counter()
        spaced = 0
        for n, text in enumerate(texts):
            words = self.words(text)
            if n < 200 and self.kind == "metaspace" and self.backend.pre_tokenizer is None:  # else it is that which keeps words apart
                self._assert_apart(text, words)
            counts.update(words)
            spaced += len(text.split())
            if n % 1000 == 0:
                progress.at(1 - 1 / (1 + n / 20_000), "counting words")
        if not counts:
            raise WorkbenchError("There is no text to learn from; give a corpus that has some.")
        return counts, spaced

    def _assert_apart(self, text: str, words: list[str]) -> None:
        whole = "".join(words)
        if len(whole) < 20_000 and self.cut(whole) != [i for word in words for i in self.cut(word)]:
            raise WorkbenchError(
                f"This base has tokens that reach over the space between words ({text[:40]!r}), so it cannot be extended word by word; choose another base."
            )
