"""A LoRA adapter as peft saves it, read without peft and without a model: its tables, and what it adds to each layer.

W' = W + s·B·A with s = α/r, or α/√r where it is rank-stabilised (LoRA: arXiv 2106.09685; rsLoRA: arXiv 2312.03732).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checkpoint import Checkpoint, read_json
from ..errors import WorkbenchError
from ..shards import header

if TYPE_CHECKING:
    import torch

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
MERGE = "merge it into its model (peft: merge_and_unload) and give that"
PARTS = ("lora_A.weight", "lora_B.weight", "lora_embedding_A", "lora_embedding_B", "token_adapter.trainable_tokens_delta", "base_layer.weight", "weight")
Delta = Callable[[int, int], "torch.Tensor"]  # rows from, to → what is added to them, fp32


@dataclass(frozen=True)
class Adapter:
    """A peft folder over the model `under`, whose tensor names it is resolved to."""

    path: Path
    config: dict[str, Any]
    under: Checkpoint

    @classmethod
    def open(cls, path: Path, base: Checkpoint) -> Adapter:
        """Open over the model that its config names, where that is a folder here, else over `base`.

        Raises WorkbenchError for kinds whose weights are not a sum of a matrix and a product: DoRA, trained biases, other peft methods.
        """
        config = read_json(path / CONFIG, f"{path} holds no {CONFIG}; give the folder that peft saved.")
        if not (path / WEIGHTS).is_file():
            raise WorkbenchError(f"{path} holds no {WEIGHTS}; save the adapter as safetensors.")
        named = str(config.get("base_model_name_or_path") or "").strip()  # empty is the current folder to Path
        under = Checkpoint.open(named) if named and (Path(named) / "config.json").is_file() else base
        made = cls(path, config, under)
        plain = {"peft_type": "LORA", "bias": "none", "use_dora": False, "lora_bias": False}
        odd = next((f"{what} {config[what]!r}" for what in plain if config.get(what, plain[what]) != plain[what]), None)
        odd = odd or next((f"the tensor {name}" for name in made.names if not name.startswith(PREFIX) or not name.endswith(PARTS)), None)
        if odd:
            raise WorkbenchError(f"The adapter {path} has {odd}, which cannot be added up here; {MERGE}.")
        return made

    @cached_property
    def names(self) -> list[str]:
        return sorted(header(self.path / WEIGHTS)[0])

    def _tensor(self, module: str, part: str) -> torch.Tensor | None:
        from safetensors import safe_open

        name = f"{PREFIX}{module}.{part}"
        if name not in self.names:
            return None
        with safe_open(self.path / WEIGHTS, framework="pt") as file:
            return file.get_tensor(name)

    @cached_property
    def modules(self) -> dict[str, str]:
        """Tensor name in the model → module path in the adapter. Raises WorkbenchError for a module that the model lacks."""
        found = {}
        for name in self.names:
            part = next(p for p in PARTS if name.endswith("." + p))
            module = name.removeprefix(PREFIX).removesuffix("." + part)
            tries = (f"{module}.weight", f"{module.partition('.')[2]}.weight")  # a base model is saved without its own name in front
            there = next((t for t in tries if t in self.under.shards), None)
            if there is None and self.under.output_name is None and module.endswith(("lm_head", "embed_out")):
                there = "lm_head.weight"
            if there is None:
                raise WorkbenchError(f"The adapter {self.path} changes {module}, which {self.under.path} lacks; give the adapter's own base model.")
            found[there] = module
        return found

    def has_head(self) -> bool:
        """Whether a head of its own was saved, also over a tied model."""
        return any(name.endswith(("lm_head.weight", "embed_out.weight")) for name in self.modules)

    def table(self, name: str) -> Rowwise:
        """A table of the adapted model, row block by row block. `name` is the tensor's in the model below."""
        module = self.modules.get(name)
        stored = None
        if module:
            stored = self._tensor(module, "weight")
            stored = self._tensor(module, "base_layer.weight") if stored is None else stored
        rows = self.under.tensor(name if name in self.under.shards else self.under.input_name) if stored is None else stored
        replaced = self._replaced(name)
        return Rowwise(rows, self.delta(name) if module and self._factors(module) else None, replaced)

    def _replaced(self, name: str) -> tuple[torch.Tensor, torch.Tensor] | None:
        """(ids, rows) that trainable tokens put in the place of the model's; peft calls them a delta, but they replace."""
        import torch

        # A tied head takes the rows that were trained for the input.
        for table in dict.fromkeys((name, *((self.under.input_name,) if self.under.tied else ()))):
            module = self.modules.get(table)
            rows = self._tensor(module, "token_adapter.trainable_tokens_delta") if module else None
            if rows is not None:
                given = self.config.get("trainable_token_indices")
                ids = given if isinstance(given, list) else next((v for k, v in given.items() if module.endswith(k)), [])
                return torch.tensor(ids), rows
        return None

    def _factors(self, module: str) -> tuple[torch.Tensor, torch.Tensor] | None:
        for first, second in (("lora_A.weight", "lora_B.weight"), ("lora_embedding_A", "lora_embedding_B")):
            a, b = self._tensor(module, first), self._tensor(module, second)
            if a is not None and b is not None:
                if a.ndim != 2:
                    raise WorkbenchError(f"The adapter {self.path} holds a convolution ({module}); {MERGE}.")
                return a, b
        return None

    def scaling(self, module: str, rank: int) -> float:
        matches = (v for k, v in (self.config.get("alpha_pattern") or {}).items() if re.match(rf"(.*\.)?({k})$", module))
        alpha = next(matches, self.config.get("lora_alpha", 8))
        return alpha / (rank**0.5 if self.config.get("use_rslora") else rank)

    def delta(self, name: str) -> Delta:
        """What the adapter adds to rows of a tensor: s·B·A, transposed where the module keeps (in, out); a tensor saved whole, less the one it replaces."""
        module = self.modules[name]
        factors = self._factors(module)
        if factors is None:
            whole, old = self._tensor(module, "weight"), self.under.tensor(name)
            return lambda low, high: whole[low:high].float() - old[low:high].float()
        a, b = (f.float() for f in factors)
        s = self.scaling(module, len(a))
        # lora_embedding_A is (r, rows) and _B (d, r); a Conv1D (GPT-2) keeps its weight as (in, out).
        if f"{PREFIX}{module}.lora_embedding_A" in self.names or self.config.get("fan_in_fan_out"):
            return lambda low, high: s * (a[:, low:high].T @ b.T)
        return lambda low, high: s * (b[low:high] @ a)

    def deltas(self) -> dict[str, Delta]:
        """Tensor name → what is added to its rows; the tables left out."""
        tables = (self.under.input_name, self.under.output_name or "lm_head.weight", "lm_head.weight")
        return {name: self.delta(name) for name in self.modules if name not in tables}


@dataclass(frozen=True)
class Rowwise:
    """A table that is added up block by block as it is sliced."""

    stored: torch.Tensor
    delta: Delta | None
    replaced: tuple[torch.Tensor, torch.Tensor] | None

    @property
    def dtype(self) -> torch.dtype:
        return self.stored.dtype

    @property
    def shape(self) -> torch.Size:
        return self.stored.shape

    def __len__(self) -> int:
        return len(self.stored)

    def __getitem__(self, part: slice) -> torch.Tensor:
        low, high, _ = part.indices(len(self))
        rows = self.stored[low:high]
        if self.delta:
            rows = (rows.float() + self.delta(low, high)).to(self.dtype)
        if self.replaced:
            ids, new = self.replaced
            mine = (ids >= low) & (ids < high)
            rows = rows.clone()
            rows[ids[mine] - low] = new[mine].to(self.dtype)
        return rows
