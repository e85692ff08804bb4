"""Models ready to reply, loaded once and shared."""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .. import refs
from ..errors import WorkbenchError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

_LOADING = threading.Lock()
Message = dict[str, str]  # {"role": "user", "content": "…"}


@dataclass(frozen=True)
class Chatter:
    """A loaded model with its tokenizer; shared by everyone who loads the same weights."""

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    fingerprint: str
    lock: threading.Lock

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of a conversation: through the chat template, or as plain text to continue where there is none.

        Raises WorkbenchError on an empty prompt, or one that leaves no room for a reply in the context.
        """
        if not messages or not messages[-1]["content"].strip():
            raise WorkbenchError("The prompt is empty; type something.")
        if self.tokenizer.chat_template:
            ids = self._templated(messages)
        else:
            ids = self.tokenizer("\n".join(m["content"] for m in messages))["input_ids"]
            eos = self.tokenizer.eos_token_id
            ids = ids[:-1] if len(ids) > 1 and ids[-1] == eos else ids
        if len(ids) >= self.context:
            raise WorkbenchError(f"The conversation has {len(ids)} tokens but {self.name} reads only {self.context}; shorten it or start a new one.")
        return list(ids)

    def _templated(self, messages: Sequence[Message]) -> list[int]:
        from jinja2 import TemplateError

        try:
            return self.tokenizer.apply_chat_template(list(messages), add_generation_prompt=True, tokenize=True, return_dict=False)
        except TemplateError as error:
            raise WorkbenchError(f"The chat template of {self.name} refuses this conversation ({error}); change the messages or their order.") from error

    @property
    def context(self) -> int:
        return int(getattr(self.model.config.get_text_config(), "max_position_embeddings", 2048))

    @property
    def eos_ids(self) -> set[int]:
        """The ids that end a reply: those of the generation config, else of the tokenizer."""
        ids = self.model.generation_config.eos_token_id
        ids = ids if ids is not None else self.tokenizer.eos_token_id
        return set(ids) if isinstance(ids, list) else set() if ids is None else {ids}


def load(reference: str | Path, device: str = "auto", dtype: str = "auto") -> Chatter:
    """A model ready to reply; loaded once per folder, device and number format, and shared."""
    place = refs.locate(reference)
    stamp = max((f.stat().st_mtime for f in place.iterdir() if f.is_file()), default=0.0) if place.is_dir() else 0.0
    with _LOADING:  # two sides asking at once must not load it twice
        return replace(_load(place, stamp, device, dtype), name=refs.label(str(reference)))


@functools.lru_cache(maxsize=4)
def _load(place: Path, stamp: float, device: str, dtype: str) -> Chatter:
    from ..models import open_model

    model, tokenizer = open_model(place, device, dtype)
    return Chatter(str(place), model, tokenizer, fingerprint(model), threading.Lock())


def fingerprint(model: PreTrainedModel) -> str:
    """Twelve hexadecimal digits over every weight really in use, names and values."""
    import torch

    digest = hashlib.blake2b(digest_size=6)
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().contiguous().cpu().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
