"""The loss of a large vocabulary without its logits: torch's chunked cross-entropy in place of head and loss."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

LARGE = 2**25  # logits of a batch (tokens × vocabulary) from which on it is chosen by itself: 128 MiB in fp32, kept three times over by the usual loss
ROWS = 512  # tokens a chunk. On a processor, 32 000 × 768 and 2 048 tokens: 1.15 times the usual loss's time, 0.3 times its memory; torch's own choice, 1.3


class Chunked:
    """A model whose loss is computed from hidden states and head, a chunk of tokens at a time, inside `with chunked.active()` only.

    Elsewhere, when bits per byte are measured or text is generated, the model gives its logits as before.
    """

    def __init__(self, model: PreTrainedModel, head: torch.nn.Linear) -> None:
        self.model, self.head, self.on = model, head, False
        self.own, self.project = model.loss_function, head.forward
        head.forward = lambda hidden: hidden if self.on else self.project(hidden)
        model.loss_function = lambda logits, labels, **given: self.loss(logits, labels, **given) if self.on else self.own(logits=logits, labels=labels, **given)

    @contextmanager
    def active(self) -> Iterator[None]:
        self.on = True
        try:
            yield
        finally:
            self.on = False

    def loss(self, hidden: torch.Tensor, labels: torch.Tensor, num_items_in_batch: Any = None, shift_labels: Any = None, **_: Any) -> torch.Tensor:
        """Mean over the labels that count, or their sum over `num_items_in_batch`; hidden (blocks, tokens, d), labels (blocks, tokens)."""
        import torch

        from .data import IGNORE

        if shift_labels is None:
            shift_labels = torch.nn.functional.pad(labels, (0, 1), value=IGNORE)[..., 1:]
        weight, bias = self.head.weight, self.head.bias
        if torch.is_autocast_enabled(hidden.device.type):
            half = torch.get_autocast_dtype(hidden.device.type)
            hidden, weight, bias = hidden.to(half), weight.to(half), bias.to(half) if bias is not None else None
        total = torch.nn.functional.linear_cross_entropy(
            hidden.flatten(0, -2), weight, shift_labels.flatten().to(hidden.device), linear_bias=bias, ignore_index=IGNORE,
            reduction="mean" if num_items_in_batch is None else "sum", options=torch.nn.LinearCrossEntropyOptions(batch_chunk_size=ROWS, chunking_method=None),
        )  # fmt: skip
        return total if num_items_in_batch is None else total / num_items_in_batch

    def undo(self) -> None:
        self.head.forward = self.project
        self.model.loss_function = self.own


def chunked(model: PreTrainedModel) -> Chunked | None:
    """The model's loss, chunked, or None where this torch or this model cannot: a head that is no plain matrix, or logits that are changed before the loss.

    Which it is shows on a few tokens, on which both ways must agree.
    """
    import torch

    if not can_be_chunked(model):
        return None
    base = _base(model)
    head = base.get_output_embeddings()
    made, training = Chunked(base, head), base.training
    try:
        ids = torch.arange(1, 17, device=head.weight.device).remainder(head.out_features)[None]
        base.eval()
        with torch.no_grad():
            plain = float(base(input_ids=ids, labels=ids).loss)
            with made.active():
                ours = float(base(input_ids=ids, labels=ids).loss)
        if abs(ours - plain) <= 1e-3 * abs(plain):
            return made
    except (RuntimeError, TypeError, ValueError):
        pass  # whatever else a model does with its logits, hidden states in their place do not fit it
    finally:
        base.train(training)
    made.undo()
    return None


def can_be_chunked(model: PreTrainedModel) -> bool:
    """Whether this torch has the loss, and the model a head that is a plain matrix, no adapter on it."""
    import torch

    head = _base(model).get_output_embeddings()
    return hasattr(torch.nn.functional, "linear_cross_entropy") and type(head) is torch.nn.Linear and not head._forward_hooks


def _base(model: Any) -> PreTrainedModel:
    """The model in peft's wrapper."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model
