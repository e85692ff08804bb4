"""Race: several methods on one course; bits per byte right after the transfer, and while the tables learn."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ... import jobs, refs, steps, transferplots
from ...errors import WorkbenchError
from ..forms import Form
from ..messages import empty, guarded, notes
from ..panel import JobPanel, Snapshot
from ..shell import Shell
from ..tables import Table, drawn, figure
from . import cards

ABOUT = """Each method fills the new vectors; then only the tables are trained for some steps, on the same text in the same order. Bits per byte of
held-out text can be compared across vocabularies. The dotted line is the original model with its own tokenizer."""
NOTHING = "No race has been run yet. It needs a model, a tokenizer with new tokens and a text: load the demo, make a tokenizer, choose two or three methods."
SPOKEN = {"at_start": "bits_per_byte_at_step_0", "at_end": "bits_per_byte_at_the_end", "low": "best_seed", "high": "worst_seed"}
PREFIX = "bits_per_byte_"
ASKED = ("methods", "donor", "vectors", "source_vectors", "pairs")  # what decides who of the methods can run


def build(shell: Shell) -> None:
    gr.Markdown(ABOUT, elem_classes="quiet-text")
    suggest = {
        "model": lambda c: c.source, "tokenizer": lambda c: c.tokenizer, "text": lambda c: c.text, "donor": cards.donor, "vectors": lambda c: c.text,
        "source_vectors": lambda c: c.source_text, "pairs": lambda c: c.pairs, "methods": lambda c: ["subtokens", "salt", "random"] if cards.donor(c) else None,
    }  # fmt: skip
    form = Form(steps.find("race"), suggest, first=("model", "tokenizer", "text", "methods", "steps", "seeds"), columns=3)
    lacking = gr.HTML("", elem_id="race-needs")
    with gr.Column(render=False) as live:
        said = gr.HTML(empty(NOTHING), elem_id="race-result")
        with gr.Row():
            with gr.Column(min_width=340):
                start = figure()
            with gr.Column(min_width=340):
                course = figure()
        summary = Table("The race in short", "race")
        rows = Table("Every measurement", "race-rows", 320)

    def watch(shot: Snapshot) -> list[Any]:
        found, text, finished = rows_of(shot), text_of(shot), (shot.result or {}).get("metrics", {})
        some = any(row["method"] != transferplots.ORIGINAL for row in found)
        return [
            race_html(shot, found), drawn(transferplots.race_start(found, text) if some else None),
            drawn(transferplots.race_course(found, text) if some else None),
            *summary.update([spoken(row) for row in finished.get("summary", [])]), *rows.update(finished.get("rows", [])),
        ]  # fmt: skip

    JobPanel(shell, form, "Start the race", live=watch, outputs=[said, start, course, *summary.parts, *rows.parts])
    live.render()
    held = [form.component(name) for name in ASKED]
    shell.gather([*(c.input for c in held), shell.offered.change], guarded(needs_html), held, lacking, trigger_mode="always_last", **shell.quiet)


def needs_html(*values: Any) -> str:
    """Who of the runners lacks something: it would be left out. `values`: of ASKED."""
    given = {knob: value for knob, value in zip(ASKED, values, strict=True) if value}
    try:
        runners = steps.find("race")(model="-", tokenizer="-", text="-", **given).runners()
    except WorkbenchError as error:
        return notes([str(error)])
    lacking = [said for method in runners.values() if (said := cards.unmet(method, "pairs"))]
    return notes([f"{said} It will be left out of the race." for said in lacking])


def rows_of(shot: Snapshot) -> list[dict[str, Any]]:
    """The measurements so far: of a race that has ended its rows, of one that runs what it has told. A seed begins where the steps begin anew."""
    if shot.result:
        return shot.result["metrics"].get("rows", [])
    rows: list[dict[str, Any]] = []
    seeds: dict[str, int] = {}
    for told in shot.metrics:
        for key, value in told.items():
            if key.startswith(PREFIX) and "step" in told:
                name = key.removeprefix(PREFIX)
                if told["step"] == 0:
                    seeds[name] = seeds.get(name, -1) + 1
                rows.append({"method": name, "seed": seeds.get(name, 0), "step": told["step"], "bits_per_byte": value})
    return rows


def text_of(shot: Snapshot) -> str:
    """The text that was raced on, by name."""
    try:
        return refs.label(str(jobs.open_job(shot.id).spec.get("text", "")))
    except WorkbenchError:
        return ""


def race_html(shot: Snapshot, rows: list[dict[str, Any]]) -> str:
    """Who is ahead, and who could not run."""
    if not rows:
        return empty("Bits per byte appear here as soon as the first method has been measured." if not shot.ended else NOTHING)
    metrics = (shot.result or {}).get("metrics", {})
    return notes(verdict(metrics.get("summary", []), rows), "good") + notes(metrics.get("notes", []))


def verdict(summary: list[dict[str, Any]], rows: list[dict[str, Any]]) -> list[str]:
    """The best at the start and at the end, and who needs fewest steps to be as good as random rows are at the end."""
    ran = [row for row in summary if row["method"] != transferplots.ORIGINAL]
    if not ran:
        return []
    last = max(row["step"] for row in rows)
    best = min(ran, key=lambda row: row["at_start"])
    said = [f"At step 0 {best['method']} is best: {best['at_start']:.3f} bits per byte."]
    ended = [row for row in ran if row["at_end"] is not None]
    if ended and last:
        first = min(ended, key=lambda row: row["at_end"])
        spread = f" ({first['low']:.3f} to {first['high']:.3f} over its seeds)" if first["seeds"] > 1 else ""
        said.append(f"After {last:,} steps {first['method']} is best: {first['at_end']:.3f}{spread}.")
    quick = [row for row in ran if row["steps_to_random"] is not None and row["method"] != "random"]
    if quick and last:
        said.append(
            "Steps to what random rows reach by the end: " + ", ".join(f"{row['method']} {row['steps_to_random']:,}" for row in quick) + f"; random {last:,}."
        )
    return said


def spoken(row: dict[str, Any]) -> dict[str, Any]:
    return {SPOKEN.get(key, key): value for key, value in row.items()}
