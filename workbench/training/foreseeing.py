"""What a stage will take, from its knobs and its model's config alone: no weight is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from .base import Stage
    from .estimating import Estimate


def foresee(stage: Stage, steps: int | None = None) -> Estimate:
    """The estimate of a stage before it starts; `steps` where passes over the text end it earlier, as `first_batch` finds out.

    A limit in minutes shortens the time, not the tokens. Raises WorkbenchError where the model is not there or its sizes are not understood.
    """
    from dataclasses import replace

    from .. import checkpoint, refs
    from .estimating import Shape, adapter_bytes, estimate

    config = checkpoint.Checkpoint.open(refs.locate(stage.model)).config
    rows = stage.trained_rows()
    trained = {"tables": "tables", "full": "all"}.get(stage.kind)
    beside, widths = (0, []) if trained else adapters(stage, config)
    made = estimate(
        Shape.of(config), trained or beside, stage.settings(steps), stage.block, rows=None if rows is None else len(rows),
        adapted=adapter_bytes(widths, bool(getattr(stage, "lora_dropout", 0))),
    )  # fmt: skip
    return replace(made, seconds=min(made.seconds, 60 * stage.minutes)) if stage.minutes else made


def adapters(stage: Stage, config: dict) -> tuple[int, list[int]]:
    """Of a stage's adapters: their weights, r · (inputs + outputs) of every layer that gets one, and the widths of these inputs."""
    from .adapters import Lora, chosen

    model = empty_model(config)
    lora = Lora(stage.lora_rank, stage.lora_alpha, stage.lora_dropout, stage.lora_targets, stage.lora_layers)
    layers = [model.get_submodule(name) for name in chosen(model, lora)]
    widths = [layer.in_features if hasattr(layer, "in_features") else layer.weight.shape[0] for layer in layers]  # GPT-2's layers are the other way round
    return sum(stage.lora_rank * sum(layer.weight.shape) for layer in layers), widths


def empty_model(config: dict) -> PreTrainedModel:
    """The model of a config without its weights."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    given = dict(config)
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(AutoConfig.for_model(given.pop("model_type"), **given))
