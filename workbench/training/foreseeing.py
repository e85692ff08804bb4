"""What a stage will take, from its knobs and its model's config alone: no weight is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import WorkbenchError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from .base import Stage
    from .estimating import Estimate, Shape


def foresee(stage: Stage, steps: int | None = None) -> Estimate:
    """The estimate of a stage before it starts; `steps` where passes over the text end it earlier, as `first_batch` finds out.

    A limit in minutes shortens the time, not the tokens. Raises WorkbenchError where the model is not there or its sizes are not understood.
    """
    from dataclasses import replace

    from .. import checkpoint, refs
    from .estimating import Shape, adapter_bytes, estimate

    config = checkpoint.Checkpoint.open(refs.locate(stage.model)).config
    rows = None if stage.reads_rows else stage.trained_rows()  # all of them is the most it can be
    trained = {"tables": "tables", "full": "all"}.get(stage.kind)
    beside, widths = (0, []) if trained else adapters(stage, config)
    made = estimate(
        Shape.of(config), trained or beside, stage.settings(steps), stage.block, rows=None if rows is None else len(rows),
        adapted=adapter_bytes(widths, bool(getattr(stage, "lora_dropout", 0))),
    )  # fmt: skip
    made = replace(made, seconds=min(made.seconds, 60 * stage.minutes)) if stage.minutes else made
    asked = asking(stage, Shape.of(config))
    return replace(made, seconds=made.seconds + asked, asking=asked)


def asking(stage: Stage, shape: Shape) -> float:
    """Seconds at most in which a calibration asks the original model, which is of the same shape but for its vocabulary; 0 for other stages."""
    from .calibrate import Calibrate
    from .estimating import asking_seconds

    if not isinstance(stage, Calibrate) or stage.answers:
        return 0.0
    return asking_seconds(shape, stage.prompt_limit, stage.reply_tokens, stage.ask_batch, stage.settings())


def outlook(stage: Stage, steps: int | None = None) -> tuple[dict[str, str], list[str]]:
    """What a stage will take as one reads it: time, memory, disk; and what is to be said where it does not fit or cannot be told."""
    from .. import checkpoint, devices, refs
    from ..recipes.planning import spoken
    from .estimating import UnknownShape, spoken_size

    try:
        found = foresee(stage, steps)
    except UnknownShape as error:
        return {}, [f"There is no estimate: {error}"]
    said = []
    try:
        found.check()
    except WorkbenchError as error:
        said.append(str(error))
    source = checkpoint.Checkpoint.open(refs.locate(stage.model))
    result = sum(shard.stat().st_size for shard in set(source.shards.values()))
    kept = 2 * (found.gradients + found.optimizer)  # a checkpoint is the trained weights and two states of each; the next one is written before it goes
    time = spoken(found.seconds / 60) + (f", {spoken(found.asking / 60)} of it to ask the original" if found.asking else "")
    disk = f"{spoken_size(result)}, and {spoken_size(kept)} for checkpoints"
    free = spoken_size(devices.free_memory(found.device))
    return {"on": found.device, "time": time, "memory": spoken_size(found.peak), "free": free, "disk": disk}, said


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
