"""What a transfer would do, before it does anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import compress
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import checkpoint, overlap, store
from ..errors import WorkbenchError
from .roundtrip import Losses, losses

if TYPE_CHECKING:
    from ..vocab import Vocabulary
    from .assemble import Carry

WORDLESS = ("digits", "punctuation", "spaces", "bytes")


def preview(carry: Carry, texts: Iterable[str] | None = None) -> dict[str, Any]:
    """Rows kept, new and dropped by kind and by script; anchors, rules, collisions, memory and disk in bytes, changes to the tokenizer, warnings."""
    task, counts = carry.task, carry.counts()
    source, target = carry.source_vocabulary, carry.target_vocabulary
    kept = task.kept[: target.size] >= 0
    used = np.zeros(carry.source.shape[0], dtype=bool)
    used[task.kept[task.kept >= 0]] = True
    dropped = np.flatnonzero(~used[: source.size]).tolist()
    groups = overlap.groups(target, range(target.size))
    scripts = _counted(groups, kept, overlap.groups(source, dropped))
    kinds = _counted(_kinds(target, range(target.size)), kept, _kinds(source, dropped))
    anchored = Counter(groups[i] for i in task.anchors[:, 1].tolist())
    lost = losses(carry.target_tokenizer, texts)
    warnings = _warnings(counts, len(task.anchors), anchored, carry.source.shape[1], lost)
    try:
        disk = _disk(carry, len(task.kept))
    except WorkbenchError as error:
        disk = None
        warnings.append(str(error))
    return counts | {
        "disk_bytes": disk, "anchors": len(task.anchors), "by_kind": _table("kind", kinds), "by_script": _table("script", scripts),
        "by_rule": carry.overlap.by_rule, "overlap": carry.overlap.by_kind,
        "collisions": [{"in": name} | row for name, v in (("model", source), ("tokenizer", target)) for row in overlap.collisions(v)],
        "collision_counts": {"model": len(source.collisions), "tokenizer": len(target.collisions)},
        "losses": {"share": lost.share, "what": list(lost.what)}, "changes": list(carry.changes), "warnings": warnings,
    }  # fmt: skip


def _kinds(vocabulary: Vocabulary, ids: Iterable[int]) -> list[str]:
    there = vocabulary.identities()
    return [there[i].kind if i in there else "unused" for i in ids]


def _counted(names: list[str], kept: np.ndarray, dropped: list[str]) -> dict[str, Counter[str]]:
    """How many target tokens of each name are kept and new, and how many source tokens dropped."""
    return {"kept": Counter(compress(names, kept)), "new": Counter(compress(names, ~kept)), "dropped": Counter(dropped)}


def _table(what: str, columns: dict[str, Counter[str]]) -> list[dict[str, Any]]:
    """Counters side by side, the largest row first."""
    total = sum(columns.values(), Counter())
    return [{what: name} | {column: found[name] for column, found in columns.items()} for name, _ in total.most_common()]


def _warnings(counts: dict[str, Any], anchors: int, groups: Counter[str], width: int, lost: Losses) -> list[str]:
    said = []
    if counts["new"] == 0:
        said.append("The tokenizer has no token that the model lacks; the result will be the same model." if not counts["dropped"] else
                    "The tokenizer has no token that the model lacks; rows are only dropped.")  # fmt: skip
    elif anchors < width:
        said.append(f"Only {anchors} text tokens are shared, fewer than the model is wide ({width}); methods that lean on shared tokens have little to go by.")
    elif (words := anchors - sum(groups[name] for name in WORDLESS)) < anchors / 2:
        said.append(f"Only {words} of {anchors} shared tokens have letters; digits and punctuation say little about words.")
    if counts["table_bytes_after"] > 2 * counts["table_bytes_before"]:
        said.append("The tables more than double; think of fewer new tokens.")
    if lost.what:
        said.append(f"{lost} What is lost can neither be read nor written by the model.")
    return said


def _disk(carry: Carry, rows: int) -> int:
    """Bytes that the result will take, linked shards not counted. Raises WorkbenchError where the disk has less room."""
    from ..shards import Rows

    def empty() -> list[Any]:
        return []

    shape, dtype = (rows, carry.source.shape[1]), carry.source.input().dtype
    table = Rows(shape, dtype, empty)
    name = carry.source.bias_name
    replaced = {name: Rows((rows,), carry.source.tensor(name).dtype, empty)} if name else {}
    return checkpoint.plan(carry.source, store.folder(), table, None if carry.source.tied else table, replaced=replaced).bytes
