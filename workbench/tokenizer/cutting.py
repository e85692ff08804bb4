"""What stands around the model of a new tokenizer: normaliser, pre-tokenizer and decoder; and the words that they make of a text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ..errors import WorkbenchError, nearest
from ..progress import Progress
from .alphabet import MARK
from .convert_tiktoken import FAMILIES, compiles

if TYPE_CHECKING:
    import tokenizers

Alphabet = Literal["byte-level", "sentencepiece"]
Normalizer = Literal["none", "nfc", "nfkc"]
# The patterns of the model families end a word at a combining mark (\p{M}: the vowel signs of Hindi) and at U+200C, which Persian writes inside words.
WORDS = r" ?\p{L}[\p{L}\p{M}]*(?:['’\u200c\u200d]\p{L}[\p{L}\p{M}]*)*| ?\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
PATTERNS = {"words": WORDS, **{name: family.regex for name, family in FAMILIES.items()}}
LONGEST = 256  # letters of a word that are learned from at once: longer ones are no words, and cost Unigram quadratic time
SAMPLE = 2_000  # documents kept for measuring
SHOWN = 20_000  # characters of each


def pattern_of(name: str) -> str:
    """The regular expression of a pattern's name, or the expression itself. Raises WorkbenchError where it is none."""
    if not name:
        raise WorkbenchError(f"The pattern is empty; give {', '.join(PATTERNS)} or a regular expression.")
    if name in PATTERNS:
        return PATTERNS[name]
    if re.fullmatch(r"\w{2,12}", name):
        raise WorkbenchError(f"There is no pattern '{name}'.{nearest(name, PATTERNS)}")
    return compiles(name, PATTERNS)


def frame(alphabet: Alphabet, pattern: str, normalizer: Normalizer, single_digits: bool) -> tokenizers.Tokenizer:
    """A tokenizer with an empty model, whose other parts give back what was encoded (after the normaliser).

    Two exceptions, both in the sentencepiece alphabet and as with Llama-2: a ▁ in the text comes back as a space, and text after a special token gets a
    space in front.
    """
    import tokenizers
    from tokenizers import decoders, models, normalizers, pre_tokenizers

    backend = tokenizers.Tokenizer(models.BPE())
    forms: list[Any] = {"none": [], "nfc": [normalizers.NFC()], "nfkc": [normalizers.NFKC()]}[normalizer]
    cuts: list[Any] = [pre_tokenizers.Split(tokenizers.Regex(pattern_of(pattern)), "isolated")]
    if single_digits:
        cuts.append(pre_tokenizers.Digits(individual_digits=True))
    if alphabet == "byte-level":
        cuts.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False))
        backend.decoder = decoders.ByteLevel()
    else:
        # The space in front of the text is a plain one until the pattern has cut: so one pattern serves both alphabets.
        forms.append(normalizers.Prepend(" "))
        cuts.append(pre_tokenizers.Metaspace(replacement=MARK, prepend_scheme="never", split=False))
        backend.decoder = decoders.Sequence([decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    if forms:
        backend.normalizer = normalizers.Sequence(forms)
    backend.pre_tokenizer = pre_tokenizers.Sequence(cuts)
    return backend


@dataclass
class Counted:
    """A text as a trainer needs it."""

    words: Counter[str] = field(default_factory=Counter)  # in the model's alphabet
    spaced: int = 0  # words that whitespace separates
    sample: list[str] = field(default_factory=list)  # documents from all over it

    def without(self, keep: set[str]) -> Counter[str]:
        """The words cut at every letter that is not in `keep`: no token reaches over it."""
        found: Counter[str] = Counter()
        for word, count in self.words.items():
            if keep.issuperset(word):
                found[word] += count
            else:
                for part in "".join(c if c in keep else " " for c in word).split(" "):
                    if part:
                        found[part] += count
        return found


def count(backend: tokenizers.Tokenizer, texts: Iterable[str], apart: Iterable[str], progress: Progress) -> Counted:
    """Read a text. `apart`: special and added tokens, which the tokenizer takes out before its model sees the text. Raises WorkbenchError if it is empty."""
    found, kept, every = Counted(), 0, 1
    outside = re.compile("|".join(map(re.escape, sorted(apart, key=lambda s: (-len(s), s)))) or r"(?!)")
    number = -1
    for number, text in enumerate(texts):
        for part in outside.split(text):
            normal = backend.normalizer.normalize_str(part) if backend.normalizer is not None else part
            for word, _ in backend.pre_tokenizer.pre_tokenize_str(normal):
                for at in range(0, len(word), LONGEST):
                    found.words[word[at : at + LONGEST]] += 1
        found.spaced += len(text.split())
        if number % every == 0:
            found.sample.append(text[:SHOWN])
            kept += 1
            if kept == 2 * SAMPLE:  # every second one goes: the sample stays evenly spread, however long the text is
                found.sample, kept, every = found.sample[::2], SAMPLE, 2 * every
        if number % 1000 == 0:
            progress.at(1 - 1 / (1 + number / 20_000), f"{number:,} documents read")
    if not found.words or not found.spaced:
        raise WorkbenchError("There is no text to learn from; give a corpus that has some.")
    return found
