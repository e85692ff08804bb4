"""LEP at LLaMa-3-8B shape against its bare matrix products, and the least-squares solve against LAPACK's.

    python -m tests.benchmarks.bench_lep [--only solve full] [--rows-scale 1.0] [--folder /tmp] [--rounds 3]

`full` makes a base, an adapted and an instruct checkpoint of the real sizes (two tables each, bf16; the instruct model's other shards are sparse
files), runs the step in a process of its own and prints its seconds, its peak of private memory (RssAnon) and the seconds of AᵀA, AᵀB and E·D
of the same sizes in the same precision, timed in that process on a tenth of the rows. With WORKBENCH_REAL_DATA the tokenizers are Llama-3's and an
extension of it; without, a byte-level one of as many made-up tokens. Limits: 3 GiB; 1.5 times the products; bytes written ≤ 1.05 times tables and rest.
`solve` prints seconds on 20 000 × 1024 in fp64 and the error against condition. Limits: 1.5 times faster than torch's gelsy, 3 times than
SciPy's, 1e-8 of the same answer up to condition 1e4.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .timing import paired, seconds

OLD, NEW, WIDTH = 128_256, 174_816, 4096
LAYER = {"self_attn.q_proj": (4096, 4096), "self_attn.k_proj": (1024, 4096), "self_attn.v_proj": (1024, 4096), "self_attn.o_proj": (4096, 4096),
         "mlp.gate_proj": (14336, 4096), "mlp.up_proj": (14336, 4096), "mlp.down_proj": (4096, 14336)}  # fmt: skip
SHARDS = (range(9), range(9, 20), range(20, 31), range(31, 32))  # as the release has them: the tables are in the first and the last


def solving(rounds: int) -> Iterator[dict[str, object]]:
    import scipy.linalg
    import torch

    from workbench.transfer.fit import Gram, solve

    rows, width = 20_000, 1024
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(rows, width, generator=generator, dtype=torch.float64)
    left, right = torch.linalg.qr(noise)[0], torch.linalg.qr(noise[:width])[0]
    x = torch.eye(width, dtype=torch.float64) + torch.randn(width, width, generator=generator, dtype=torch.float64) / width**0.5
    for power in (0, 1, 2, 3, 4, 5, 6, 8):
        a = (left * torch.logspace(0, -power, width, dtype=torch.float64)) @ right
        b = a @ x
        b += 1e-3 * float(b.std()) * noise
        wanted = torch.linalg.lstsq(a, b, driver="gelsy").solution
        ours = solve(Gram.of([(a, b)], width))
        error = float((ours.x - wanted).norm() / wanted.norm())
        # In the directions that A hardly has the two answers differ by choice; what counts there is how well B is met.
        met = [float((a @ each - b).norm() / b.norm()) for each in (ours.x, wanted)]
        yield {"benchmark": "solve_error", "condition": f"1e{power}", "error": f"{error:.1e}", "solver": ours.report["solver"], "residuals": met}
        if power == 4:
            peers = {"torch_gelsy": lambda a=a, b=b: torch.linalg.lstsq(a, b, driver="gelsy"),
                     "scipy_gelsy": lambda a=a, b=b: scipy.linalg.lstsq(a.numpy(), b.numpy(), lapack_driver="gelsy")}  # fmt: skip
            for name, peer in peers.items():
                row = paired({"ours": lambda a=a, b=b: solve(Gram.of([(a, b)], width)), name: peer}, rounds)
                yield {"benchmark": "solve", "rows": rows, "width": width, "threads": torch.get_num_threads(), **row}


def tokenizers(place: Path, scale: float) -> None:
    """place/old and place/new."""
    from workbench.tokenizer import Extension, extend, load, save

    more = int((NEW - OLD) * scale)
    data = os.environ.get("WORKBENCH_REAL_DATA")
    if data and scale == 1:
        old = load(Path(data) / "tokenizers" / "llama3.tiktoken")
        text = [line for line in (Path(data) / "mono/ru_war_and_peace.txt").read_text(encoding="utf-8").split("\n") if line.strip()]
        save(old, place / "old")
        save(extend(old, text, Extension(new_tokens=more, script="Cyrillic", min_frequency=1)).tokenizer, place / "new")
        return
    save(made_up(int(OLD * scale) - 256), place / "old")
    save(made_up(int(OLD * scale) - 256 + more), place / "new")


def made_up(size: int) -> Any:
    """A byte-level BPE of `size` tokens and 256 specials behind the base's: words of letters, each merged from two shorter ones."""
    from itertools import islice, product

    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters, alphabet = "abcdefghijklmnopqrst", sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [(word[:-1], word[-1]) for length in (2, 3, 4) for word in map("".join, product(letters, repeat=length))]
    longer = ((a + b, c + d) for a, b, c, d in product(["".join(p) for p in product(letters, repeat=2)], repeat=4))
    merges = list(islice((*merges, *islice(longer, max(size - 256 - len(merges), 0))), size - 256))
    tokens = [*alphabet, *(a + b for a, b in merges)]
    backend = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges, ignore_merges=True))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(f"<|{i}|>", special=True) for i in range(256)])
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<|0|>", eos_token="<|1|>")


def table(rows: int, seed: int, near: Any = None) -> Any:
    """(rows, d) bf16 with a falling spectrum (condition of AᵀA 1e4), or another one near it; made block by block."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    out = torch.empty(rows, WIDTH, dtype=torch.bfloat16)
    spectrum = torch.logspace(0, -2, WIDTH)
    for start in range(0, rows, 8192):
        block = 0.02 * spectrum * torch.randn(min(8192, rows - start), WIDTH, generator=generator)
        out[start : start + 8192] = block if near is None else near[start : start + 8192] * (1 + 0.1 * spectrum.flip(0)) + 0.1 * block
    return out


def folders(place: Path, scale: float) -> None:
    import shutil

    from workbench import shards
    from workbench.shards import Rows
    from workbench.tokenizer import load

    tokenizers(place, scale)
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": WIDTH, "num_hidden_layers": 32, "num_attention_heads": 32,
              "num_key_value_heads": 8, "intermediate_size": 14336, "tie_word_embeddings": False, "dtype": "bfloat16"}  # fmt: skip
    names = ("model.embed_tokens.weight", "lm_head.weight")
    rows = {role: max(load(place / kind).get_vocab().values()) + 1 for role, kind in ROLES.items()}
    for n, name in enumerate(names):
        base = table(rows["base"], n)
        made = {"base": base, "adapted": table(rows["adapted"], 10 + n), "instruct": table(rows["instruct"], 20 + n, base)}
        for role, tensor in made.items():
            (place / role).mkdir(exist_ok=True)
            shards.write(place / role / f"part{n}.safetensors", {name: Rows.of(tensor)})
    for role, kind in ROLES.items():
        for file in (place / kind).iterdir():
            shutil.copyfile(file, place / role / file.name)
        (place / role / "config.json").write_text(json.dumps(config | {"vocab_size": rows[role]}))
        weights = dict.fromkeys(names[:1], "part0.safetensors") | dict.fromkeys(names[1:], "part1.safetensors")
        if role == "instruct":
            weights = {}
            for n, numbers in enumerate(SHARDS):
                weights |= sparse(place / role, f"model-0000{n + 1}-of-00004.safetensors", numbers, {0: names[0], 3: names[1]}.get(n), n // 3)
        (place / role / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weights}))


ROLES = {"base": "old", "adapted": "new", "instruct": "old"}


def sparse(folder: Path, file: str, numbers: range, name: str | None, part: int) -> dict[str, str]:
    """A shard with these layers, of which nothing is on disk, and maybe a table: the header's length is all that must be right."""
    import struct

    from workbench.shards import header

    shapes = {f"model.layers.{n}.{module}.weight": shape for n in numbers for module, shape in LAYER.items()}
    shapes |= {f"model.layers.{n}.{norm}.weight": (WIDTH,) for n in numbers for norm in ("input_layernorm", "post_attention_layernorm")}
    if part and name:
        shapes["model.norm.weight"] = (WIDTH,)
    stored = folder / f"part{part}.safetensors"
    head: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    if name:
        tensors, _, start = header(stored)
        head[name], at = tensors[name], tensors[name]["data_offsets"][1]
    for tensor, shape in shapes.items():
        size = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        head[tensor] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with (folder / file).open("wb") as new:
        new.write(struct.pack("<Q", len(text)) + text)
        if name:
            with stored.open("rb") as old:
                old.seek(start)
                while piece := old.read(1 << 24):
                    new.write(piece)
        new.truncate(8 + len(text) + at)
    if name:
        stored.unlink()
    return dict.fromkeys([*([name] if name else []), *shapes], file)


class Private(threading.Thread):
    """Samples the anonymous pages of this process (bytes), and keeps the peak."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak, self.start_at = 0, rss_anon()
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.02):
            self.peak = max(self.peak, rss_anon())


def rss_anon() -> int:
    return next(int(line.split()[1]) * 1024 for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))


def child(place: Path) -> dict[str, object]:
    import torch

    from workbench.progress import Progress
    from workbench.transfer import Lep

    times = [bare_products(json.loads((place / "adapted" / "config.json").read_text())["vocab_size"])]
    watch = Private()
    watch.start()
    marks: dict[str, float] = {}
    start, cpu = time.perf_counter(), time.process_time()
    step = Lep(base=str(place / "base"), adapted=str(place / "adapted"), instruct=str(place / "instruct"), link=True)
    progress = Progress(lambda event: marks.setdefault(event.message, round(time.perf_counter() - start, 1)))
    report = step.run(place / "out", progress)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    watch.over.set()
    watch.join()
    rows, after = report["input"]["rows"], report["rows"]
    times.append(bare_products(after))
    products, products_cpu = (sum(each) / 2 for each in zip(*times, strict=True))
    size = {file.name: file.stat() for file in (place / "out").iterdir()}
    linked = sorted(name for name, stat in size.items() if stat.st_nlink > 1)
    tables = 2 * after * WIDTH * 2
    rest = sum(stat.st_size for name, stat in size.items() if name.startswith("model-0") and name not in linked)
    return {
        "rows_fitted": rows, "rows_after": after, "width": WIDTH, "threads": torch.get_num_threads(), "precision": report["input"]["precision"],
        "seconds": round(wall, 1), "bare_products_seconds": round(products, 1), "bare_before_and_after": [round(t, 1) for t, _ in times],
        "ratio": round(wall / products, 3), "cpu_ratio": round(cpu / products_cpu, 3),
        "private_peak_gib": round(watch.peak / 2**30, 2), "private_before_gib": round(watch.start_at / 2**30, 2), "linked": linked,
        "bytes_written_ratio": round(sum(stat.st_size for name, stat in size.items() if name not in linked) / (tables + rest), 4),
        "fit": {w: {k: report[w][k] for k in ("condition", "r2_map", "r2_swap", "seconds", "solver")} for w in ("input", "output")},
        "began": {said: at for said, at in marks.items() if said not in report["warnings"]}, "warnings": report["warnings"],
    }  # fmt: skip


def bare_products(rows: int) -> tuple[float, float]:
    """Seconds, and seconds of processor time, of AᵀA, AᵀB and E·D of two tables in fp32, from a tenth of the rows; before and after the run, as the
    machine may be busy."""
    import torch

    a, b, d = (torch.randn(n, WIDTH) for n in (rows // 10, rows // 10, WIDTH))
    cpu = time.process_time()
    wall = sum(seconds(work) for work in (lambda: a.T @ a, lambda: a.T @ b, lambda: a @ d))
    return 20 * wall, 20 * (time.process_time() - cpu)


def full(folder: str | None, scale: float) -> dict[str, object]:
    with tempfile.TemporaryDirectory(dir=folder) as name:
        place = Path(name)
        folders(place, scale)
        code = [sys.executable, "-m", "tests.benchmarks.bench_lep", "--child", name]
        said = subprocess.run(code, check=True, stdout=subprocess.PIPE, text=True).stdout
        checked = subprocess.run([*code, "--check"], check=True, stdout=subprocess.PIPE, text=True).stdout
        return {"benchmark": "lep_8b", "rows_scale": scale, **json.loads(said.splitlines()[-1]), **json.loads(checked.splitlines()[-1])}


def check(place: Path) -> dict[str, object]:
    from workbench.progress import Progress
    from workbench.transfer import LepCheck

    start = time.perf_counter()
    report = LepCheck(**{role: str(place / role) for role in ROLES}).run(place, Progress())
    return {"check_seconds": round(time.perf_counter() - start, 1), "check": {w: report[w] for w in ("input", "output")}, "check_warnings": report["warnings"]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="+", choices=("solve", "full"), default=["solve", "full"])
    parser.add_argument("--rows-scale", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", help="where the checkpoints are made: 11 GB at full size, and 4 GB for the result")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps((check if given.check else child)(given.child), ensure_ascii=False))
        return
    if "solve" in given.only:
        for row in solving(given.rounds):
            print(json.dumps(row), flush=True)
    if "full" in given.only:
        print(json.dumps(full(given.folder, given.rows_scale), ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
