"""Vocabulary size against what text costs: a tokenizer is learned once, at the largest size, and cut down to the smaller ones.

BPE learns its merges in one fixed order, so the first k of N merges are those that learning k would have given; for continued BPE a test says so id for
id. Knee: Satopää et al. 2011 (Kneedle), on the linear scale.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from ..errors import WorkbenchError
from ..progress import Progress
from ..specs import Options, Seed, Step, TextRef, TokenizerRef

if TYPE_CHECKING:
    import tokenizers

FIRST = 125  # new tokens of the first step; each further one doubles them
BEND = 0.05  # of the whole drop: a curve that stays closer to its chord has no knee worth the name
MOST = 1_000_000  # tokens, the bound of what is learned from
ADVANCED = {"advanced": True}


class Sweeping(Options):
    """Which sizes to measure, of what."""

    strategy: Literal["extend", "bpe"] = Field(
        "extend", description="extend adds tokens to the base by continued BPE; bpe learns a new byte-level vocabulary in place of the base's."
    )
    new_tokens: int = Field(8_000, ge=1, le=MOST, description="The most new tokens to measure.")
    sizes: tuple[int, ...] = Field((), description=f"The numbers of new tokens to measure; if left out, 0, {FIRST}, {2 * FIRST}, {4 * FIRST} … up to the most.")
    script: str | None = Field(None, description="With extend: add only tokens of this Unicode script (Cyrillic, Arabic, Hangul…).")
    min_frequency: int = Field(2, ge=1, description="Learn no pair that occurs less often in the text.", json_schema_extra=ADVANCED)
    width: int = Field(4096, ge=1, description="Numbers per vector of the model, for the size of its tables.", json_schema_extra=ADVANCED)
    tied: bool = Field(False, description="The model's embedding and output table are one.", json_schema_extra=ADVANCED)
    limit: int | None = Field(5_000, ge=1, description="Measure at most this many documents.", json_schema_extra=ADVANCED)
    seed: Seed = Field(0, description="Decides what is held out, and the draws behind the intervals.", json_schema_extra=ADVANCED)


@dataclass(frozen=True)
class Swept:
    """What each size costs, and where more tokens stop to pay.

    `rows`, by size: size (of the vocabulary, in rows of the embedding table), new (tokens learned), tokens_per_word with its 95 % bootstrap interval
    (low, high), bytes_per_token, utilisation_new (share of the new tokens that occur in the text measured; None at 0), table_mb (embedding and output
    table in 16-bit numbers, 10⁶ bytes). `knee`: one of the rows, or None where the curve has no bend. tokens_per_word is None for text without words; the
    knee is then that of bytes_per_token.
    """

    rows: list[dict[str, Any]]
    knee: dict[str, Any] | None
    notes: list[str] = field(default_factory=list)


def sweep(base: Any, texts_train: Iterable[str], texts_held_out: Iterable[str], options: Sweeping | None = None, progress: Progress | None = None) -> Swept:
    """Learn up to the largest size on `texts_train` and measure each size on `texts_held_out`.

    `base`: a reference or a tokenizer object. Raises WorkbenchError for sizes that are none, and whatever learning and measuring raise.
    """
    from .measuring import measure

    options, progress = options or Sweeping(), progress or Progress()
    wanted = _sizes(options)
    if options.script and options.strategy != "extend":
        raise WorkbenchError("A script filter goes with extend, which keeps the base's other tokens; leave script out with bpe.")
    largest, new_ids = _learn(base, texts_train, options, wanted[-1], progress.part(0, 0.5))
    sizes, notes = sorted({min(k, len(new_ids)) for k in wanted}), []
    if len(new_ids) < wanted[-1]:
        notes.append(f"The text gave only {len(new_ids):,} new tokens that occur {options.min_frequency} times or more; give more text for more.")
    made = {f"{k}": tokenizer for k, tokenizer in zip(sizes, cut_down(largest, new_ids, sizes), strict=True)}
    bare = "0" if "0" in made else next(cut_down(largest, new_ids, [0]))
    found = measure(made, {"text": texts_held_out}, seed=options.seed, limit=options.limit, reference=bare, progress=progress.part(0.5, 1))
    row_mb = 2e-6 * options.width * (1 if options.tied else 2)
    full = max(largest.get_vocab(with_added_tokens=True).values()) + 1
    rows = []
    for k, row in zip(sizes, found.rows, strict=True):
        size = full - len(new_ids) + k
        kept = {name: row[name] for name in ("tokens_per_word", "low", "high", "bytes_per_token", "utilisation_new")}
        rows.append({"size": size, "new": k, **kept, "table_mb": size * row_mb})
    at, why = _knee_of(rows)
    return Swept(rows, None if at is None else rows[at], [*notes, *found.notes, why])


def knee(sizes: Sequence[float], costs: Sequence[float]) -> int | None:
    """Index of the point farthest from the chord between the first and the last, on the side of the better costs; None where there is no bend.

    Both axes are scaled to 0…1 from the first point to the last, so that costs may fall (tokens per word) or rise (bytes per token). `sizes` must grow.
    """
    if len(sizes) < 3 or sizes[-1] == sizes[0] or costs[-1] == costs[0]:
        return None
    gained = [(cost - costs[0]) / (costs[-1] - costs[0]) for cost in costs]
    paid = [(size - sizes[0]) / (sizes[-1] - sizes[0]) for size in sizes]
    above = [g - p for g, p in zip(gained, paid, strict=True)]
    best = max(range(len(above)), key=lambda i: above[i])
    return best if above[best] > BEND else None


def cut_down(largest: tokenizers.Tokenizer, new_ids: Sequence[int], sizes: Iterable[int]) -> Iterator[tokenizers.Tokenizer]:
    """For each size k the BPE tokenizer with only the first k of its new tokens, and with the merges that make these."""
    import tokenizers

    spec = json.loads(largest.to_str())
    vocab, merges = spec["model"]["vocab"], spec["model"]["merges"]
    place = {i: k for k, i in enumerate(new_ids)}
    order = {token: place[i] for token, i in vocab.items() if i in place}
    for size in sizes:
        kept = {
            "vocab": {token: i for token, i in vocab.items() if order.get(token, -1) < size},
            "merges": [merge for merge in merges if order.get("".join(merge), -1) < size],
        }
        yield tokenizers.Tokenizer.from_str(json.dumps(spec | {"model": spec["model"] | kept}, ensure_ascii=False))


def _sizes(options: Sweeping) -> list[int]:
    if options.sizes and min(options.sizes) < 0:
        raise WorkbenchError(f"{min(options.sizes)} is no number of new tokens; give sizes of 0 or more.")
    if options.sizes and max(options.sizes) > MOST:
        raise WorkbenchError(f"sizes has {max(options.sizes):,} new tokens, and a sweep learns {MOST:,} at most; leave the larger ones out.")
    doubled = [FIRST << i for i in range(20) if FIRST << i < options.new_tokens]
    return sorted(set(options.sizes)) or [0, *doubled, options.new_tokens]


def _learn(base: Any, texts: Iterable[str], options: Sweeping, most: int, progress: Progress) -> tuple[tokenizers.Tokenizer, list[int]]:
    """The largest tokenizer, and the ids of its new tokens (`most` or a few more) in the order in which they were learned."""
    from ..tokenizer import Extension, Training, extend, load, train
    from ..tokenizer.stated import ROLES

    if options.strategy == "extend":
        added = extend(base, texts, Extension(new_tokens=most, script=options.script, min_frequency=options.min_frequency), progress)
        return added.tokenizer.backend_tokenizer, list(added.new_ids)
    origin = load(base)
    least = 256 + len(origin.backend_tokenizer.get_added_tokens_decoder()) + len(ROLES)  # bytes and special tokens: at least enough, more are cut off
    if least + most > MOST:
        raise WorkbenchError(
            f"With bpe {most:,} new tokens and {least} bytes and special tokens are over {MOST:,}; give new_tokens or sizes up to {MOST - least:,}."
        )
    made = train(texts, Training(vocab_size=least + max(most, 1), min_frequency=options.min_frequency), progress, base=origin).tokenizer.backend_tokenizer
    model = json.loads(made.to_str())["model"]
    return made, sorted({model["vocab"][left + right] for left, right in model["merges"]})


def _knee_of(rows: list[dict[str, Any]]) -> tuple[int | None, str]:
    """The index of the knee, and a sentence on it."""
    worded = all(row["tokens_per_word"] is not None for row in rows)
    name = "tokens_per_word" if worded else "bytes_per_token"
    at = knee([row["size"] for row in rows], [row[name] for row in rows])
    if at is None:
        return None, f"The curve of {name.replace('_', ' ')} has no knee: it bends too little between the smallest and the largest size."
    return at, f"The knee at {rows[at]['new']:,} new tokens is relative to the largest size, {rows[-1]['new']:,}: with another one it moves."


class Sweep(Sweeping, Step):
    """Measure what text costs at several vocabulary sizes, and find the knee where more tokens stop to pay."""

    command: ClassVar[str] = "fertility.sweep"
    main: ClassVar[tuple[str, ...]] = ("base", "text")
    heavy: ClassVar[bool] = False

    base: TokenizerRef = Field("demo:en-base", description="The tokenizer to extend, or to replace.")
    text: TextRef = Field("demo:ru", description="Text to learn from; its held-out part is measured.")
    held_out: TextRef | None = Field(None, description="Measure on this text instead of the held-out part.")

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        from .. import corpus
        from .inputs import texts_by_name

        learned = corpus.open(self.text, seed=self.seed)
        held_out = next(iter(texts_by_name([self.held_out], self.seed).values())) if self.held_out else learned.held_out
        found = sweep(self.base, learned.train, held_out, self, progress)
        for note in found.notes:
            progress.note(note)
        return asdict(found)
