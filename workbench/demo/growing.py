"""A deeper model that computes what a shallower one does."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def deepened(model: PreTrainedModel, layers: int) -> PreTrainedModel:
    """The model with more layers on top, which add nothing until they are trained: what they write is multiplied by zero.

    The circuit that looks things up formed within 200 steps in two layers, and in three or four not in 350 to 550; two that have it can be added to.
    """
    import torch

    config = copy.deepcopy(model.config)
    config.num_hidden_layers = layers
    config.layer_types = [*config.layer_types, *[config.layer_types[-1]] * (layers - len(config.layer_types))]
    deeper = type(model)(config)
    deeper.load_state_dict(model.state_dict(), strict=False)
    with torch.no_grad():
        for layer in deeper.model.layers[model.config.num_hidden_layers :]:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
    return deeper
