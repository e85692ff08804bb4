"""Spaces against the bare operations: the first picture, one token's neighbours, retrieval, and the page in a browser.

    python -m tests.benchmarks.bench_spaces [--rounds 3] [--only picture neighbours retrieval page]

Prints one JSON row per measurement. Memory is the peak of a process of its own, above what it has after its imports.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from .bench_lep import Private
from .timing import paired, seconds

PARTS = ("picture", "neighbours", "retrieval", "page")
ROWS, WIDTH = 32_000, 4_096
VOCABULARY = 128_000
PAIRS, WIDTHS = 10_000, (1_024, 4_096)
FAR = 20.0  # noise under which most right answers have hundreds of nearer rivals
POINTS = 50_000


def table(folder: Path, rows: int, width: int) -> Path:
    """A bf16 table in a safetensors file, with a spectrum that falls."""
    import torch
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(0)
    scale = torch.arange(1, width + 1) ** -0.3
    whole = torch.empty(rows, width, dtype=torch.bfloat16)
    for part in whole.split(4_000):
        part.copy_(torch.randn(part.shape, generator=generator) * scale)
    save_file({"table": whole}, path := folder / f"{rows}x{width}.safetensors")
    return path


def space(path: Path) -> Any:
    from safetensors import safe_open

    from workbench.spaces.opening import Space
    from workbench.spaces.wordlists import WordList

    with safe_open(path, framework="pt") as file:
        rows = file.get_tensor("table")
    return Space(str(path), "input", rows, WordList([f"w{n}" for n in range(len(rows))]))


def first_picture(path: Path, k: int = 2) -> np.ndarray:
    from workbench.spaces import pca
    from workbench.spaces.gathering import stacked

    opened = space(path)
    rows, _ = stacked([opened], [np.arange(opened.size)], "", "none", 0, [])
    return pca(rows, k, overwrite=True)[0]


def peak(work: str, *arguments: object) -> float:
    """MB of private memory that a function of this file takes at most, in a process of its own, above what it has after its imports."""
    code = f"from tests.benchmarks import bench_spaces as b; b.report(b.{work}, *{arguments!r})"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(done.stdout.strip().splitlines()[-1])


def report(work: Any, *arguments: Any) -> None:
    import sklearn.utils.extmath
    import torch  # noqa: F401 - imported before the memory is looked at

    import workbench.spaces.gathering
    import workbench.spaces.ranking
    import workbench.spaces.retrieving  # noqa: F401 - the same

    _ = sklearn.utils.extmath.randomized_svd
    watch = Private()
    watch.start()
    work(*(Path(a) if isinstance(a, str) else a for a in arguments))
    watch.over.set()
    print((watch.peak - watch.start_at) / 1e6)


def picture(folder: Path, rounds: int) -> dict[str, Any]:
    from sklearn.utils.extmath import randomized_svd

    path = table(folder, ROWS, WIDTH)
    matrix = space(path).rows.float().numpy()
    matrix -= matrix.mean(axis=0)
    found = paired({"svd": lambda: randomized_svd(matrix, 2, random_state=0), "ours": lambda: first_picture(path)}, rounds, warm_up=False)
    return found | {"peak_mb": round(peak("first_picture", str(path))), "fp32_copy_mb": round(ROWS * WIDTH * 4 / 1e6)}


def neighbours(folder: Path, rounds: int) -> dict[str, Any]:
    from workbench.spaces import neighbours

    path = table(folder, VOCABULARY, WIDTH)
    first, later = [], []
    for _ in range(rounds):
        opened = space(path)
        first.append(seconds(lambda opened=opened: neighbours(opened, 5)))
        later.append(seconds(lambda opened=opened: neighbours(opened, 70_000)))
    return {"first_seconds": round(float(np.median(first)), 3), "later_seconds": round(float(np.median(later)), 3)}


def pairs(width: int, queries: int = PAIRS, noise: float = 2.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    pool = rng.standard_normal((PAIRS, width), dtype=np.float32)
    right = rng.integers(0, PAIRS, queries)
    return pool[right] + noise * rng.standard_normal((queries, width), dtype=np.float32), pool, right


def retrieving(queries: int, noise: float) -> None:
    from workbench.spaces import retrieve

    retrieve(*pairs(256, queries, noise))


def retrieval(width: int, rounds: int, csls: bool, noise: float = 2.0) -> dict[str, Any]:
    import torch

    from workbench.spaces import retrieve

    queries, pool, right = pairs(width, noise=noise)
    a, b = torch.from_numpy(queries), torch.from_numpy(pool)
    return paired({"product": lambda: (a @ b.T).shape, "ours": lambda: retrieve(queries, pool, right, csls=csls)}, rounds)


def page(folder: Path) -> dict[str, Any]:
    """Draw 50 000 word vectors, then lasso a part of them."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "ui"))
    from clicking import CHROMIUM, FLAGS, playwright
    from served import served

    rng = np.random.default_rng(0)
    lines = [f"{POINTS} 16", *(f"w{n} " + " ".join(f"{x:.3f}" for x in row) for n, row in enumerate(rng.standard_normal((POINTS, 16))))]
    (folder / "words.vec").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with served(folder, {}) as address, playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        tab = browser.new_page(viewport={"width": 1400, "height": 1000})
        tab.set_default_timeout(300_000)
        tab.goto(address)
        tab.get_by_role("tab", name="Spaces", exact=True).click()
        spaces = tab.locator("#spaces-project-spaces input")
        spaces.fill(str(folder / "words.vec"))
        spaces.press("Enter")
        tab.locator("#spaces-project-sample").locator("textarea, input").first.fill(str(POINTS))
        tab.click("#draw-spaces")
        tab.wait_for_function("document.querySelector('.space-plot')?.dataset.seconds")
        drawn = float(tab.locator(".space-plot").get_attribute("data-seconds"))
        tab.wait_for_timeout(3_000)
        tab.locator(".space-plot .nsewdrag").first.scroll_into_view_if_needed()  # the mouse reaches what is in the window
        box = tab.locator(".space-plot .nsewdrag").first.bounding_box()
        x, y, w, h = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, box["width"], box["height"]
        tab.mouse.move(x - w / 14, y - h / 14)
        tab.mouse.down()
        for a, b in ((1, -1), (1, 1), (-1, 1), (-1, -0.95)):
            tab.mouse.move(x + a * w / 14, y + b * h / 14, steps=3)
        start = time.perf_counter()
        tab.mouse.up()
        tab.wait_for_function("document.querySelector('#space-selection')?.innerText.includes('points chosen')", polling=20)
        took = time.perf_counter() - start
        count = int(tab.locator("#space-selection b").inner_text().replace(",", ""))
        browser.close()
    return {"points": POINTS, "draw_seconds": drawn, "lassoed": count, "lasso_seconds": round(took, 3)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    asked = parser.parse_args()

    def say(name: str, found: dict[str, Any]) -> None:
        print(json.dumps({"benchmark": name, **found, "load": round(os.getloadavg()[0], 1)}), flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["WORKBENCH_HOME"] = name
        if "picture" in asked.only:
            say("first picture / randomized_svd", picture(folder, asked.rounds))
        if "neighbours" in asked.only:
            say(f"neighbours in {VOCABULARY}x{WIDTH}", neighbours(folder, asked.rounds))
        if "retrieval" in asked.only:
            for width in WIDTHS:
                for csls in (False, True):
                    say(f"retrieval, width {width}, {'csls' if csls else 'cosine'} / bare product", retrieval(width, asked.rounds, csls))
            say(f"retrieval, width {WIDTHS[0]}, csls, answers far behind / bare product", retrieval(WIDTHS[0], asked.rounds, True, noise=FAR))
            for answers, noise in (("near", 2.0), ("far behind", FAR)):
                taken = {n: peak("retrieving", n, noise) - 4 * 256 * (2 * n + 2 * PAIRS) / 1e6 for n in (PAIRS, 4 * PAIRS)}
                say(f"retrieval, peak memory, answers {answers}", {f"{n}_queries_mb": round(mb) for n, mb in taken.items()})
        if "page" in asked.only:
            say("page", page(folder))


if __name__ == "__main__":
    main()
