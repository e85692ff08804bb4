"""Extension against the library's own training, and an extended tokenizer against its base: paired and interleaved in one process.

    WORKBENCH_REAL_DATA=… python -m tests.benchmarks.bench_tokenizer [--rounds 5] [--only extend encode load]

Prints one JSON row per measurement. Limits: extension by 20 000 tokens ≤ 3 times a fresh byte-level BPE of as many merges on the same text; encoding
speed in bytes per second ≥ 0.85 of the base's; loading ≤ 1.2 times the base's after as many tokens as a step adds unless told (8 000). The base is loaded as
the library itself writes it (for a SentencePiece model: as transformers converts it); beside it, `ratio_same_format`, as it is written here.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from .timing import paired

NEW, USUAL = 20_000, 8_000
BASES = {"llama2": "llama2.model", "llama3": "llama3.tiktoken", "gpt2": "gpt2-vocab.json"}
TEXTS = {"ru": "mono/ru_war_and_peace.txt", "en": "mono/en_war_and_peace.txt"}


def lines(data: Path, name: str) -> list[str]:
    return [line for line in (data / TEXTS[name]).read_text(encoding="utf-8").split("\n") if line.strip()]


def fresh(base: Any, texts: list[str]) -> Callable[[], object]:
    """The library's training of as many merges, on text cut by the base's own pre-tokenizer."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    def train() -> object:
        made = Tokenizer(models.BPE())
        made.pre_tokenizer = base.backend_tokenizer.pre_tokenizer
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        made.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=256 + NEW, initial_alphabet=alphabet, show_progress=False))
        assert made.get_vocab_size() == 256 + NEW
        return made

    return train


def extending(data: Path, rounds: int) -> Iterator[dict[str, object]]:
    from workbench.tokenizer import Extension, extend, load

    base, texts = load(data / "tokenizers" / BASES["llama3"]), lines(data, "ru")
    for script in ("Cyrillic", None):
        options = Extension(new_tokens=NEW, script=script)
        found = paired({"library": fresh(base, texts), "extend": lambda options=options: extend(base, texts, options)}, rounds, warm_up=False)
        yield {"benchmark": "extend", "base": "llama3", "new": NEW, "script": script, "bytes": sum(len(t.encode()) for t in texts), **found}


def encoding(data: Path, rounds: int) -> Iterator[dict[str, object]]:
    from workbench.tokenizer import Extension, extend, load

    for name, file in BASES.items():
        base = load(data / "tokenizers" / file)
        old, new = base.backend_tokenizer, extend(base, lines(data, "ru"), Extension(new_tokens=NEW, script="Cyrillic")).tokenizer.backend_tokenizer
        for language in TEXTS:
            texts = lines(data, language)
            # Both encode the same bytes, so the ratio of their speeds is the inverse ratio of their times.
            found = paired({"extended": _encode(new, texts), "base": _encode(old, texts)}, rounds)
            speed = {"speed_" + key: value for key, value in found.items() if key.startswith("ratio")}
            seconds = {key: value for key, value in found.items() if key.endswith("seconds")}
            yield {"benchmark": "encode", "base": name, "text": language, "bytes": sum(len(t.encode()) for t in texts), **seconds, **speed}


def _encode(backend: Any, texts: list[str]) -> Callable[[], object]:
    return lambda: backend.encode_batch_fast(texts, add_special_tokens=False)


def loading(data: Path, rounds: int) -> Iterator[dict[str, object]]:
    from workbench.tokenizer import Extension, extend, load, save

    for (name, file), new in product(BASES.items(), (USUAL, NEW)):
        base = load(data / "tokenizers" / file)
        made = extend(base, lines(data, "ru"), Extension(new_tokens=new, script="Cyrillic")).tokenizer
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            before, after, same = _as_the_library_writes(base, data / "tokenizers" / file, place), save(made, place / "extended"), save(base, place / "same")
            found = paired({"base": partial(load, before), "extended": partial(load, after)}, rounds)
            here = paired({"base": partial(load, same), "extended": partial(load, after)}, rounds)["ratio"]
        yield {"benchmark": "load", "base": name, "new": new, **found, "ratio_same_format": here, "times_tokens": round(len(made) / len(base), 3)}


def _as_the_library_writes(base: Any, file: Path, place: Path) -> Path:
    from transformers import LlamaTokenizerFast

    from workbench.tokenizer import save

    if file.suffix != ".model":
        save(base, place / "base")
        base.backend_tokenizer.save(str(place / "base" / "tokenizer.json"))
        return place / "base"
    (place / "model").mkdir()
    shutil.copy(file, place / "model" / "tokenizer.model")
    LlamaTokenizerFast.from_pretrained(place / "model").save_pretrained(place / "base")
    return place / "base"


def main() -> None:
    kinds = {"extend": extending, "encode": encoding, "load": loading}
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=kinds, default=list(kinds))
    given = parser.parse_args()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    for kind in given.only:
        for row in kinds[kind](Path(os.environ["WORKBENCH_REAL_DATA"]), given.rounds):
            print(json.dumps(row, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
