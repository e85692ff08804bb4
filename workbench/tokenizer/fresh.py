"""Train a new tokenizer: from nothing, or in the place of a base (substitution, arXiv 2412.21140), whose special tokens and chat template it takes over."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ..errors import WorkbenchError
from ..progress import Progress
from ..specs import Options
from . import specials as special
from .alphabet import LETTERS, MARK, byte_piece
from .cutting import Alphabet, Counted, Normalizer, count, frame
from .learners import Learned, Wanted, learn_bpe, learn_unigram
from .loading import load, wrap
from .reporting import dead, resplit

if TYPE_CHECKING:
    import tokenizers
    from transformers import PreTrainedTokenizerFast

BYTE_PIECES = tuple(byte_piece(b) for b in range(256))
ASCII = tuple(chr(c) for c in range(ord("!"), ord("~") + 1))


class Training(Options):
    """What to train."""

    vocab_size: int = Field(32_000, ge=1, le=1_000_000, description="Tokens of the new vocabulary, special tokens and bytes included.")
    algorithm: Literal["bpe", "unigram"] = Field("bpe", description="bpe: the most frequent pair is merged, again and again; unigram: the likeliest pieces.")
    alphabet: Alphabet = Field(
        "byte-level", description="byte-level: as GPT-2 and Llama-3, tokens are bytes; sentencepiece: as Llama-2, letters and ▁, rare letters as bytes."
    )
    min_frequency: int = Field(2, ge=1, description="Learn nothing that occurs less often; rarer letters are left to the bytes.")
    max_length: int = Field(16, ge=1, le=256, description="Longest token, in characters.", json_schema_extra={"advanced": True})
    pattern: str = Field(
        "words", description="How text is cut before learning: words, llama3, qwen, gpt2, or a regular expression.", json_schema_extra={"advanced": True}
    )
    normalizer: Normalizer = Field(
        "none", description="Unicode form that text is brought to; with none and nfc, nothing is unified.", json_schema_extra={"advanced": True}
    )
    single_digits: bool = Field(False, description="Make every digit a token of its own.", json_schema_extra={"advanced": True})
    bos: str | None = Field(None, description="Beginning of text; the base's, or <s>, unless given.", json_schema_extra={"advanced": True})
    eos: str | None = Field(None, description="End of text; the base's, or </s>, unless given.", json_schema_extra={"advanced": True})
    unk: str | None = Field(None, description="The unknown; the base's, or <unk>, unless given.", json_schema_extra={"advanced": True})
    pad: str | None = Field(None, description="Padding; the base's, or none, unless given.", json_schema_extra={"advanced": True})
    specials: tuple[str, ...] = Field((), description="Further special tokens.", json_schema_extra={"advanced": True})
    chat_template: str | None = Field(
        None, description="A Jinja chat template, or the path of one; the base's unless given.", json_schema_extra={"advanced": True}
    )


@dataclass(frozen=True)
class TrainingReport:
    """Numbers of one training. Tokens per word are over a sample of the text (up to 4000 documents), whose words are what whitespace separates."""

    asked: int
    size: int
    specials: int
    letters: int  # characters that are tokens of their own, beside the 256 bytes
    dead: int  # tokens their own text does not give; 0 by construction, counted on the finished tokenizer
    words: int
    distinct: int
    tokens_per_word_after: float
    exhausted: bool  # the text had too few tokens that are frequent enough
    tokens_per_word_before: float | None = None  # None, like all that follows, without a base
    kept: int | None = None  # tokens that base and result share, by identity
    new: int | None = None
    dropped: int | None = None
    rows_before: int | None = None  # embedding rows needed: highest id + 1
    rows_after: int = 0
    resplit: float | None = None  # share of the words of the reference text that are cut differently
    resplit_examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trained:
    """The new tokenizer: special tokens first, then the 256 bytes, then letters and learned tokens."""

    tokenizer: PreTrainedTokenizerFast
    report: TrainingReport


def train(
    texts: Iterable[str], options: Training | None = None, progress: Progress | None = None, *,
    base: str | Path | PreTrainedTokenizerFast | tokenizers.Tokenizer | None = None, reference: Iterable[str] = (),
) -> Trained:  # fmt: skip
    """Train BPE or Unigram on `texts`, through the tokenizers library; equal texts and options give equal bytes.

    Nothing is ever unknown: what has no token is spelt in bytes. Special tokens have the lowest ids. With a `base` they are all its special and
    added tokens in the order of its ids, and its roles, chat template, limits and what it puts around a text (BOS in front) come along; without one they
    are <unk>, <s> and </s>, and <s> is put in front. Unigram in the sentencepiece alphabet needs an unknown token and adds <unk> where the base
    has none. `reference`: text of the base's languages, on which the share of words cut differently is counted.

    Raises WorkbenchError for a text without words, a vocabulary too small for its alphabet, special tokens that contradict, and a pattern that is none.
    """
    options, progress = options or Training(), progress or Progress()
    origin = load(base) if base is not None else None
    given = {"bos": options.bos, "eos": options.eos, "unk": options.unk, "pad": options.pad}
    by_pieces = options.alphabet == "sentencepiece"
    found = special.gather(origin, given, options.specials, options.chat_template, unknown=by_pieces and options.algorithm == "unigram")
    special.check_alphabet(found, options.alphabet)
    names = {token.content for token in found.tokens}
    _check_room(options, len(names), 0)
    backend = frame(options.alphabet, options.pattern, options.normalizer, options.single_digits)
    counted = count(backend, texts, names, progress.part(0.0, 0.3))
    letters = _letters(counted.words, options.min_frequency, names) if by_pieces else tuple(LETTERS)
    _check_room(options, len(names), len(letters) * by_pieces)
    fixed = len(names) + 256 * by_pieces
    wanted = Wanted(
        options.vocab_size - fixed - len(letters), letters, frozenset(names) | (set(BYTE_PIECES) if by_pieces else set()),
        "metaspace" if by_pieces else "byte-level", options.max_length, options.min_frequency,
    )  # fmt: skip
    words = counted.without(set(letters)) if by_pieces else counted.words
    learned = (learn_bpe if options.algorithm == "bpe" else learn_unigram)(words, wanted, progress.part(0.3, 0.95))
    if not set(learned.pieces) - set(letters):
        raise WorkbenchError(f"Nothing in the text occurs {options.min_frequency} times and is longer than a letter; lower min_frequency or give more text.")
    made = wrap(_assembled(backend, found, letters, learned, by_pieces), found.config)
    return Trained(made, _report(options, origin, made, counted, len(letters) if by_pieces else 0, reference))


def _check_room(options: Training, specials: int, letters: int) -> None:
    if options.vocab_size <= (need := specials + 256 + letters):
        of_text = f" and {letters} letters of the text" if letters else ""
        rarer = ", or raise min_frequency, which leaves rare letters to the bytes" if letters else ""
        raise WorkbenchError(
            f"A vocabulary of {options.vocab_size} is too small: {specials} special tokens, 256 bytes{of_text} take {need}; give more than that{rarer}."
        )


def _letters(words: Counter[str], min_frequency: int, names: set[str]) -> tuple[str, ...]:
    """Characters that get a token: those frequent enough, the most frequent first; and all of ASCII, of which the names of byte pieces are made."""
    found: Counter[str] = Counter()
    for word, number in words.items():
        for letter in word:
            found[letter] += number
    frequent = {letter for letter, number in found.items() if number >= min_frequency}
    return tuple(sorted({MARK, *ASCII, *frequent} - names, key=lambda letter: (-found[letter], letter)))


def _assembled(backend: tokenizers.Tokenizer, found: special.Specials, letters: tuple[str, ...], learned: Learned, by_pieces: bool) -> tokenizers.Tokenizer:
    import tokenizers
    from tokenizers.models import BPE, Unigram

    names = list(found.ids)
    before = [*names, *(BYTE_PIECES if by_pieces else ())]
    unknown = found.config.get("unk_token")
    if learned.scores:
        # Were they as likely as words, a text that spells out "<0x0A>" would come back as a line feed: they score less than all letters of the longest name.
        low = min(learned.scores.values()) * (2 + max(map(len, before)))
        pieces = [(piece, low) for piece in before] + [(piece, learned.scores[piece]) for piece in learned.pieces]
        backend.model = Unigram(pieces, names.index(unknown) if by_pieces else None, byte_fallback=by_pieces)
    else:
        vocab = {piece: i for i, piece in enumerate([*before, *letters, *learned.pieces])}
        about = {"unk_token": unknown, "fuse_unk": True, "byte_fallback": True} if by_pieces else {}
        backend.model = BPE(vocab, learned.merges, **about)
    for token in found.tokens:
        (backend.add_special_tokens if token.special else backend.add_tokens)([token])
    spec = json.loads(backend.to_str())
    spec["post_processor"] = special.processor(found, byte_level=not by_pieces)
    return tokenizers.Tokenizer.from_str(json.dumps(spec, ensure_ascii=False))


def _report(
    options: Training, origin: PreTrainedTokenizerFast | None, made: PreTrainedTokenizerFast, counted: Counted, letters: int, reference: Iterable[str]
) -> TrainingReport:
    from ..vocab import Vocabulary, overlap

    backend, spaced = made.backend_tokenizer, sum(len(text.split()) for text in counted.sample)
    new = Vocabulary(made)
    against = {}
    if origin is not None:
        old = Vocabulary(origin)
        kept, cut = len(overlap(old, new)), resplit(origin.backend_tokenizer, backend, reference)
        against = {
            "tokens_per_word_before": _tokens(origin.backend_tokenizer, counted.sample) / max(spaced, 1), "kept": kept, "new": len(new) - kept,
            "dropped": len(old) - kept, "rows_before": old.size, "resplit": cut.share, "resplit_examples": cut.examples,
        }  # fmt: skip
    return TrainingReport(
        asked=options.vocab_size,
        size=len(new),
        specials=len(backend.get_added_tokens_decoder()),
        letters=letters,
        dead=len(dead(backend)),
        words=counted.spaced,
        distinct=len(counted.words),
        tokens_per_word_after=_tokens(backend, counted.sample) / max(spaced, 1),
        exhausted=len(new) < options.vocab_size,
        rows_after=new.size,
        **against,
    )


def _tokens(backend: tokenizers.Tokenizer, texts: list[str]) -> int:
    return sum(len(encoding.ids) for encoding in backend.encode_batch_fast(texts, add_special_tokens=False))
