"""What a training will take, before it starts: memory by a formula, time from the products it does and how fast the device does them."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from .. import devices, processes
from ..errors import WorkbenchError
from .losses import LARGE, ROWS, can_be_chunked

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from .fitting import Settings

UNGATED = {"gpt2", "gpt_neo", "gpt_neox", "gptj", "opt", "bloom", "phi", "falcon", "mpt"}  # two matrices in the feed-forward part instead of three
LAYER = 2e-3  # seconds that a layer takes for one token however small it is: 1 to 4 ms on GPUs and busy processors, for what the library does around it
EFFICIENCY = {"cpu": 0.8, "cuda": 0.4, "mps": 0.4}  # of bare products that a whole step reaches


class UnknownShape(WorkbenchError):
    """A model whose config does not say what it is made of in words that are known."""


@dataclass(frozen=True)
class Shape:
    """A decoder in numbers: sizes, and parameters outside its tables (`body`)."""

    width: int
    layers: int
    inner: int
    keys: int  # width of all keys of a token, and of all values
    vocabulary: int
    tied: bool
    body: int
    gated: bool = True

    @staticmethod
    def of(config: Mapping[str, Any]) -> Shape:
        """From a model's config.json, whatever its family calls the sizes."""
        c = {**config, **(config.get("text_config") or {})}
        width = c.get("hidden_size") or c.get("n_embd") or c.get("d_model")
        layers = c.get("num_hidden_layers") or c.get("n_layer") or c.get("num_layers")
        heads = c.get("num_attention_heads") or c.get("n_head") or c.get("num_heads")
        if not (width and layers and heads):
            raise UnknownShape(f"The sizes of a model of type '{c.get('model_type')}' are not understood; its config names no width, layers and heads.")
        inner, gated = c.get("intermediate_size") or c.get("n_inner") or c.get("ffn_dim") or 4 * width, c.get("model_type") not in UNGATED
        head = c.get("head_dim") or width // heads
        keys = head * (c.get("num_key_value_heads") or heads)
        body = layers * (2 * width * head * heads + 2 * width * keys + (3 if gated else 2) * width * inner + 2 * width)
        return Shape(width, layers, inner, keys, c["vocab_size"], bool(c.get("tie_word_embeddings", True)), body, gated)

    @property
    def tables(self) -> int:
        """Parameters of embedding table and head."""
        return self.vocabulary * self.width * (1 if self.tied else 2)


@dataclass(frozen=True)
class Estimate:
    """Bytes at the peak, in their parts (not all of them are there at the same time), and seconds for all steps."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    logits: int
    peak: int
    seconds: float
    tokens: int
    device: str = "cpu"
    loaded: int = 0  # of the weights, already in memory
    asking: float = 0.0  # of the seconds: those in which another model is asked first

    def check(self, free: int | None = None) -> Estimate:
        """Itself. Raises WorkbenchError with the numbers where the peak is more than the device has free (asked for unless given), in bytes."""
        free = devices.free_memory(self.device) if free is None else free
        if self.peak - self.loaded <= free:
            return self
        parts = ("weights", "gradients", "optimizer", "activations", "logits")
        listed = ", ".join(f"{name} {spoken_size(getattr(self, name))}" for name in parts)
        raise WorkbenchError(
            f"This training needs {spoken_size(self.peak - self.loaded)} more memory ({listed}) and {self.device} has {spoken_size(free)} free; take a "
            "smaller batch with more accumulation, shorter blocks, gradient checkpointing, train less of the model, or spread it over several devices."
        )


def estimate(
    shape: Shape,
    trained: Literal["tables", "all"] | int,
    settings: Settings,
    block: int,
    *,
    weight_bytes: int = 4,
    rows: int | None = None,
    device: str | None = None,
    adapted: int = 0,
) -> Estimate:
    """The estimate of a training that has yet to be set up.

    `trained`: the tables only, all, or the tables and so many parameters beside the frozen body (LoRA). `rows` of the tables are trained, all unless given.
    `weight_bytes` a parameter as loaded; `adapted` what adapters keep of a token, in bytes, as `adapter_bytes` says. Within a third of measured peaks
    (tests/benchmarks/bench_training.py).
    """
    tables = shape.tables if rows is None else rows * shape.tables // shape.vocabulary
    beside = shape.body if trained == "all" else 0 if trained == "tables" else trained
    weights = (shape.body + shape.tables) * weight_bytes + (beside * 4 if isinstance(trained, int) else 0)
    return _estimate(shape, weights, tables, beside, trained == "all", settings, block, device or str(devices.pick(settings.device)), adapted=adapted)


def of_model(model: PreTrainedModel, settings: Settings, blocks: torch.utils.data.Dataset) -> Estimate:
    """The estimate of what `fit` would do with a loaded model: what is trained shows in `requires_grad`, the block in the first of the blocks."""
    shape = Shape.of(model.config.to_dict())
    tables = {id(table.weight) for table in (model.get_input_embeddings(), model.get_output_embeddings()) if hasattr(table, "weight")}
    trained = [p for p in model.parameters() if p.requires_grad]
    ours = sum(p.numel() for p in trained if id(p) in tables)
    beside = sum(p.numel() for p in trained) - ours
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    device = devices.pick(settings.device)
    if settings.chunked == "auto" and not can_be_chunked(model):
        settings = replace(settings, chunked="off")
    adapters = [module for name, module in model.named_modules() if name.endswith("lora_A.default")]
    dropped = any(name.endswith("lora_dropout.default") and getattr(module, "p", 0) for name, module in model.named_modules())
    kept = adapter_bytes([module.in_features for module in adapters], dropped)
    made = _estimate(shape, weights, ours, beside, beside >= 0.5 * shape.body, settings, block_of(blocks), str(device), len(trained) > 0, kept)
    return made if next(model.parameters()).device.type != device.type else replace(made, loaded=weights)


def block_of(blocks: torch.utils.data.Dataset) -> int:
    """Tokens of the first block. Raises WorkbenchError where there is none."""
    first = next(iter(blocks), None)
    if first is None:
        raise WorkbenchError("The text is empty, so there is nothing to train on; give a text of at least a few sentences.")
    return len(first["input_ids"])


def _estimate(
    shape: Shape, weights: int, tables: int, beside: int, whole: bool, settings: Settings, block: int, device: str, backward: bool = True, adapted: int = 0
) -> Estimate:
    import torch

    from .probing import training_format

    place, batch = torch.device(device), settings.batch_size * block
    half = training_format(settings.dtype, place) != torch.float32
    gradients, states = 4 * (tables + beside), 8 * (tables + beside)
    if settings.gradient_checkpointing:
        adapted //= max(shape.layers, 1)  # of one layer at a time
    activations = (_activations(shape, whole, half, settings.gradient_checkpointing) + adapted) * batch if backward else 0
    large = shape.vocabulary * batch
    chunks = settings.chunked == "on" or (settings.chunked == "auto" and large >= LARGE)
    logits = 8 * min(ROWS, batch) * shape.vocabulary if chunks else (16 if half else 12) * large
    head = 4 * shape.vocabulary * shape.width if tables else 0  # its gradient comes while the logits are still there
    if half:
        weights += 2 * (shape.body if whole else beside)  # autocast keeps a copy of what is trained
    shards = processes.count() if os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true" else 1
    start = activations + logits + head
    moving = gradients // shards + start if settings.accumulate > 1 else max(start, gradients // shards + activations // 2)
    peak = (weights + states) // shards + moving
    tokens = batch * settings.accumulate * settings.steps * processes.count()
    return Estimate(weights, gradients, states, activations, logits, peak, _seconds(shape, whole, tables, settings, block, half, place), tokens, device)


def _activations(shape: Shape, whole: bool, half: bool, checkpointing: bool) -> int:
    """Bytes that a token leaves for the backward pass.

    Of a layer whose weights are frozen: the inputs of both norms, queries, keys, values and what attention gives, and three of the feed-forward part.
    A weight that is trained wants its own input too: five more of the width, one more of the feed-forward part.
    """
    wide, inner, repeated = (11, 4, 2) if whole else (6, 3, 2)
    layer = wide * shape.width + repeated * shape.keys + (inner if shape.gated else inner - 1) * shape.inner
    layer *= 3 if half else 4  # bytes: products in 16 bits, norms and sums in 32
    return (shape.layers * 4 * shape.width + layer) if checkpointing else shape.layers * layer


def adapter_bytes(widths: Sequence[int], dropout: bool) -> int:
    """What low-rank adapters on layers of these input widths keep of a token for the backward pass: each its input, and with dropout a mask of its own."""
    return sum(widths) * (8 if dropout else 4)


def _seconds(shape: Shape, whole: bool, tables: int, settings: Settings, block: int, half: bool, place: torch.device) -> float:
    """Multiply-adds of forward and backward over what the device does in large products; wrong by a factor of two at most where a step is not tiny."""
    from .probing import multiply_adds_per_second

    head = shape.vocabulary * shape.width
    forward = shape.body + head + shape.layers * block * shape.width
    weights = (shape.body if whole else 0) + (head if tables else 0)
    passes = forward * (3 if settings.gradient_checkpointing else 2) + weights
    rate = multiply_adds_per_second("bf16" if half else "fp32", str(place)) * EFFICIENCY.get(place.type, 0.4)
    return settings.steps * settings.accumulate * settings.batch_size * block * passes / rate


def asking_seconds(shape: Shape, prompts: int, tokens: int, batch: int, settings: Settings) -> float:
    """What greedy answers of so many tokens each take, batch by batch; most end earlier. Of a small model the products are the least part of a step."""
    import torch

    from .probing import multiply_adds_per_second, training_format

    place = devices.pick(settings.device)
    half = training_format(settings.dtype, place) != torch.float32
    rate = multiply_adds_per_second("bf16" if half else "fp32", str(place)) * EFFICIENCY.get(place.type, 0.4)
    step = shape.layers * LAYER + batch * (shape.body + shape.vocabulary * shape.width) / rate
    return math.ceil(prompts / batch) * tokens * step


def spoken_size(count: int) -> str:
    """310 MiB, 12.0 GiB."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**29 else f"{count / 2**20:.0f} MiB"
