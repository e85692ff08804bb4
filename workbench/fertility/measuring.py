"""Fertility: what a text costs in tokens, per word and byte, and against the same text in another language.

Fertility and continued words: Rust et al., arXiv 2012.15613. Parity: Petrov et al., 2305.15425. Normalised sequence length (NSL): Dagan et al.,
2402.01035. Rényi efficiency: Zouhar et al., 2306.16842. Single-token retention rate (STRR): 2510.09947. No begin or end tokens are counted anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

import numpy as np

from ..errors import WorkbenchError
from ..progress import Progress
from .consequences import consequence
from .counting import Counts, Sample, batches
from .encoder import Encoder, untouched
from .inputs import reference_of, texts_by_name, tokenizers_by_name
from .intervals import Blocks, Resampled
from .numbers import ByScript, of_words, over_tokens, over_words, usage, worst_words
from .parity import NONE, by_text, parities
from .segmentation import Segment, segmenter

Detail = Literal["full", "counts"]
Row = dict[str, Any]
OVER_WORDS = ("continued_words", "p95", "max", "strr")
USAGE = ("unknown_rate", "byte_fallback_rate", "utilisation", "utilisation_new", "renyi")
# A low fertility bought with unknown tokens is none: the two rates stand beside it.
FIRST = (
    "tokenizer", "text", "tokens_per_word", "low", "high", "unknown_rate", "byte_fallback_rate", "tokens_per_whitespace_word", "bytes_per_token",
    "chars_per_token", "parity", "nsl", *OVER_WORDS, "utilisation", "utilisation_new", "renyi", "tokens", "words", "whitespace_words", "bytes", "chars",
)  # fmt: skip


@dataclass
class Measured:
    """Fertility of tokenizers on texts, as flat rows.

    `rows`, one per tokenizer and text. Counts: tokens, words (UAX 29, or as `segmenter` says), whitespace_words, bytes (UTF-8), chars. Costs:
    tokens_per_word (low, high), tokens_per_whitespace_word, bytes_per_token, parity (tokens of the target side over tokens of the source side), each
    with its 95 % bootstrap interval over documents or pairs (NAME_low, NAME_high); chars_per_token; nsl (tokens over those of the reference tokenizer
    on the same text). Over words: p95 and max of the tokens of a word, continued_words (share of words cut in two or more); over distinct words: strr
    (percent kept whole). Over tokens, shares 0 to 1: unknown_rate, byte_fallback_rate (`<0xNN>` pieces). Over the vocabulary: utilisation (share that
    occurs), utilisation_new (of the tokens that the reference lacks), renyi. A number that has no meaning for a text is None, and `notes` says why.
    `by_script`: words and tokens of the words of each script. `worst_words`: the words cut into most tokens. `histograms`: bins with count and share.
    `parities`: one row per tokenizer and pair of languages. `consequences`: what the costs mean for a model of a given size. `reference`: its name.
    """

    rows: list[Row] = field(default_factory=list)
    parities: list[Row] = field(default_factory=list)
    consequences: list[Row] = field(default_factory=list)
    by_script: list[Row] = field(default_factory=list)
    worst_words: list[Row] = field(default_factory=list)
    histograms: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    reference: str = ""


@dataclass
class _Found:
    """One text under all tokenizers: what was counted, sums over documents, and how often each id occurs."""

    counts: Counts
    resampled: Resampled
    ids: dict[str, np.ndarray]


def measure(
    tokenizers: Any, texts: Any, *, seed: int = 0, parallel: Any = None, limit: int | None = 5_000, reference: Any = None, segment: Segment = "none",
    detail: Detail = "full", min_count: int = 1, context: int = 4_096, width: int = 4_096, weight_bytes: int = 2, tied: bool = False,
    languages: Mapping[str, str] | None = None, progress: Progress | None = None,
) -> Measured:  # fmt: skip
    """Measure every tokenizer on every text.

    `tokenizers`: references or tokenizer objects (fast ones of transformers, or of the tokenizers library): one, a list, or a
    dict by name. `texts`: references or streams of documents: one, a list, or a dict by name (where a list of strings is the
    documents). A reference that brings its own splits is measured on its held-out part. Only the first `limit` documents (and
    pairs) are read. `parallel`: pairs of (source, target), as a reference or an object, for all texts, a list of opened ones with
    different targets, or a dict by text; `languages`: by text, what the pairs call its language.

    `reference`: the tokenizer that nsl, new tokens and consequences compare with; the first unless told. `segment`: how words are found ("dictionary"
    knows languages without spaces). `detail="counts"` leaves out all that needs words or single tokens: only sums, and ratios of them.
    `min_count`: occurrences from which a token counts as utilised. `context`, `width`, `weight_bytes`, `tied`: the model of the consequences, by its
    window in tokens, numbers per vector, bytes per number, and whether its two tables are one.

    Raises WorkbenchError for what cannot be opened, an empty text, or a tokenizer without a fast version.
    """
    progress, result = progress or Progress(), Measured()
    encoders = {name: Encoder(t) for name, t in tokenizers_by_name(tokenizers, result.notes).items()}
    opened = texts_by_name(texts, seed, notes=result.notes)
    found_by, find = segmenter(segment)
    result.reference, compared = reference_of(reference, encoders)
    every = encoders | {result.reference: compared}
    result.parities = parities(parallel, encoders, limit, seed)
    parity = by_text(result.parities, parallel, list(opened), languages or {}, result.notes)
    model = {"context": context, "width": width, "weight_bytes": weight_bytes, "tied": tied}
    for number, (name, documents) in enumerate(opened.items()):
        part = progress.part(number / len(opened), (number + 1) / len(opened))
        stream = iter(documents)
        found = _count(islice(stream, limit), every, Counts(find, seed), seed, limit, detail, part)
        if not found.counts.documents:
            raise WorkbenchError(f"There is no text in {name}; give one that is not empty.")
        spaceless = found.counts.spaceless and segment == "none"
        words = detail == "full" and not spaceless
        _note(name, found.counts, limit if next(stream, None) is not None else None, spaceless, words, result)
        rows = {label: {"tokenizer": label, "text": name} | _costs(found, column, spaceless, detail) for column, label in enumerate(every)}
        total = rows[result.reference]["tokens"]
        for label, row in rows.items():
            row |= {"segmenter": found_by if words else None, "nsl": row["tokens"] / total if total else None} | parity.get((label, name), NONE)
        details = _details(found, encoders, compared, name, words, min_count, result) if detail == "full" else {}
        for label, encoder in encoders.items():
            whole = rows[label] | details.get(label, dict.fromkeys(USAGE + OVER_WORDS))
            result.rows.append({key: whole[key] for key in FIRST} | whole)
            result.consequences.append(consequence(rows[label], encoder, rows[result.reference], compared, **model))
    return result


def _count(documents: Iterable[str], encoders: dict[str, Encoder], counts: Counts, seed: int, limit: int | None, detail: Detail, progress: Progress) -> _Found:
    full, blocks = detail == "full", Blocks(3 + len(encoders))
    ids: dict[str, np.ndarray] = {}

    def encode(texts: list[str]) -> list[tuple[np.ndarray, np.ndarray | None]]:
        return [encoder.count(texts, each=full) for encoder in encoders.values()]

    with untouched(*encoders.values()):
        for texts, encoded in _ahead(batches(documents), encode):
            if not ids:  # what is asked of the vocabularies is asked here, as the first texts are being encoded meanwhile
                ids = {name: np.zeros(encoder.rows, dtype=np.int64) for name, encoder in encoders.items()}
                _ = [encoder.looks for encoder in encoders.values() if full]
            sizes = counts.add(texts, full)
            blocks.add(np.array([*sizes, *(lengths for lengths, _ in encoded.result())]))
            for name, (_, each) in zip(encoders, encoded.result(), strict=True):
                if each is not None:
                    ids[name][: len(each)] += each
            progress.at(counts.documents / limit if limit else 0, f"{counts.documents:,} documents encoded")
    return _Found(counts, Resampled(blocks.sums, seed), ids)


def _ahead(items: Iterable[list[str]], work: Any) -> Iterator[tuple[list[str], Future[Any]]]:
    """Each item with the result that is being worked out, one item ahead: the library encodes without Python's lock, so what is done meanwhile is free."""
    with ThreadPoolExecutor(1) as pool:
        before = None
        for item in items:
            now = item, pool.submit(work, item)
            if before:
                yield before
            before = now
        if before:
            yield before


def _costs(found: _Found, column: int, spaceless: bool, detail: Detail) -> Row:
    counts, tokens = found.counts, 3 + column
    none = (None, None, None)
    per_word = none if spaceless or detail == "counts" else found.resampled.ratio(tokens, 0)
    per_space = none if counts.spaceless else found.resampled.ratio(tokens, 1)
    per_token = found.resampled.ratio(2, tokens)
    total = int(found.resampled.totals[tokens])
    return {
        "tokens": total, "words": None if spaceless or detail == "counts" else counts.words, "whitespace_words": counts.whitespace_words,
        "bytes": counts.bytes, "chars": counts.characters, "tokens_per_word": per_word[0], "low": per_word[1], "high": per_word[2],
        "tokens_per_whitespace_word": per_space[0], "tokens_per_whitespace_word_low": per_space[1], "tokens_per_whitespace_word_high": per_space[2],
        "bytes_per_token": per_token[0], "bytes_per_token_low": per_token[1], "bytes_per_token_high": per_token[2],
        "chars_per_token": counts.characters / total if total else None,
    }  # fmt: skip


def _details(found: _Found, encoders: dict[str, Encoder], compared: Encoder, text: str, words: bool, min_count: int, result: Measured) -> dict[str, Row]:
    """What needs words or single tokens, by tokenizer; the longer lists go straight into the result."""
    sample = found.counts.sample() if words else None
    sample = sample if sample and sample.names else None
    if sample and sample.rate < 1:
        result.notes.append(_sampled(text, sample))
    rows: dict[str, Row] = {}
    with ThreadPoolExecutor(1) as pool:
        cutting = {label: pool.submit(encoder.word_lengths, sample.names, found.counts.spaceless) for label, encoder in encoders.items()} if sample else {}
        scripts = ByScript(sample, found.counts.spaceless) if sample else None
        for label, encoder in encoders.items():
            about = {"tokenizer": label, "text": text}
            new = encoder.lacking(compared) if encoder is not compared else None
            rows[label] = usage(encoder, found.ids[label], new, min_count) | dict.fromkeys(OVER_WORDS)
            used = [about | row for row in over_tokens(encoder, found.ids[label])]
            if sample and scripts:
                lengths = cutting[label].result()
                rows[label] |= over_words(sample, lengths)
                result.worst_words += [about | row for row in worst_words(sample, lengths)]
                result.by_script += [about | row for row in scripts.rows(lengths)]
                result.histograms += [about | row for row in of_words(sample, lengths)]
            result.histograms += used
    return rows


def _sampled(name: str, sample: Sample) -> str:
    return (
        f"{name} has about {sample.distinct:,} distinct words; numbers over words are from {len(sample.names):,} of them: the {sample.frequent:,} most "
        f"frequent, and 1 in {round(1 / sample.rate)} of the rest, drawn at random."
    )


def _note(name: str, counts: Counts, limit: int | None, spaceless: bool, words: bool, result: Measured) -> None:
    """Say what the numbers leave out. `limit`: where the text has more documents."""
    if limit is not None:
        result.notes.append(f"{name}: the first {limit:,} documents were measured; raise limit for more.")
    if spaceless:
        result.notes.append(
            f"{name} is mostly in scripts without spaces between words, so there are no tokens per word; use parity or bytes per token, "
            "or segment=dictionary to find words."
        )
    elif words and not counts.words:
        result.notes.append(f"{name} has no words, as it has neither letters nor numbers; use bytes per token.")
