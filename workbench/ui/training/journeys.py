"""Recipes: a whole journey of a paper, planned before it runs, run as one job, and its table."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from ... import jobs, specs, steps, store
from ...recipes import reading
from ..forms import Form
from ..messages import empty, guarded, notes, numbers
from ..panel import JobPanel, Snapshot, metrics_of
from ..shell import Shell
from ..tables import Table

NOTHING = "Choose a recipe and press “Plan”: every step with its sizes, time and disk. Nothing is run or downloaded for that. Scale demo needs no network."
HIDDEN = ("dry_run", "recipe", "scale")


class RecipeForm(Form):
    """The recipe's own form, with the shipped recipes and their scales to choose from."""

    def __init__(self) -> None:
        step = steps.find("recipe")
        known = {k.name: k for k in specs.knobs(step)}
        with gr.Row():
            names = gr.Dropdown(
                reading.names(), value="lep", label="Recipe", info=known["recipe"].help, allow_custom_value=True, interactive=True, elem_id="recipes-recipe"
            )
            scales = gr.Radio(scales_of("lep"), value="demo", label="Scale", info=known["scale"].help, interactive=True, elem_id="recipes-scale")
        super().__init__(step, hide=HIDDEN)
        from ..forms import Field

        self.fields = [Field(known["recipe"], names), Field(known["scale"], scales), *self.fields]


def build(shell: Shell) -> None:
    about = gr.Markdown(about_of("lep"), elem_classes="quiet-text", elem_id="recipes-about")
    form = RecipeForm()
    with gr.Row(elem_classes="run-row"):
        ask = gr.Button("Plan: what it would run, how long, how large", size="md", scale=0, min_width=330, elem_id="recipes-plan")
    said = gr.HTML(empty(NOTHING), elem_id="recipes-plan-note")
    plan = Table("The plan", "plan", 420)
    which = gr.HTML("", elem_id="recipes-which", render=False)
    panel = JobPanel(shell, form, "Run the recipe", live=lambda shot: [which_html(shot)], outputs=[which], resumes=True, name="recipes")
    which.render()
    result = gr.HTML("", elem_id="recipes-result")
    table = Table("Its table: every model, every measure", "recipe", 420)

    def look(*values: Any) -> list[Any]:
        metrics = store.run(form.read(*values, dry_run=True)).metrics
        return [plan_html(metrics), *plan.update(metrics["rows"])]

    def show(job: str) -> list[Any]:
        metrics = metrics_of(job, "recipe")
        return [result_html(job, metrics), *table.update(metrics.get("rows") or [])]

    names, scales = form.component("recipe"), form.component("scale")
    shell.gather(ask.click, guarded(look), form.inputs, [said, *plan.parts], show_progress="minimal", show_progress_on=said, api_visibility="private")
    names.change(guarded(chosen), names, [scales, about], **shell.quiet)
    panel.finished.change(guarded(show), panel.finished, [result, *table.parts], **shell.quiet)


def chosen(name: str | None) -> list[Any]:
    """The scales and the description of a recipe."""
    known = scales_of(name or "demo")
    return [gr.update(choices=known, value=known[0] if known else None, visible=bool(known)), about_of(name or "demo")]


def scales_of(name: str) -> list[str]:
    """Its scales, the smallest first."""
    return sorted(reading.scales(reading.load(name)), key=lambda scale: ("demo", "small", "paper").index(scale) if scale in ("demo", "small", "paper") else 9)


def about_of(name: str) -> str:
    recipe = reading.load(name)
    return f"**{recipe.get('title', name)}.** {recipe.get('about', '')}"


def plan_html(metrics: dict[str, Any]) -> str:
    figures = {
        "steps to run": sum(row["state"] == "to run" for row in metrics["rows"]), "kept from before": sum(row["state"] == "kept" for row in metrics["rows"]),
        "on this machine, about": metrics["time"], "GB of disk": metrics["gigabytes"], "GB to download": metrics["download_gigabytes"],
    }  # fmt: skip
    wanted = [f"To download: {', '.join(metrics['downloads'])}."] if metrics["downloads"] else []
    return numbers(figures) + notes(wanted + metrics["notes"])


def which_html(shot: Snapshot) -> str:
    """Which recipe the job is: after a reload the form above may show another."""
    spec = jobs.open_job(shot.id).spec
    changed = f", with {', '.join(spec['set'])}" if spec.get("set") else ""
    swept = f", for each of {'; '.join(spec['sweep'])}" if spec.get("sweep") else ""
    said = f"Recipe {spec.get('recipe')}, scale {spec.get('scale') or 'demo'}{changed}{swept}"
    return f'<p class="small">{escape(said)}</p>'


def result_html(job: str, metrics: dict[str, Any]) -> str:
    """What was made, and what was kept from before."""
    if not metrics:
        return ""
    made, kept = metrics.get("made", {}), metrics.get("kept", [])
    said = [f"Job {job} made or kept {len(made)} artefacts; {len(kept)} steps were unchanged and not run again."] if made else []
    return notes(said, "good")
