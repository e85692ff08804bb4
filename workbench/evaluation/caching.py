"""Results kept by content: the same model on the same items is not measured twice, whatever both are called."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from .. import contents, devices, store
from .base import AnyMeasure, Found, Subject
from .scoring import Score

MOST = 5_000  # results; the oldest go first
LIBRARIES = ("torch", "transformers", "tokenizers")


def key_of(subject: Subject, measure: AnyMeasure, items: Sequence[Any]) -> str | None:
    """What a result depends on, as one hash; None for a measure that is not the same from one run to the next, or a model whose content cannot be named."""
    if not measure.kept or subject.content is None:
        return None
    device = devices.pick(subject.device)
    how = [device.type, str(devices.number_format(subject.dtype, device))]
    knobs = measure.model_dump(mode="json") if hasattr(measure, "model_dump") else repr(measure)
    versions = {name: version for name, version in store.versions().items() if name in LIBRARIES}
    return contents.digest([measure.kind, measure.version, knobs, items, subject.content, how, versions])


def read(key: str | None) -> Found | None:
    """A result that was kept; None where there is none, or it cannot be read."""
    if key is None:
        return None
    place = folder() / f"{key}.json"
    try:
        kept = json.loads(place.read_text(encoding="utf-8"))
        place.touch()
        scores = [Score(s["name"], _numbers(s["stats"]), s["rule"], s["text"]) for s in kept.pop("scores")]
        return Found(scores, **kept)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(key: str | None, found: Found) -> None:
    """Keep a result, and no more than `MOST` of them."""
    if key is None:
        return
    scores = [{"name": s.name, "stats": _json(s.stats), "rule": s.rule, "text": s.text} for s in found.scores]
    rest = {name: value for name, value in asdict(found).items() if name != "scores"}
    store.write_json(folder() / f"{key}.json", {"scores": scores, **store.finite(rest)})
    every = sorted(folder().glob("*.json"), key=lambda place: place.stat().st_mtime)
    for old in every[: max(len(every) - MOST, 0)]:
        old.unlink(missing_ok=True)


def folder() -> Path:
    place = store.home() / "cache" / "evaluation"
    place.mkdir(parents=True, exist_ok=True)
    return place


def _json(stats: np.ndarray) -> list[list[float | None]]:
    return [[None if np.isnan(number) else float(number) for number in row] for row in stats]


def _numbers(rows: list[list[float | None]]) -> np.ndarray:
    return np.array([[np.nan if number is None else number for number in row] for row in rows], dtype=float)
