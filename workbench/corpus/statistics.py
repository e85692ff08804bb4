"""What is in a corpus: sizes, scripts, duplicates, and letters that look alike but are not."""

from __future__ import annotations

import random
import unicodedata
import zlib
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from .scripts import script_shares, spaceless, words

SHOWN = 20  # documents shown as they are,
SHOWN_CHARACTERS = 1_000  # each cut to so many characters
SHINGLE = 5  # characters
COMPARED_CHARACTERS = 4_000  # of a document, when near-duplicates are looked for
BANDS, BAND = 12, 5  # of a sketch of 60 numbers: documents alike by 0.8 share a band in 99 of 100 cases
SIMILAR = 0.8  # estimated Jaccard similarity from which two documents are near-duplicates

# What to count documents by, and what to tell the user about it.
FORMS = {
    "not_nfc": "are not in Unicode form NFC: one letter may be written in two ways and gets two sets of tokens",
    "not_nfkc": "change under NFKC (ligatures, full-width letters, no-break spaces); do not apply it blindly, it also changes meaning, as in x²",
    "nbsp": "contain no-break spaces (U+00A0), which most tokenizers do not treat as spaces",
    "zwnj": "contain zero-width non-joiners (U+200C): right in Persian and some Indic scripts, otherwise debris",
    "bom": "contain byte order marks (U+FEFF) inside the text",
    "control": "contain control characters other than tab and line ends",
    "arabic_letters": "use Arabic ي or ك",
    "persian_letters": "use Persian ی or ک",
    "replacement": "contain the replacement character U+FFFD: text that was once decoded wrongly",
}
EXPECTED = {"zwnj", "not_nfkc", "arabic_letters", "persian_letters"}  # counted, but no cause for a warning by themselves
_CONTROL = frozenset(map(chr, [*range(9), 11, 12, *range(14, 32), 127, *range(128, 133), *range(134, 160)]))


@dataclass
class Statistics:
    """Numbers about a corpus. Lengths are in characters (code points) unless named otherwise; shares are 0 to 1."""

    documents: int
    characters: int
    bytes: int
    words: int | None  # by UAX 29; None where most letters belong to scripts without spaces between words
    whitespace_words: int
    scripts: dict[str, float]  # share of the letters
    length: dict[str, float]  # mean, median, p95, max
    length_histogram: list[dict[str, int]]  # documents with from <= length < to
    exact_duplicates: int  # documents equal to an earlier one
    near_duplicates: int  # of `near_sample` distinct documents: those much like an earlier one
    near_sample: int
    forms: dict[str, int]  # documents by normal form and suspicious character
    warnings: list[str]
    first: list[str] = field(repr=False)


def measure(texts: Iterable[str], *, near_sample: int = 2_000, seed: int = 0) -> Statistics:
    """Statistics of any stream of documents, in one pass.

    Memory: 16 bytes per document beside the sample. Near-duplicates (MinHash over 5-character shingles, estimated Jaccard
    similarity of 0.8 or more) are looked for among `near_sample` distinct documents drawn evenly by `seed`, so that in a
    larger corpus their number is a lower bound.
    """
    counter = Counting(near_sample, seed)
    for text in texts:
        counter.add(text)
    return counter.result()


class Counting:
    """Statistics in the making: `add` documents one by one, then ask for the `result`."""

    def __init__(self, near_sample: int = 2_000, seed: int = 0) -> None:
        self.near_sample, self.seed = near_sample, seed
        self.random = random.Random(seed)
        self.hashes, self.lengths = array("q"), array("q")
        self.totals: Counter[str] = Counter()
        self.characters: Counter[str] = Counter()
        self.sample: list[str] = []
        self.first: list[str] = []

    def add(self, text: str) -> None:
        self.hashes.append(hash(text))
        self.lengths.append(len(text))
        self.characters.update(text)
        self.totals.update(_forms(text))
        self.totals["bytes"] += len(text.encode("utf-8", "surrogatepass"))
        self.totals["words"] += len(words(text))
        self.totals["whitespace_words"] += len(text.split())
        if len(self.first) < SHOWN:
            self.first.append(text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…")
        if len(self.sample) < self.near_sample:
            self.sample.append(text[:COMPARED_CHARACTERS])
        elif (place := self.random.randrange(len(self.hashes))) < self.near_sample:
            self.sample[place] = text[:COMPARED_CHARACTERS]

    def result(self) -> Statistics:
        lengths, count = np.array(self.lengths), len(self.lengths)
        shares = script_shares(self.characters)
        distinct = list(dict.fromkeys(self.sample))
        result = Statistics(
            documents=count, characters=int(lengths.sum()), bytes=self.totals["bytes"], words=None if spaceless(shares) else self.totals["words"],
            whitespace_words=self.totals["whitespace_words"], scripts=shares, length=_summary(lengths), length_histogram=_histogram(lengths),
            exact_duplicates=count - len(np.unique(np.array(self.hashes))), near_duplicates=near_duplicates(distinct, self.seed), near_sample=len(distinct),
            forms={name: self.totals[name] for name in FORMS}, warnings=[], first=self.first,
        )  # fmt: skip
        result.warnings = warnings(result)
        return result


def _forms(text: str) -> list[str]:
    if text.isascii():  # then only control characters are possible
        return ["control"] if not _CONTROL.isdisjoint(text) else []
    found = {
        "not_nfc": not unicodedata.is_normalized("NFC", text), "not_nfkc": not unicodedata.is_normalized("NFKC", text), "nbsp": "\u00a0" in text,
        "zwnj": "\u200c" in text, "bom": "\ufeff" in text, "control": not _CONTROL.isdisjoint(text), "arabic_letters": "ي" in text or "ك" in text,
        "persian_letters": "ی" in text or "ک" in text, "replacement": "\ufffd" in text,
    }  # fmt: skip
    return [name for name, there in found.items() if there]


def warnings(found: Statistics) -> list[str]:
    """What a user should look at, in plain sentences."""
    total, forms = max(found.documents, 1), found.forms
    said = [f"{forms[name]:,} of {total:,} documents {text}." for name, text in FORMS.items() if forms[name] and name not in EXPECTED]
    if forms["zwnj"] and not set(found.scripts) & {"Arabic", "Devanagari", "Bengali", "Malayalam", "Kannada", "Telugu", "Sinhala"}:
        said.append(f"{forms['zwnj']:,} of {total:,} documents {FORMS['zwnj']}.")
    if forms["arabic_letters"] and forms["persian_letters"]:
        both = f"{forms['arabic_letters']:,} documents {FORMS['arabic_letters']} and {forms['persian_letters']:,} {FORMS['persian_letters']}"
        said.append(f"{both}: the same word may be spelled in two ways, which nothing here unifies unless you ask.")
    if found.exact_duplicates:
        said.append(f"{found.exact_duplicates:,} of {total:,} documents repeat an earlier one exactly.")
    if found.near_duplicates:
        sample = f"{found.near_duplicates:,} of {found.near_sample:,} sampled documents"
        said.append(f"{sample} are nearly the same as another; in the whole corpus there may be more.")
    if found.words is None:
        said.append("Most of this text is in a script without spaces between words; use bytes per token and parity, not tokens per word.")
    return said


def near_duplicates(texts: list[str], seed: int = 0) -> int:
    """How many texts are much like an earlier one of the list, by MinHash with locality-sensitive hashing."""
    from datasketch import MinHash

    blank, found = MinHash(num_perm=BANDS * BAND, seed=(seed + 1) % 2**32, hashfunc=zlib.crc32), 0
    # The library's own MinHashLSH names itself by a draw from the global generator, which is not ours to move.
    buckets: dict[tuple[int, bytes], list[MinHash]] = defaultdict(list)
    for text in texts:
        sketch = blank.copy()
        sketch.update_batch({text[i : i + SHINGLE].encode("utf-8", "surrogatepass") for i in range(max(len(text) - SHINGLE + 1, 1))})
        mine = [buckets[band, sketch.hashvalues[band * BAND : (band + 1) * BAND].tobytes()] for band in range(BANDS)]
        found += any(sketch.jaccard(other) >= SIMILAR for bucket in mine for other in bucket)
        for bucket in mine:
            bucket.append(sketch)
    return found


def _summary(lengths: np.ndarray) -> dict[str, float]:
    if not len(lengths):
        return {"mean": 0.0, "median": 0.0, "p95": 0.0, "max": 0.0}
    median, p95 = np.quantile(lengths, [0.5, 0.95])
    return {"mean": float(lengths.mean()), "median": float(median), "p95": float(p95), "max": float(lengths.max())}


def _histogram(lengths: np.ndarray) -> list[dict[str, int]]:
    """Bins that double in width: 1, 2–3, 4–7, …"""
    counts = np.bincount(np.frexp(lengths.astype(float))[1] - 1) if len(lengths) else []
    return [{"from": 2**power, "to": 2 ** (power + 1), "documents": int(count)} for power, count in enumerate(counts)]
