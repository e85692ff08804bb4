"""Evaluation: the scorecard, models side by side on the same items, with intervals and differences to a control."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ... import plots, scorecardhtml, steps
from ...evaluation.measures import COLUMNS
from ...specs import command_line
from ..chain import Chain
from ..forms import Form
from ..messages import empty, guarded, notes
from ..panel import JobPanel, metrics_of
from ..shell import Shell
from ..snapshots import recent
from ..tables import Table, drawn, figure, save_text

NAME = "Evaluation"
ABOUT = (
    "Numbers that agree with what one sees in Chat: every model on the same items, with 95 % intervals, and beside each the difference to a control. "
    "What has been measured before is not measured again."
)
NOTHING = "Nothing is measured yet. Load the demo on the left: its models, texts and questions fill themselves in. Then press “Measure”."
REQUESTS = {"demo:ru": "Повтори: {text}", "demo:fa": "تکرار کن: {text}", "demo:en": "Repeat: {text}"}  # how the demo's texts ask for a copy
FIRST = ("models", "suite", "control", "text", "source_text", "pairs", "questions", "choices", "tasks", "documents", "copies")
CHARTS = 2


def build(shell: Shell) -> None:
    form = Form(steps.find("evaluate"), SUGGEST, first=FIRST, columns=3, name="scorecard")
    form.component("suite").value = "quick"
    upload = gr.UploadButton(
        "Add task files (.jsonl)", file_count="multiple", file_types=[".jsonl"], size="sm", scale=0, min_width=200, elem_id="scorecard-upload"
    )
    panel = JobPanel(shell, form, "Measure", name="scorecard")
    said = gr.HTML(empty(NOTHING), elem_id="scorecard-note")
    card = gr.HTML("", elem_id="scorecard-table")
    with gr.Row():
        charts = []
        for _ in range(CHARTS):
            with gr.Column(min_width=360):
                charts.append(figure())
    curves = gr.HTML("", elem_id="scorecard-curves")
    with gr.Accordion("What the models said", open=False, visible=False, elem_id="scorecard-said") as examples:
        shown = gr.HTML("")
    table = Table("Scorecard, 95 % intervals", "scorecard")
    differences = Table("Differences to the control, paired, 95 % intervals", "differences", 320)
    models = Table("Models", "evaluated-models", 240)
    report = gr.Textbox(visible="hidden")
    save = gr.Button("Download the report as one HTML file", size="sm", visible=False, elem_id="scorecard-report")
    save_text(save, report, "scorecard.html", "text/html")

    def show(job: str) -> list[Any]:
        metrics = metrics_of(job, "evaluate")
        rows = metrics.get("rows", [])
        texts = list(dict.fromkeys(row["text"] for row in rows if row["measure"] == "bits_per_byte"))[:CHARTS]
        figures = [plots.bits_per_byte(rows, text) for text in texts] + [None] * (CHARTS - len(texts))
        return [
            verdict(metrics) + notes(metrics.get("notes", []), "quiet") if rows else empty(NOTHING), scorecardhtml.table_html(metrics) if rows else "",
            *map(drawn, figures), scorecardhtml.curves_html(metrics.get("curves", [])), gr.update(visible=bool(metrics.get("examples"))),
            scorecardhtml.examples_html(metrics.get("examples", [])), *table.update(rows), *differences.update(metrics.get("differences", [])),
            *models.update(metrics.get("models", [])), scorecardhtml.report_html(metrics, made_by(job)) if rows else "", gr.update(visible=bool(rows)),
        ]  # fmt: skip

    outputs = [said, card, *charts, curves, examples, shown, *table.parts, *differences.parts, *models.parts, report, save]
    panel.finished.change(guarded(show), panel.finished, outputs, **shell.quiet)
    tasks = form.component("tasks")
    shell.filled(form, upload.upload(guarded(added), [tasks, upload], tasks, **shell.quiet))


def compared(chain: Chain) -> list[str]:
    """The chat models of the journey where LEP has made one, else its base models; before anything is made, what it starts from."""
    if chain.lep:
        return [m for m in (chain.instruct, chain.lep) if m]
    return chain.models if len(chain.models) > 1 else [m for m in (chain.source, chain.instruct) if m]


def of_demo(reference: str) -> str | None:
    """The demo's own questions and choices, in the language of its text."""
    return reference if reference in REQUESTS else None


SUGGEST = {
    "models": compared,
    "text": lambda c: c.text,
    "source_text": lambda c: c.source_text,
    "pairs": lambda c: c.pairs,
    "questions": lambda c: of_demo(c.text),
    "source_questions": lambda c: of_demo(c.source_text),
    "choices": lambda c: of_demo(c.text),
    "source_choices": lambda c: of_demo(c.source_text),
    "copy_request": lambda c: REQUESTS.get(c.text),
    "source_copy_request": lambda c: REQUESTS.get(c.source_text),
}


def added(tasks: str, files: list[str] | None) -> str:
    """The task files with those that were just uploaded behind them; each is looked at, so that a fault shows at once."""
    from ...evaluation import read_task

    for file in files or []:
        read_task(file)
    return ", ".join([*(part.strip() for part in tasks.split(",") if part.strip()), *(files or [])])


def made_by(job: str) -> str:
    """The command of the job that measured."""
    from ... import jobs

    shot = next((s for s in recent(("evaluate",)) if s.id == job), None)
    return command_line(steps.from_json(jobs.open_job(job).spec)) if shot else ""


def verdict(metrics: dict[str, Any]) -> str:
    """Every model against the control in words: clearly better, clearly worse, and in how many measures neither."""
    said = []
    for model in dict.fromkeys(row["model"] for row in metrics.get("differences", [])):
        mine = [row for row in metrics["differences"] if row["model"] == model and row["measure"] in COLUMNS and COLUMNS[row["measure"]].better]
        sorted_: dict[bool | None, list[str]] = {True: [], False: [], None: []}
        for row in mine:
            better = (row["difference"] < 0) == (COLUMNS[row["measure"]].better == "fewer") if row["clear"] else None
            sorted_[better].append(f"{COLUMNS[row['measure']].title} ({row['side']})")
        parts = [f"clearly {word} in {', '.join(sorted_[key])}" for key, word in ((True, "better"), (False, "worse")) if sorted_[key]]
        parts.append(f"no clear difference in {len(sorted_[None])} of {len(mine)} measures")
        kind = "warning" if len(sorted_[False]) > len(sorted_[True]) else "good"
        said.append(notes([f"{model} against {metrics['control']}: {'; '.join(parts)}."], kind))
    return "".join(said)
