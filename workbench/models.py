"""A model folder, loaded to be run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import devices, refs
from .checkpoint import Checkpoint

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast


def open_model(reference: str | Path, device: str = "auto", dtype: str = "auto") -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """(model in evaluation mode, its tokenizer) of a reference; safetensors only, and never code that comes with it.

    Raises WorkbenchError where the folder is no complete model or its tokenizer has more ids than it has rows.
    """
    from transformers import AutoModelForCausalLM

    from .tokenizer import load

    place = refs.locate(reference)
    tokenizer = load(place)
    Checkpoint.open(place).check_fits(max(tokenizer.get_vocab().values()) + 1)
    where = devices.pick(device)
    with _without_bars():
        model = AutoModelForCausalLM.from_pretrained(place, dtype=devices.number_format(dtype, where), use_safetensors=True, trust_remote_code=False)
    return model.to(where).eval(), tokenizer


def context_of(config: PretrainedConfig | Mapping[str, Any]) -> int:
    """Tokens that a model reads at once, by its config or config.json; 2048 where it does not say."""
    values = config if isinstance(config, Mapping) else config.to_dict()
    values = values.get("text_config") or values
    return int(next((values[name] for name in ("max_position_embeddings", "n_positions", "max_seq_len") if values.get(name)), 2048))


@contextmanager
def _without_bars() -> Iterator[None]:
    """transformers draws a bar for every model that it loads: thirteen of them in a recipe, between the lines of the terminal and of a notebook."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
