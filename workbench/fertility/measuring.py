"""Fertility: what a text costs in tokens, per word and byte, and against the same text in another language.

Fertility and continued words: Rust et al., arXiv 2012.15613. Parity: Petrov et al., 2305.15425. Rényi efficiency: Zouhar et
al., 2306.16842. Single-token retention rate (STRR): 2510.09947. No begin or end tokens are counted anywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from ..corpus.scripts import SPACELESS, script
from ..errors import WorkbenchError
from ..progress import Progress
from .encoder import CHUNK, Counts, Encoder, Tally
from .inputs import parities, texts_by_name, tokenizers_by_name

WORD_TYPES = 1_000_000  # distinct words looked at
ROUNDS = 1_000  # of the bootstrap,
BLOCKS = 10_000  # over at most so many blocks of documents
WORST = 20
RENYI = 2.5


@dataclass
class Measured:
    """Fertility of tokenizers on texts, as flat rows.

    `rows`, one per tokenizer and text. Counts: tokens, words (UAX 29), whitespace_words, bytes (UTF-8), chars. Costs:
    tokens_per_word with its 95 % bootstrap interval over documents (low, high), tokens_per_whitespace_word, bytes_per_token,
    parity (tokens of the target side over tokens of the source side). Over words: p95 and max of the tokens of a word,
    continued_words (share of words cut in two or more); over distinct words: strr (percent kept whole). Over tokens, shares 0
    to 1: unknown_rate, byte_fallback_rate (`<0xNN>` pieces). Over the vocabulary: utilisation (share that occurs), renyi.
    A number that has no meaning for a text is None, and `notes` says why.
    `by_script`: words and tokens of the words of each script. `worst_words`: the words cut into most tokens.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    by_script: list[dict[str, Any]] = field(default_factory=list)
    worst_words: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def measure(
    tokenizers: Any, texts: Any, *, seed: int = 0, parallel: Any = None, limit: int | None = 5_000, progress: Progress | None = None,
) -> Measured:  # fmt: skip
    """Measure every tokenizer on every text.

    `tokenizers`: references or tokenizer objects (fast ones of transformers, or of the tokenizers library): one, a list, or a
    dict by name. `texts`: references or streams of documents: one, a list, or a dict by name (where a list of strings is the
    documents). A reference that brings its own splits is measured on its held-out part. Only the first `limit` documents (and
    pairs) are read. `parallel`: pairs of (source, target), as a reference or an object, for all texts or as a dict by text.

    Raises WorkbenchError for what cannot be opened, an empty text, or a tokenizer without a fast version.
    """
    progress = progress or Progress()
    result, encoders = Measured(), {name: Encoder(t) for name, t in tokenizers_by_name(tokenizers).items()}
    opened = texts_by_name(texts, seed)
    parity = parities(parallel, list(opened), encoders, limit, result.notes)
    for number, (name, documents) in enumerate(opened.items()):
        part = progress.part(number / len(opened), (number + 1) / len(opened))
        counts, tallies = _count(documents, encoders, limit, part)
        if not counts.documents:
            raise WorkbenchError(f"There is no text in {name}; give one that is not empty.")
        _note(name, counts, limit, result)
        types = _types(name, counts, seed, result)
        for label, encoder in encoders.items():
            about = {"tokenizer": label, "text": name}
            row = about | _costs(counts, tallies[label], seed) | {"parity": parity.get((label, name))} | _usage(encoder, tallies[label])
            result.rows.append(row | _over_words(encoder, types, about, result))
    return result


def _count(documents: Iterable[str], encoders: dict[str, Encoder], limit: int | None, progress: Progress) -> tuple[Counts, dict[str, Tally]]:
    counts, tallies = Counts(), {name: Tally() for name in encoders}
    texts = iter(islice(documents, limit))
    while chunk := list(islice(texts, CHUNK)):
        for text in chunk:
            counts.add(text)
        for name, encoder in encoders.items():
            for ids in encoder.ids(chunk):
                tallies[name].tokens.append(len(ids))
                tallies[name].ids.update(ids)
        progress.at(counts.documents / limit if limit else 0, f"{counts.documents:,} documents encoded")
    return counts, tallies


def _costs(counts: Counts, tally: Tally, seed: int) -> dict[str, Any]:
    tokens, total = sum(tally.tokens), sum(counts.words)
    per_word, low, high = (None, None, None) if counts.spaceless or not total else interval(tally.tokens, counts.words, seed)
    return {
        "tokens": tokens, "words": None if counts.spaceless else total, "whitespace_words": counts.whitespace_words, "bytes": counts.bytes,
        "chars": counts.characters.total(), "tokens_per_word": per_word, "low": low, "high": high,
        "tokens_per_whitespace_word": None if counts.spaceless or not counts.whitespace_words else tokens / counts.whitespace_words,
        "bytes_per_token": counts.bytes / tokens if tokens else None,
    }  # fmt: skip


def interval(top: list[int], bottom: list[int], seed: int) -> tuple[float, float | None, float | None]:
    """Ratio of two sums with its 95 % percentile bootstrap interval over the items; (ratio, None, None) for a single item."""
    sums, count = np.array([top, bottom], dtype=float), len(top)
    ratio = float(sums[0].sum() / sums[1].sum())
    if count < 2:
        return ratio, None, None
    if count > BLOCKS:
        sums, count = np.add.reduceat(sums, np.linspace(0, count, BLOCKS, endpoint=False).astype(int), axis=1), BLOCKS
    generator, found = np.random.default_rng(seed), []
    for _ in range(ROUNDS // 50):
        drawn = sums[:, generator.integers(count, size=(50, count))].sum(axis=2)
        with np.errstate(divide="ignore", invalid="ignore"):
            found.append(drawn[0] / drawn[1])
    every = np.concatenate(found)
    low, high = np.quantile(every[np.isfinite(every)], [0.025, 0.975])
    return ratio, float(low), float(high)


def _usage(encoder: Encoder, tally: Tally) -> dict[str, Any]:
    total = max(tally.ids.total(), 1)
    shares = np.array(list(tally.ids.values()), dtype=float) / total
    entropy = np.log((shares**RENYI).sum()) / (1 - RENYI) if len(shares) else 0.0
    return {
        "unknown_rate": tally.ids[encoder.unknown_id] / total, "byte_fallback_rate": sum(tally.ids[i] for i in encoder.byte_ids) / total,
        "utilisation": len(tally.ids) / encoder.size, "renyi": float(entropy / np.log(encoder.size)) if encoder.size > 1 else None,
    }  # fmt: skip


def _types(name: str, counts: Counts, seed: int, result: Measured) -> Counter[str]:
    """The distinct words with their counts; a sample of them where there are very many."""
    if counts.spaceless:
        return Counter()
    if len(counts.types) <= WORD_TYPES:
        return counts.types
    result.notes.append(f"{name} has {len(counts.types):,} distinct words; numbers over words are from {WORD_TYPES:,} of them, drawn at random.")
    kept, names = np.random.default_rng(seed).choice(len(counts.types), WORD_TYPES, replace=False), list(counts.types)
    return Counter({names[i]: counts.types[names[i]] for i in kept})


def _over_words(encoder: Encoder, types: Counter[str], about: dict[str, str], result: Measured) -> dict[str, Any]:
    """Numbers over words; those by script and the worst words go straight into the result."""
    if not types:
        return dict.fromkeys(("continued_words", "p95", "max", "strr"))
    names = list(types)
    weights, lengths = np.array([types[w] for w in names]), encoder.word_lengths(names)
    order = np.argsort(lengths, kind="stable")
    p95 = lengths[order][np.searchsorted(np.cumsum(weights[order]), 0.95 * weights.sum())]
    worst = sorted(range(len(names)), key=lambda i: (-lengths[i], -weights[i], names[i]))[:WORST]
    result.worst_words += [about | {"word": names[i], "tokens": int(lengths[i]), "count": int(weights[i])} for i in worst]
    result.by_script += [about | row for row in _by_script(names, weights, lengths)]
    continued = float(weights[lengths > 1].sum() / weights.sum())
    return {"continued_words": continued, "p95": int(p95), "max": int(lengths.max()), "strr": float(100 * (lengths == 1).mean())}


def _by_script(names: list[str], weights: np.ndarray, lengths: np.ndarray) -> Iterator[dict[str, Any]]:
    kinds = np.array([next((s for c in word if (s := script(c))), "") for word in names])
    sizes = np.array([len(word.encode("utf-8", "surrogatepass")) for word in names])
    for kind in sorted(set(kinds) - SPACELESS, key=lambda k: -weights[kinds == k].sum()):
        here = kinds == kind
        count, tokens, size = int(weights[here].sum()), int((weights * lengths)[here].sum()), int((weights * sizes)[here].sum())
        yield {"script": str(kind) or "numbers", "words": count, "tokens": tokens, "tokens_per_word": tokens / count, "bytes_per_token": size / max(tokens, 1)}


def _note(name: str, counts: Counts, limit: int | None, result: Measured) -> None:
    if counts.documents == limit:
        result.notes.append(f"{name}: the first {limit:,} documents were measured; raise limit for more.")
    if counts.spaceless:
        result.notes.append(f"{name} is mostly in scripts without spaces between words, so there are no tokens per word; use parity or bytes per token.")
