"""Rebuild a BPE tokenizer over a part of its tokens, with the ids closed up."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .base import Base
from .reducing import Pair

if TYPE_CHECKING:
    import tokenizers

ID_MAP = "id_map.parquet"


def compact(base: Base, merges: list[Pair], dropped: Collection[int]) -> tuple[tokenizers.Tokenizer, np.ndarray]:
    """The tokenizer without the dropped tokens, and (rows,) int64: the new id of each old one, or -1 where it is gone or was no token's.

    The order of the ids stays. Added tokens, the ids that the post-processor puts in and the padding follow the map; normaliser, pre-tokenizer
    and decoder name no ids. `merges` are pairs of old ids.
    """
    import tokenizers

    spec = json.loads(json.dumps(base.spec))
    vocab: dict[str, int] = spec["model"]["vocab"]
    text = {i: token for token, i in vocab.items()}
    kept = sorted(set(text) - set(dropped))
    id_map = np.full(base.rows, -1, dtype=np.int64)
    id_map[kept] = np.arange(len(kept))
    spec["model"]["vocab"] = {text[i]: int(id_map[i]) for i in kept}
    spec["model"]["merges"] = [[text[left], text[right]] for left, right in merges]
    for token in spec["added_tokens"]:
        token["id"] = int(id_map[token["id"]])
    follow(spec["post_processor"], id_map)
    if spec["padding"] and spec["padding"]["pad_id"] in text:
        spec["padding"]["pad_id"] = int(id_map[spec["padding"]["pad_id"]])
    return tokenizers.Tokenizer.from_str(json.dumps(spec, ensure_ascii=False)), id_map


def named_ids(base: Base) -> set[int]:
    """The ids that the tokenizer names outside its vocabulary: what the post-processor puts in, and the padding."""
    ids = {*named(base.spec["post_processor"]), (base.spec["padding"] or {}).get("pad_id")}
    return ids & set(base.spec["model"]["vocab"].values())


def follow(part: Any, id_map: np.ndarray) -> None:
    """Renumber, in place, the ids in a post-processor's JSON: [token, id] of Bert's and Roberta's, lists of ids of templates; sequences hold others."""
    if part is None:
        return
    for name in ("sep", "cls"):
        if name in part:
            part[name] = [part[name][0], int(id_map[part[name][1]])]
    for special in part.get("special_tokens", {}).values():
        special["ids"] = [int(id_map[i]) for i in special["ids"]]
    for inner in part.get("processors", ()):
        follow(inner, id_map)


def named(part: Any) -> list[int]:
    """The ids that `follow` would renumber."""
    if part is None:
        return []
    own = [part[name][1] for name in ("sep", "cls") if name in part]
    own += [i for special in part.get("special_tokens", {}).values() for i in special["ids"]]
    return own + [i for inner in part.get("processors", ()) for i in named(inner)]


def save_map(id_map: np.ndarray, folder: Path) -> Path:
    """Write the map as `id_map.parquet`: columns old and new, one row for every id of the base."""
    import pyarrow
    import pyarrow.parquet

    path = folder / ID_MAP
    pyarrow.parquet.write_table(pyarrow.table({"old": np.arange(len(id_map)), "new": id_map}), path, compression="zstd")
    return path
