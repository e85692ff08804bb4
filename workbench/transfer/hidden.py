"""What a method is worth without a language model: hide some shared tokens, let it predict their rows from the rest, and compare with the truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from ..corpus.scripts import script
from ..errors import WorkbenchError
from .base import BLOCK, PRODUCT, AnyMethod, Blend, Product, Task
from .focus import Focus
from .mean import Mean
from .omp import Omp
from .similar import unit
from .space import Anchored, Filling, text_of
from .subtokens import Subtokens

if TYPE_CHECKING:
    import torch

SHARE, MOST, FEWEST = 0.15, 1000, 10
RESAMPLES = 1000
BANDS = ("frequent", "middle", "rare")


class GlobalRidge(Anchored):
    """One linear map from the donor's space to the source's for all tokens: what SALT's many small ones are measured against."""

    method: Literal["global ridge"] = "global ridge"
    penalty: ClassVar[float] = 1e-2  # of the mean eigenvalue: the map has h² weights for a few thousand tokens

    def blend(self, task: Task) -> Blend:
        rows, known, own = self.opened_donor().rows(task)
        anchors = self.shared(task, own)
        a = rows[anchors[:, 1]].astype(np.float64)
        gram = a.T @ a
        gram += self.penalty * np.trace(gram) / len(gram) * np.eye(len(gram))
        new = task.new[known[task.new]]
        start = Blend.copies(task)
        start["kind"][new], start["source"][new] = PRODUCT, np.arange(len(new))
        product = Product.of(np.linalg.solve(gram, rows[new].astype(np.float64).T).T, a.T, anchors[:, 0])
        return self.finish(task, start, new, product=product, report={"anchors": len(anchors)})


def compared_with(method: AnyMethod) -> dict[str, AnyMethod]:
    """The method by name and what it is measured against, with the same donor and vectors; {} for methods that know nothing, or cannot be judged so."""
    if not isinstance(method, Filling):
        return {}
    about = {key: value for key in ("donor", "vectors") if (value := getattr(method, key, ""))}
    found: dict[str, AnyMethod] = {str(getattr(method, "method", "method")): method, "mean": Mean()}
    if about:
        found.setdefault("focus", Focus(**about))
    if "donor" in about:
        found.setdefault("omp", Omp(donor=about["donor"]))
        found["global ridge"] = GlobalRidge(donor=about["donor"])
    return found


def hidden_overlap(task: Task, methods: Mapping[str, AnyMethod], share: float = SHARE, seed: int = 0) -> list[dict[str, Any]]:
    """One row per method and script, and per method and frequency band ("all" first): how well it predicts the source rows of hidden shared tokens.

    tokens; cosine with the true row, with its 95 % interval by bootstrap over tokens (low, high); mrr, the mean of 1 / the rank of the true row among all
    source rows by cosine; norm_ratio, the median of predicted over true length. Input table only. At most 1 000 tokens are hidden. `subtokens` cannot be
    judged in this way, as the source cuts a hidden token into that token. The bands are thirds of the hidden tokens in the order of the source's ids, which in
    vocabularies learned by BPE, WordPiece or Unigram is about that of frequency.
    Raises WorkbenchError where fewer than ten can be, or without `task.tables`.
    """
    if task.tables is None:
        raise WorkbenchError("Hidden tokens are compared with the source's rows; open the source model first.")
    rng = np.random.default_rng(seed)
    anchors = task.anchors
    count = min(int(share * len(anchors)), MOST)
    if count < FEWEST:
        raise WorkbenchError(f"Only {len(anchors)} text tokens are shared, too few to hide some of them; the score needs about {round(FEWEST / share)}.")
    chosen = anchors[np.sort(rng.choice(len(anchors), count, replace=False))]
    table = task.tables("input")
    truth = table[chosen[:, 0]].double().numpy()
    scripts = np.array([_script(text_of(task.target.identity(int(i)))) for i in chosen[:, 1]])
    bands = np.repeat(BANDS, -(-count // len(BANDS)))[np.argsort(np.argsort(chosen[:, 0]))]
    groups = [("all", "all"), *((name, "all") for name in sorted(set(scripts))), *(("all", band) for band in BANDS)]
    rows, hiding = [], task.hiding(chosen[:, 1])
    judged = {name: method for name, method in methods.items() if not isinstance(method, Subtokens)}
    every = [np.concatenate([p.double().numpy() for p in method.blend(hiding).blocks(table, ids=chosen[:, 1])]) for method in judged.values()]
    cosines = [(unit(made) * unit(truth)).sum(axis=1) for made in every]
    ranks = _ranks(every, cosines, table[: task.source.size])
    for name, made, cosine, rank in zip(judged, every, cosines, ranks, strict=True):
        ratio = np.linalg.norm(made, axis=1) / np.maximum(np.linalg.norm(truth, axis=1), 1e-30)
        for letters, band in groups:
            mine = ((scripts == letters) | (letters == "all")) & ((bands == band) | (band == "all"))
            low, high = np.percentile(cosine[mine][rng.integers(0, mine.sum(), (RESAMPLES, mine.sum()))].mean(axis=1), [2.5, 97.5])
            rows.append({
                "method": name, "script": letters, "band": band, "tokens": int(mine.sum()),
                "cosine": float(cosine[mine].mean()), "low": float(low), "high": float(high),
                "mrr": float((1 / rank[mine]).mean()), "norm_ratio": float(np.median(ratio[mine])),
            })  # fmt: skip
    return rows


def _ranks(every: list[np.ndarray], cosines: list[np.ndarray], table: torch.Tensor) -> list[np.ndarray]:
    """(n,) for each method the rank of the true row among all rows by cosine, 1 the best; of rows within 1e-6 the true one comes last. One pass, in blocks.

    In fp32, half the time of fp64: with 128,000 rows of width 4,096 these products are most of what the score takes.
    """
    import torch
    from torch.nn.functional import normalize

    if not every:
        return []
    made, own = torch.from_numpy(unit(np.concatenate(every))).float(), torch.from_numpy(np.concatenate(cosines)).float()[:, None] - 1e-6
    found = torch.zeros(len(made), dtype=torch.int64)
    for start in range(0, len(table), BLOCK):
        found += (made @ normalize(table[start : start + BLOCK].float(), dim=1).T >= own).sum(1)
    return np.split(found.numpy(), len(every))


def _script(text: str) -> str:
    return next((found for c in text if (found := script(c))), "no letters")
