"""The step that gathers a corpus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from .. import store
from ..progress import Progress
from ..specs import PairsRef, Seed, Step, TextRef
from .formats import Unit
from .split import SPLITS

BATCH = 1_000  # documents or pairs written at once
METRICS = ("documents", "characters", "bytes", "words", "whitespace_words", "exact_duplicates", "near_duplicates", "scripts", "warnings")


class Corpus(Step):
    """Gather text from one or several places, split it by document, and describe what is in it."""

    command: ClassVar[str] = "corpus"
    makes: ClassVar[str] = "corpus"
    main: ClassVar[tuple[str, ...]] = ("source",)
    heavy: ClassVar[bool] = False

    source: tuple[TextRef, ...] = Field(min_length=1, description="Where the text is: demo:ru, files, a folder, hf:NAME:CONFIG:SPLIT:COLUMN, or a corpus.")
    unit: Unit = Field("line", description="What is a document of a .txt file: a line, a paragraph (up to a blank line) or the whole file.")
    column: str | None = Field(None, description="The column with the text, for tables and datasets; found by its usual names if left out.")
    weights: tuple[float, ...] = Field((), description="One weight per source to mix by; else they follow in order.", json_schema_extra={"advanced": True})
    held_out: float = Field(0.05, ge=0, lt=0.5, description="Share of the documents kept out of training, once for validation and once for the final test.")
    limit: int | None = Field(None, ge=1, description="At most this many documents of every source.")
    seed: Seed = Field(0, description="Decides which documents are held out.")
    parallel: PairsRef | None = Field(None, description="Sentence pairs to keep with the corpus: demo:en-ru, or a .tsv, .csv, .jsonl or .parquet file.")
    source_column: str | None = Field(None, description="The column of the pairs with the source language.", json_schema_extra={"advanced": True})
    target_column: str | None = Field(None, description="The column of the pairs with the target language.", json_schema_extra={"advanced": True})

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        from .parallel import open_parallel
        from .sources import open
        from .statistics import Counting

        text = open(self.source, seed=self.seed, held_out=self.held_out, column=self.column, unit=self.unit, limit=self.limit, weights=self.weights)
        pairs = open_parallel(self.parallel, self.source_column, self.target_column, seed=self.seed, limit=self.limit) if self.parallel else None
        counting, sizes = Counting(seed=self.seed), Counter[str]()
        with Writers(out, SPLITS, ("text",)) as write:
            for split, document in text.tagged():
                write(split, (document,))
                counting.add(document)
                sizes[split] += 1
                if (total := sizes.total()) % BATCH == 0:
                    progress.at(0, f"{total:,} documents read")
        found = counting.result()
        found.warnings += [f"No document fell to {split}; raise held_out or give more text." for split in SPLITS if not sizes[split]]
        for warning in found.warnings:
            progress.warn(warning)
        store.write_json(out / "statistics.json", asdict(found))
        metrics = {name: getattr(found, name) for name in METRICS} | {split: sizes[split] for split in SPLITS}
        if pairs:
            progress.at(0.9, "Writing pairs")
            metrics |= {"pairs": _write_pairs(out, pairs), "sides": list(pairs.sides)}
        return metrics


def _write_pairs(out: Path, pairs: Iterable[tuple[str, str]]) -> int:
    with Writers(out, ("parallel",), ("source", "target")) as write:
        count = 0
        for pair in pairs:
            write("parallel", pair)
            count += 1
    return count


class Writers:
    """Parquet files of text columns, one per name, written in batches."""

    def __init__(self, out: Path, names: Iterable[str], columns: tuple[str, ...]) -> None:
        import pyarrow
        import pyarrow.parquet

        # large_string: a batch of long documents may pass the 2 GiB that 32-bit offsets can address
        self.schema = pyarrow.schema([(column, pyarrow.large_string()) for column in columns])
        self.files = {name: pyarrow.parquet.ParquetWriter(out / f"{name}.parquet", self.schema, compression="zstd") for name in names}
        self.rows: dict[str, list[tuple[str, ...]]] = {name: [] for name in self.files}

    def __enter__(self) -> Writers:
        return self

    def __call__(self, name: str, row: tuple[str, ...]) -> None:
        self.rows[name].append(row)
        if len(self.rows[name]) == BATCH:
            self.flush(name)

    def flush(self, name: str) -> None:
        import pyarrow

        if self.rows[name]:
            columns = [pyarrow.array(column, field.type) for column, field in zip(zip(*self.rows[name], strict=True), self.schema, strict=True)]
            self.files[name].write_table(pyarrow.Table.from_arrays(columns, schema=self.schema))
            self.rows[name] = []

    def __exit__(self, *_: object) -> None:
        for name, file in self.files.items():
            self.flush(name)
            file.close()
