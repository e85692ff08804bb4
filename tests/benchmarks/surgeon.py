"""mergekit's tokensurgeon in an environment of its own: run by path with that environment's Python, on arrays in a file.

    PYTHON tests/benchmarks/surgeon.py METHOD K IN.safetensors OUT.safetensors

METHOD: least_squares, barycentric, distance_proportional or omp. IN: targets (n, h), points (m, h), source (m, d), fp32. OUT: places (n, k),
weights (n, k), rows (n, d) and the seconds taken, the import not counted. In batches of 512, as its command does unless told.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path


def main(method: str, k: int, given: Path, out: Path) -> None:
    import torch
    from mergekit.tokensurgeon import DistanceMetric, WeightingScheme, batch_omp, common_interp_approximate
    from safetensors.torch import load_file, save_file

    arrays = load_file(given)
    targets, points, source = arrays["targets"], arrays["points"], arrays["source"]

    def run(some: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        if method == "omp":
            places, weights = batch_omp(some, points, k)
        else:
            places, weights = common_interp_approximate(some, points, k=k, metric=DistanceMetric.COSINE, weight_scheme=WeightingScheme(method))
        return places, weights, torch.bmm(weights.unsqueeze(1), source[places].float()).squeeze(1)

    with torch.no_grad():
        run(targets[:2])
        start = time.perf_counter()
        found = [run(targets[at : at + 512]) for at in range(0, len(targets), 512)]
        seconds = time.perf_counter() - start
    places, weights, rows = (torch.cat(part) for part in zip(*found, strict=True))
    save_file({"places": places, "weights": weights, "rows": rows, "seconds": torch.tensor(seconds)}, out)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
