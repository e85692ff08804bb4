"""A model put together from shared tensors: an empty one on the meta device, to which each tensor is assigned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .. import devices, refs
from ..checkpoint import GENERATION, Checkpoint, read_json, shards_of
from ..errors import WorkbenchError
from . import pool
from .pool import Shared

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

ADAPTER, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
Built = tuple["PreTrainedModel", "PreTrainedTokenizerFast", list[Shared]]


def build(place: Path, device: str, dtype: str, room: Callable[[int], None]) -> Built:
    """(model in evaluation mode, its tokenizer, the tensors that it shares) of a model folder or of a LoRA adapter's.

    Each side of a comparison has modules of its own, and only tensors are shared: an adapter is put on one side's modules and is never switched on or off,
    so that two sides may run at once. `room` is told the bytes of every tensor that is not held yet, before it is. Raises WorkbenchError where the folder
    is no complete model, its tokenizer has more ids than it has rows, or the adapter is of a kind that does not fit.
    """
    from ..tokenizer import load

    if (place / ADAPTER).is_file():
        return _adapted(place, device, dtype, room)
    tokenizer = load(place)
    Checkpoint.open(place).check_fits(max(tokenizer.get_vocab().values()) + 1)
    model, weights = _assigned(place, device, dtype, room) or _deduplicated(place, device, dtype, room)
    return model.requires_grad_(False).eval(), tokenizer, weights


def _assigned(place: Path, device: str, dtype: str, room: Callable[[int], None]) -> tuple[PreTrainedModel, list[Shared]] | None:
    """The model, where its files name its tensors as it does itself; None where transformers would rename, split or join them while loading."""
    from accelerate import init_empty_weights
    from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig

    where = devices.pick(device)
    wanted = devices.number_format(dtype, where)
    # Buffers (rotary frequencies) are in no file: they are computed for real.
    with init_empty_weights(include_buffers=False):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(place), dtype=wanted)
    model.tie_weights()  # on the way to the meta device every parameter has become one of its own
    files, names = set(shards_of(place)), {name: id(tensor) for name, tensor in model.state_dict(keep_vars=True).items()}
    there = [names[name] for name in files if name in names]
    odd = files - set(names) or set(names.values()) - set(there) or len(there) > len(set(there)) or getattr(model, "_keep_in_fp32_modules", None)
    if odd:
        return None
    weights, state = [], {}
    for name, tensor in pool.tensors(place):
        weights.append(pool.shared(tensor.to(wanted) if tensor.is_floating_point() else tensor, str(where), room))
        state[name] = weights[-1].tensor
    model.load_state_dict(state, strict=False, assign=True)
    model.tie_weights()
    if any(each.is_meta for each in (*model.parameters(), *model.buffers())):
        return None
    if (place / GENERATION).is_file():
        model.generation_config = GenerationConfig.from_pretrained(place)
    return model.to(where), weights


def _deduplicated(place: Path, device: str, dtype: str, room: Callable[[int], None]) -> tuple[PreTrainedModel, list[Shared]]:
    """The model as transformers loads it, with every tensor that is held already in the place of its own."""
    from ..models import open_model

    model, _ = open_model(place, device, dtype)
    state = {name: pool.shared(tensor, str(model.device), room) for name, tensor in model.state_dict().items()}
    model.load_state_dict({name: each.tensor for name, each in state.items()}, assign=True)
    model.tie_weights()
    return model, list(state.values())


def _adapted(place: Path, device: str, dtype: str, room: Callable[[int], None]) -> Built:
    from peft import PeftModel

    from ..tokenizer import load
    from ..training.fitting import untouched_randomness

    config = read_json(place / ADAPTER)
    base = str(config.get("base_model_name_or_path") or "").strip()
    if config.get("peft_type") != "LORA" or not (place / ADAPTER_WEIGHTS).is_file():
        raise WorkbenchError(
            f"{place} is no LoRA adapter in safetensors ({config.get('peft_type')}); merge it into its model (peft: merge_and_unload) instead."
        )
    if not base:
        raise WorkbenchError(f"The adapter {place} does not say which model it belongs to; set base_model_name_or_path in {ADAPTER}.")
    under = refs.locate(base)
    if (under / ADAPTER).is_file():
        raise WorkbenchError(f"The adapter {place} belongs to an adapter, {base}; merge that one into its model first (peft: merge_and_unload).")
    model, tokenizer, weights = build(under, device, dtype, room)
    try:
        with untouched_randomness():
            PeftModel.from_pretrained(model, place, torch_device=str(model.device))
    except (RuntimeError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise WorkbenchError(f"The adapter {place} does not fit the model {base} ({first}); give the model that it was trained on.") from error
    own = load(place) if (place / "tokenizer.json").is_file() else tokenizer
    return model.requires_grad_(False).eval(), own, weights
