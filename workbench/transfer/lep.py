"""Learned Embedding Propagation: from an adapted base to an adapted instruct model without instruction data.

Tikhomirov & Chernyshov, arXiv 2412.21140. With the layers of the instruct model as they are, only the tables change:
E_out = E_adapted·D and L_out = L_adapted·U, with D and U (d×d) fitted by least squares from base to instruct rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from .. import checkpoint
from ..errors import WorkbenchError
from ..progress import Progress
from ..shards import Rows
from ..specs import ModelRef, Step
from . import layers
from .draw import BLOCK
from .lora import Delta
from .trio import Trio, Variant, Which, check_finite

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

HOPELESS = 0.3  # R²; siblings are above 0.9, strangers at or below 0


class Lep(Step):
    """Carry an adapted base model's tables over to its instruction-tuned sibling (LEP): no instruction data needed."""

    command: ClassVar[str] = "lep"
    makes: ClassVar[str] = "model"
    base: ModelRef = Field(description="The base model before adaptation.")
    adapted: ModelRef = Field(description="The base model after adaptation, with its new tokenizer; or the folder of a LoRA adapter over it.")
    instruct: ModelRef = Field(description="The instruction-tuned sibling of the base model.")
    variant: Variant = Field(
        "conversion",
        description="swap: adapted tables as they are; overlap: a map learned on shared tokens; conversion: a map learned on all tokens through their pieces.",
    )
    ridge: Literal["0", "auto"] = Field(
        "0", description="auto: shrink the map towards the identity as far as held-out rows ask for.", json_schema_extra={"advanced": True}
    )
    min_norm: bool = Field(
        False, description="In a rank-deficient fit take the literal pseudo-inverse, not the map nearest to the identity.", json_schema_extra={"advanced": True}
    )
    layer_scale: float = Field(
        1.0, ge=0.0, le=2.0, description="Where the adapted model's layers were trained too, how much of what they learnt is added; 0 leaves it out.",
        json_schema_extra={"advanced": True},
    )  # fmt: skip
    pad_to: int = Field(
        1, ge=1, le=4096, description="Add zero rows up to a multiple of this, as some servers want it (64, 128).", json_schema_extra={"advanced": True}
    )
    link: bool = Field(
        False, description="Share unchanged files with the instruct model's folder by hard links; only for a folder that nobody edits.",
        json_schema_extra={"advanced": True},
    )  # fmt: skip

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        progress.at(0, "opening three models")
        trio = Trio.open(self.base, self.adapted, self.instruct)
        made = Propagation(trio, self.variant, self.ridge == "auto", self.min_norm, self.layer_scale)
        report = made.write(out, progress, link=self.link, pad_to=self.pad_to)
        for warning in report["warnings"]:
            progress.warn(warning)
        return report


@dataclass(frozen=True)
class Propagation:
    """One way to carry the tables of a trio over."""

    trio: Trio
    variant: Variant = "conversion"
    auto_ridge: bool = False
    min_norm: bool = False
    layer_scale: float = 1.0

    @property
    def tied(self) -> bool:
        return self.trio.adapted.tied and self.trio.instruct.tied

    @cached_property
    def added(self) -> list[str]:
        """Added tokens of the instruct tokenizer that the adapted one lacks, in their order."""
        have = self.trio.adapted.tokenizer.get_vocab()
        return [t.content for _, t in sorted(self.trio.instruct.tokenizer.added_tokens_decoder.items()) if t.content not in have]

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerFast:
        """The adapted tokenizer with those added tokens behind its last id, and the instruct model's roles and chat template."""
        instruct = self.trio.instruct.tokenizer
        result = deepcopy(self.trio.adapted.tokenizer)
        ours = {t.content: t for t in instruct.added_tokens_decoder.values()}
        result.add_tokens([ours[content] for content in self.added])
        for role in ("bos_token", "eos_token", "pad_token", "unk_token"):
            if getattr(instruct, role) is not None:
                setattr(result, role, getattr(instruct, role))
        result.chat_template = instruct.chat_template
        return result

    @cached_property
    def ids(self) -> dict[str, int]:
        """Token → id in the result. Raises WorkbenchError where the adapted tokenizer leaves no room behind its last id."""
        found = self.tokenizer.get_vocab()
        if any(found[token] < self.trio.adapted.vocabulary.size for token in self.added):
            raise WorkbenchError("The adapted tokenizer skips ids, so added tokens would fall among its own; extend the base tokenizer again, without gaps.")
        return found

    def rows(self, which: Which, y: torch.Tensor | None = None, progress: Progress | None = None) -> Rows:
        """The new table (n, d) in the instruct model's dtype, made as it is read: adapted rows times I + Y, the instruct model's added tokens as there."""
        adapted, instruct = self.trio.adapted.table(which), self.trio.instruct.table(which)
        own = {self.ids[token.content]: old for old, token in self.trio.instruct.tokenizer.added_tokens_decoder.items()}
        shape = max(self.ids.values()) + 1, adapted.shape[1]
        return Rows(shape, instruct.dtype, partial(self._blocks, which, adapted, instruct, own, shape, y, progress or Progress()))

    def _blocks(
        self, which: Which, adapted: Any, instruct: torch.Tensor, own: dict[int, int], shape: tuple[int, int], y: torch.Tensor | None, progress: Progress
    ) -> Iterator[torch.Tensor]:
        import torch

        # As with the products of the fit: where either table has 16 bits, their rounding is the coarser by far.
        precise = torch.float32 if 2 in (adapted.dtype.itemsize, instruct.dtype.itemsize) else torch.float64
        y = None if y is None or not y.any() else y.to(precise)
        for start in range(0, shape[0], BLOCK):
            progress.at(start / shape[0], f"writing the {which} table")
            block = torch.zeros((min(BLOCK, shape[0] - start), shape[1]), dtype=instruct.dtype)
            rows = adapted[start : min(start + len(block), len(adapted))]
            check_finite(rows, "adapted", which, np.arange(start, start + len(rows)))
            block[: len(rows)] = rows.to(block.dtype) if y is None else torch.addmm(rows.to(precise), rows.to(precise), y).to(block.dtype)
            mine = [i for i in own if start <= i < start + len(block)]
            block[[i - start for i in mine]] = instruct[[own[i] for i in mine]]
            check_finite(block[[i - start for i in mine]], "instruct", which, np.array([own[i] for i in mine]))
            if not block.isfinite().all():
                raise WorkbenchError(
                    f"The new {which} table does not fit into {str(block.dtype).removeprefix('torch.')}; use an instruct model stored in bf16 or fp32."
                )
            yield block

    @cached_property
    def deltas(self) -> dict[str, Delta]:
        """What the adapted model's training added to layers, by tensor: its adapter's, or the difference from the base."""
        base, adapted = self.trio.base.checkpoint, self.trio.adapted
        names = [] if adapted.checkpoint.path.samefile(base.path) else layers.changed(base, adapted.checkpoint)
        found = layers.between(base, adapted.checkpoint, names)
        learnt = adapted.adapter.deltas() if adapted.adapter else {}
        ours = layers.same_names(learnt, base)
        for theirs, more in learnt.items():
            name = ours.get(theirs, theirs)
            found[name] = partial(_sum, found[name], more) if name in found else more
        return found

    def write(self, out: Path, progress: Progress, link: bool = False, pad_to: int = 1) -> dict[str, Any]:
        """Fit, propagate, write the result into `out`; returns the diagnostics. Raises WorkbenchError before the fit where the disk has too little room."""
        from ..tokenizer import save

        source = self.trio.instruct.checkpoint
        progress.at(0.05, "comparing the layers")
        replaced: dict[str, torch.Tensor | Rows] = dict(layers.added(source, self.deltas, self.layer_scale)) if self.layer_scale else {}
        if source.bias_name:
            replaced[source.bias_name] = self._bias(source.bias_name)
        kept: dict[str, Any] = {"replaced": replaced, "link": link, "pad_to": pad_to}
        which: tuple[Which, ...] = ("input",) if self.tied else ("input", "output")
        checkpoint.plan(source, out, *(self.rows(w) for w in which), **kept)
        tables, report = [], {}
        for n, table in enumerate(which):
            y, report[table] = self.trio.map(self.variant, table, self.auto_ridge, self.min_norm, progress.part(0.1 + 0.3 * n, 0.4 + 0.3 * n))
            tables.append(self.rows(table, y, progress.part(0.75 + 0.12 * n, 0.87 + 0.12 * n)))
        progress.at(0.7, "writing the layers")
        moved = {old: self.ids[token] for token, old in self.trio.instruct.tokenizer.get_vocab().items() if token in self.ids}
        generation = source.path / "generation_config.json"
        carried = checkpoint.carried_ids(checkpoint.read_json(generation), moved) if generation.is_file() else {}
        save(self.tokenizer, out)
        written = checkpoint.write(source, out, *tables, config=checkpoint.carried_ids(source.config, moved), generation=carried, **kept)
        warnings = verdict(self.variant, report) + self._said_of_layers()
        return {
            "variant": self.variant, "rows": tables[0].padded(pad_to).shape[0], "tied": self.tied, "added_tokens": len(self.added),
            "layers_changed": len(self.deltas),
            "layers_from": "none" if not self.deltas else "adapter" if self.trio.adapted.adapter else "full model", "layer_scale": self.layer_scale,
            **written, **report, "warnings": warnings,
        }  # fmt: skip

    def _bias(self, name: str) -> torch.Tensor:
        """The head's bias (n,): the adapted model's, and the instruct model's for its added tokens."""
        import torch

        theirs, ours = self.trio.instruct.checkpoint.tensor(name), self.trio.adapted.checkpoint
        made = torch.zeros(max(self.ids.values()) + 1, dtype=theirs.dtype)
        if name in ours.shards:
            old = ours.tensor(name)[: len(made)]
            made[: len(old)] = old.to(made.dtype)
        for old, token in self.trio.instruct.tokenizer.added_tokens_decoder.items():
            made[self.ids[token.content]] = theirs[old]
        return made

    def _said_of_layers(self) -> list[str]:
        if not self.deltas:
            return []
        if self.layer_scale:
            n = len(self.deltas)
            return [f"The adapted model's layers were trained too: what {n} tensors learnt is added to the instruct model's, times {self.layer_scale:g}."]
        return ["The adapted model's layers were trained too; with a layer scale of 0 what its layers learnt stays behind."]


def _sum(one: Delta, other: Delta, low: int, high: int) -> torch.Tensor:
    return one(low, high) + other(low, high)


def verdict(variant: Variant, report: dict[str, dict[str, Any]]) -> list[str]:
    """What a user should know of the fit, in plain sentences."""
    said = []
    for which, fit in report.items():
        if variant == "swap" or not fit:
            continue
        if fit["r2_map"] < HOPELESS:
            said.append(
                f"The {which} map explains only {fit['r2_map']:.2f} of held-out rows: the base is probably not the one this instruct model was tuned from."
            )
        elif fit["r2_swap"] == 1:  # nothing is left over: the held-out rows are equal to the bit
            said.append(f"Base and instruct have the same {which} rows, as after training by adapters, so {variant} gives what swap gives.")
        elif fit["r2_map"] <= fit["r2_swap"] + 1e-9:
            said.append(f"On the {which} table {variant} does not beat swap on held-out rows (R² {fit['r2_map']:.4f} against {fit['r2_swap']:.4f}).")
    return said
