"""Before a run: what the model would see first, and what the training would take."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import gradio as gr

from ... import devices, steps
from ...batchhtml import batch_html
from ...errors import WorkbenchError
from ...recipes.planning import spoken
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
    ask.click(
        guarded(lambda *values: look(form.read(*values))), form.inputs, said, show_progress="minimal", show_progress_on=said, api_visibility="private"
    )  # fmt: skip


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
    return estimate + notes(batch.warnings) + f'<div class="batch">{batch_html(batch)}</div>'


def estimate_html(found: Estimate, batch: Batch, free: int | None = None) -> str:
    """Time, memory and its parts, and whether it fits."""
    free = devices.free_memory(found.device) if free is None else free
    figures = {
        "steps": batch.steps, "tokens": found.tokens, f"on {found.device}, about": spoken(found.seconds / 60), "memory at the peak, about": size(found.peak),
        "free now": size(free), **{name: size(getattr(found, name)) for name in PARTS if getattr(found, name)},
    }  # fmt: skip
    try:
        found.check(free)
        fits = notes(["It fits. The parts are not all there at the same time."], "good")
    except WorkbenchError as error:
        fits = notes([str(error)])
    padding = f", {batch.padding:,} of them padding" if batch.padding else ""
    return numbers(figures) + fits + notes([f"{batch.learnt:,} of {batch.tokens:,} tokens of the first batch are learnt{padding}."], "good")


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
