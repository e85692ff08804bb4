"""Before a run: what the model would see first, and what the training would take."""

from __future__ import annotations

from contextlib import suppress
from html import escape
from typing import TYPE_CHECKING, Any

import gradio as gr

from ... import devices, refs, steps
from ...batchhtml import batch_html
from ...errors import WorkbenchError
from ...recipes.planning import spoken
from ...training import Calibrate
from ..messages import empty, guarded, notes, numbers
from ..shell import Shell
from ..transfer.previews import size
from .stageform import StageForm

if TYPE_CHECKING:
    from ...training import Batch
    from ...training.base import Stage
    from ...training.estimating import Estimate

NOTHING = "Press the button to see the first batch as the model will: token by token, with what counts, and how long the training takes and how much memory."
PARTS = ("weights", "gradients", "optimizer", "activations", "logits")


def build(shell: Shell, form: StageForm) -> None:
    """A button and, below it, what it found for what `form` is set to."""
    with gr.Row(elem_classes="run-row"):
        ask = gr.Button("What the model will see, and what it takes", size="md", scale=0, min_width=330, elem_id="preview-train")
    said = gr.HTML(empty(NOTHING), elem_id="preview-batch")
    look_at = guarded(lambda *values: looked(form, *values))
    shell.gather(ask.click, look_at, form.inputs, said, show_progress="minimal", show_progress_on=said, api_visibility="private")


def looked(form: StageForm, *values: Any) -> str:
    """What was found, or in its place what is wrong: a batch of before would say that what is refused now fits."""
    try:
        return look(form.read(*values))
    except WorkbenchError as error:
        return notes([str(error)])


def look(stage: Stage) -> str:
    """The first batch of a stage and its estimate. Raises WorkbenchError for all that would keep it from starting."""
    from ...training import first_batch, foresee
    from ...training.estimating import UnknownShape

    asked = steps.find("train.preview", stage.stage)(**stage.model_dump())  # a calibration's preview asks only a few prompts
    batch = first_batch(asked)
    try:
        estimate = estimate_html(foresee(stage, batch.steps), batch)
    except UnknownShape as error:
        estimate = notes([f"There is no estimate: {error}"])
    of = f'<p class="small">{escape(said_of(stage))}</p>'
    return of + estimate + notes([*batch.warnings, *fewer(stage, asked)]) + f'<div class="batch">{batch_html(batch)}</div>'


def said_of(stage: Stage) -> str:
    """What was looked at: the knobs may be others by now."""
    text = getattr(stage, "text", None) or getattr(stage, "pairs", None) or ""
    on = f" on {refs.label(text)}" if text else ""
    return f"{stage.stage} of {refs.label(stage.model)}{on}: {stage.batch_size} blocks of {stage.block} tokens, learning rate {stage.learning_rate:g}"


def fewer(stage: Stage, asked: Stage) -> list[str]:
    """What a calibration's numbers rest on."""
    if not isinstance(stage, Calibrate) or stage.answers or asked.prompts_asked() >= stage.prompts_asked():
        return []
    few, all_of_them = asked.prompts_asked(), stage.prompts_asked()
    return [f"Only {few} prompts were asked for this look; steps and time are reckoned for the {all_of_them} that the training asks."]


def estimate_html(found: Estimate, batch: Batch, free: int | None = None) -> str:
    """Time, memory and its parts, and whether it fits."""
    free = devices.free_memory(found.device) if free is None else free
    figures = {
        "steps": batch.steps, "tokens": found.tokens, f"on {found.device}, about": spoken(found.seconds / 60),
        **({"of it asking": spoken(found.asking / 60)} if found.asking else {}), "memory at the peak, about": size(found.peak),
        "free now": size(free),
    }  # fmt: skip
    parts = ", ".join(f"{name} {size(getattr(found, name))}" for name in PARTS if getattr(found, name))
    try:
        found.check(free)
        fits = notes([f"It fits: {parts}; not all of it is there at the same time."], "good")
    except WorkbenchError as error:
        fits = notes([str(error)])
    padding = f", and {batch.padding:,} more is padding" if batch.padding else ""
    return numbers(figures) + fits + notes([f"{batch.learnt:,} of the {batch.tokens:,} tokens of the first batch are learnt{padding}."], "good")


def refuse(stage: Stage) -> None:
    """Raise WorkbenchError with the numbers where a training cannot fit, before a job is started. A model that is not here yet is judged by the job itself."""
    from ...jobs import jobs
    from ...recipes.sizing import here
    from ...training import foresee
    from ...training.estimating import UnknownShape

    if here(stage.model) is None or any(job.state in ("running", "waiting") for job in jobs()):  # what is free now says nothing of when its turn comes
        return
    with suppress(UnknownShape):
        foresee(stage).check()
