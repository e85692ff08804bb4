"""UMAP in a process of its own: one long call that cannot be asked to stop is ended from outside, and two of them never share compiled state.

    python -m workbench.spaces.umapping FOLDER

reads FOLDER/job.json and FOLDER/rows.npy, and writes FOLDER/places.npy. McInnes et al. 2018 (arXiv 1802.03426).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import RunFailed
from ..progress import Progress

LOOK = 0.2  # seconds between two looks at whether to stop
EXPECTED = 15.0  # seconds that compiling and a small sample take: only for the bar


def laid(slices: Sequence[np.ndarray], relations: Sequence[Mapping[int, int]], knobs: Mapping[str, Any], progress: Progress) -> list[np.ndarray]:
    """Lay (n, k) rows out in the plane; several slices, with relations from each to the next, by aligned UMAP.

    Raises Stopped within a fraction of a second where the host asks to stop, and RunFailed where UMAP fails.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "rows.npy", np.concatenate(slices).astype(np.float32))
        job = {"sizes": [len(s) for s in slices], "relations": [sorted(r.items()) for r in relations], "knobs": dict(knobs)}
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([sys.executable, "-m", "workbench.spaces.umapping", name], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        start = time.time()
        try:
            while process.poll() is None:
                passed = time.time() - start
                progress.at(passed / (passed + EXPECTED), f"UMAP of {sum(job['sizes']):,} points, {passed:.0f} s")
                time.sleep(LOOK)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
        if process.returncode:
            last = (folder / "log").read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            raise RunFailed(f"UMAP could not lay the points out ({''.join(last) or process.returncode}); use pca, or a smaller sample.")
        return np.split(np.load(folder / "places.npy"), np.cumsum(job["sizes"])[:-1])


def _end_with(parent: int) -> None:
    """End this process when the one that started it is gone, however that ended: nobody would read the result."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def main(name: str) -> None:
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    import warnings

    import umap

    folder = Path(name)
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    rows, sizes = np.load(folder / "rows.npy"), job["sizes"]
    warnings.filterwarnings("ignore", message="n_jobs value")  # a seeded run has one thread, as it should
    if len(sizes) == 1:
        places = umap.UMAP(**job["knobs"]).fit_transform(rows)
    else:
        slices = np.split(rows, np.cumsum(sizes)[:-1])
        relations = [{int(i): int(j) for i, j in pairs} for pairs in job["relations"]]
        places = np.concatenate(umap.AlignedUMAP(**job["knobs"]).fit(slices, relations=relations).embeddings_)
    np.save(folder / "places.npy", np.asarray(places, dtype=np.float32))


if __name__ == "__main__":
    main(sys.argv[1])
