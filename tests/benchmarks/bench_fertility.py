"""Fertility against the bare `encode_batch` of the same text, paired and interleaved in one process; and the memory that a large file takes.

    WORKBENCH_REAL_DATA=… python -m tests.benchmarks.bench_fertility [--rounds 5] [--gigabytes 1]

Prints one JSON row per measurement. Limits: counts ≤ 1.25, the full table ≤ 2.0 times encode_batch; 1 GB in less than 700 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .timing import paired

TOKENIZERS = ("llama2.model", "llama3.tiktoken")


def ratios(data: Path, name: str, rounds: int) -> dict[str, object]:
    """Seconds (medians), and the median of the ratios of each round."""
    from workbench import fertility
    from workbench.tokenizer import load

    tokenizer = load(data / "tokenizers" / name)
    text = [line for line in (data / "mono/ru_war_and_peace.txt").read_text(encoding="utf-8").split("\n") if line.strip()]
    work = {
        "encode_batch": lambda: tokenizer.backend_tokenizer.encode_batch(text, add_special_tokens=False),
        "counts": lambda: fertility.measure({name: tokenizer}, {"ru": text}, limit=None, detail="counts"),
        "full": lambda: fertility.measure({name: tokenizer}, {"ru": text}, limit=None),
    }
    found: dict[str, object] = {}
    for key in ("counts", "full"):
        found |= {f"{key}_{name}": value for name, value in paired({"bare": work["encode_batch"], key: work[key]}, rounds).items()}
    return {"benchmark": "fertility", "tokenizer": name, "bytes": sum(len(line.encode()) for line in text), **found}


def memory(data: Path, name: str, gigabytes: float) -> dict[str, object]:
    """Peak resident memory of a process of its own that measures a large file; the file has millions of distinct words."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "large.txt"
        size = write_large(data / "mono/ru_war_and_peace.txt", place, int(gigabytes * 1e9))
        code = [sys.executable, "-m", "tests.benchmarks.bench_fertility", "--child", str(data / "tokenizers" / name), str(place)]
        said = subprocess.run(code, check=True, capture_output=True, text=True, env=os.environ).stdout
    return {"benchmark": "fertility_memory", "tokenizer": name, "bytes": size, **json.loads(said.splitlines()[-1])}


def write_large(source: Path, place: Path, size: int) -> int:
    """The novel again and again; every tenth word of the copies gets an ending of its own, so that distinct words never end."""
    lines = [line for line in source.read_text(encoding="utf-8").split("\n") if line.strip()]
    letters, written, copy = "абвгдежзиклмнопрстуфхцчшщэюя", 0, 0
    with place.open("wb") as file:
        while written < size:
            ending = "".join(letters[copy // len(letters) ** k % len(letters)] for k in range(2))
            for line in lines:
                words = line.split(" ")
                words[::10] = [word + ending for word in words[::10]]
                written += file.write((" ".join(words) + "\n").encode())
            copy += 1
    return written


def child(tokenizer: str, text: str) -> dict[str, object]:
    from workbench import fertility

    start = time.perf_counter()
    found = fertility.measure([tokenizer], [text], limit=None)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)  # kilobytes, but on macOS bytes
    row = {key: found.rows[0][key] for key in ("tokens", "words", "tokens_per_word", "continued_words", "strr")}
    return {"peak_mb": round(peak), "seconds": round(time.perf_counter() - start, 1), **row, "notes": found.notes}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--gigabytes", type=float, default=1.0, help="size of the large file; 0 leaves it out")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(child(*given.child), ensure_ascii=False))
        return
    data = Path(os.environ["WORKBENCH_REAL_DATA"])
    for name in TOKENIZERS:
        print(json.dumps(ratios(data, name, given.rounds), ensure_ascii=False), flush=True)
    if given.gigabytes:
        print(json.dumps(memory(data, TOKENIZERS[1], given.gigabytes), ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
