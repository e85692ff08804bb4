"""Models ready to reply: loaded once, shared by all who ask for the same weights, and evicted when memory is wanted for others."""

from __future__ import annotations

import gc
import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from .. import devices, refs
from ..errors import WorkbenchError
from ..models import context_of
from . import pool, turns
from .pool import Shared

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

MEMORY = "WORKBENCH_CHAT_MEMORY"  # environment: gibibytes that loaded models may take on a device
SHARE = 0.7  # of the memory that is free, where nothing else is said
Key = tuple[Path, float, str, str]

_LOADING = threading.Lock()
_loaded: OrderedDict[Key, Chatter] = OrderedDict()  # the last used at the end


@dataclass
class Use:
    """How many replies of a model are under way."""

    count: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Use:
        with self.lock:
            self.count += 1
        return self

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.count -= 1


@dataclass(frozen=True)
class Chatter:
    """A loaded model with its tokenizer.

    Attributes:
        fingerprint: twelve hexadecimal digits over every weight really in use.
        vocabulary: the tokenizer in words: how many tokens, and twelve hexadecimal digits over what it does.
        place: the folder that it was loaded from.
        weights: its tensors, of which those that other models have as well are held once.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    fingerprint: str
    vocabulary: str
    place: Path = Path()
    weights: tuple[Shared, ...] = ()
    use: Use = field(default_factory=Use)

    @property
    def device(self) -> str:
        return str(self.model.device)

    @property
    def turns(self) -> turns.Turns:
        return turns.of(self.device)

    @property
    def context(self) -> int:
        """Tokens that the model reads at most, prompt and reply together."""
        return context_of(self.model.config)

    @cached_property
    def eos_ids(self) -> frozenset[int]:
        """The ids that end a reply: those of the generation config, else of the tokenizer."""
        ids = self.model.generation_config.eos_token_id
        ids = ids if ids is not None else self.tokenizer.eos_token_id
        return frozenset(ids if isinstance(ids, list) else [] if ids is None else [ids])


def load(reference: str | Path, device: str = "auto", dtype: str = "auto") -> Chatter:
    """A model ready to reply, of a model folder or of a LoRA adapter's; loaded once per folder, device and number format, and shared.

    Tensors that another loaded model has as well, by content, are held once. Where memory runs short, models that nobody is using go, those first whose
    last use is longest ago; the limit is `WORKBENCH_CHAT_MEMORY` gibibytes, else most of what is free. Raises WorkbenchError where that is not enough.
    """
    place = refs.locate(reference)
    stamp = max((f.stat().st_mtime for f in place.iterdir() if f.is_file()), default=0.0) if place.is_dir() else 0.0
    key = (place, stamp, str(devices.pick(device)), dtype)
    with _LOADING:  # two sides asking at once must not load it twice
        if key not in _loaded:
            for old in [k for k in _loaded if k[0] == place and k[1] != stamp]:  # the folder has been written anew
                del _loaded[old]
            _loaded[key] = _load(place, key[2], dtype, refs.label(str(reference)))
        _loaded.move_to_end(key)
        return replace(_loaded[key], name=refs.label(str(reference)))


def loaded(reference: str | Path) -> bool:
    """Whether a model is in memory already, on any device and in any number format."""
    place = refs.locate(reference)
    return any(key[0] == place for key in list(_loaded))


def forget() -> None:
    """Let go of all loaded models; those of replies under way stay until these have ended."""
    with _LOADING:
        _loaded.clear()
        gc.collect()


def _load(place: Path, device: str, dtype: str, name: str) -> Chatter:
    from .building import build

    limit = _limit(device)

    def room(needed: int) -> None:
        while pool.held_bytes(device) + needed > limit and (idle := next((k for k, c in _loaded.items() if k[2] == device and not c.use.count), None)):
            del _loaded[idle]
            gc.collect()  # modules refer to one another, so counting references does not free them
        if pool.held_bytes(device) + needed > limit:
            raise WorkbenchError(
                f"{name} needs more memory than the {limit / 2**30:.2f} GiB that loaded models may take on {device}; compare fewer or smaller models, "
                f"choose bf16, or set {MEMORY} to more GiB."
            )

    model, tokenizer, weights = build(place, device, dtype, room)
    digest = hashlib.blake2b(tokenizer.backend_tokenizer.to_str().encode(), digest_size=6).hexdigest()
    return Chatter(name, model, tokenizer, pool.fingerprint(model, weights), f"{len(tokenizer):,} tokens, {digest}", place, tuple(weights))


def _limit(device: str) -> float:
    """Bytes that loaded models may take together on a device."""
    if given := os.environ.get(MEMORY):
        try:
            return float(given) * 2**30
        except ValueError:
            raise WorkbenchError(f"{MEMORY}={given!r} is no number of GiB; set it to one, such as 8.") from None
    return pool.held_bytes(device) + SHARE * devices.free_memory(device)


def same_weights(chatters: Mapping[str, Chatter]) -> str:
    """A sentence that names sides whose weights are identical; "" where all differ."""
    return same({side: chatter.fingerprint for side, chatter in chatters.items()})


def same(fingerprints: Mapping[str, str]) -> str:
    """A sentence that names sides of one fingerprint; "" where all differ."""
    by_print: dict[str, list[str]] = {}
    for side, fingerprint in fingerprints.items():
        by_print.setdefault(fingerprint, []).append(side)
    groups = [" and ".join(sides) for sides in by_print.values() if len(sides) > 1]
    return f"{'; '.join(groups)} have identical weights, so with the same tokenizer and seed they say the same." if groups else ""
