"""Spaces: what adaptation did to the embedding space, as a picture, and in numbers that do not depend on it."""

from __future__ import annotations

from functools import lru_cache
from html import escape
from typing import Any

import gradio as gr

from ... import spacehtml, spaceplots, specs, steps, store
from ...errors import WorkbenchError
from ..chain import Chain
from ..forms import Form
from ..messages import empty, guarded, notes, numbers
from ..panel import JobPanel, metrics_of
from ..shell import Shell
from ..spaces import explorer, lives
from ..tables import Table, drawn, figure

NAME = "Spaces"
ABOUT = (
    "Where tokens lie, before and after. Draw one space or several in one frame, ask any point who its neighbours are, and read the numbers beside the picture."
)
NOTHING = "Nothing is drawn yet. Load the demo on the left and press “Draw now”; after a transfer the picture shows the original and the adapted model."
COLOURS = ("state", "script", "cluster", "space", "norm", "frequency", "displacement", "relative")
VIEWS = ("side by side", "before", "after", "together")
AT_ONCE = ("pca", "axis")
LISTED = 500  # of a selection; the file has all
MOVED = 50


def build(shell: Shell) -> None:
    suggest = {"spaces": stages, "dictionary": lambda c: c.pairs, "text": lambda c: c.text}
    form = Form(steps.find("spaces.project"), suggest, columns=3, first=("spaces", "method", "sample", "dictionary", "text"))
    with gr.Row(elem_classes="run-row"):
        draw = gr.Button("Draw now", variant="primary", scale=0, min_width=170, elem_id="draw-spaces")
        gr.Markdown("Principal components and your own axis are drawn at once; UMAP is a job, which you can leave and stop.", elem_classes="quiet-text")
    panel = JobPanel(shell, form, "Draw as a job", check=is_slow)
    said = gr.HTML(empty(NOTHING), elem_id="spaces-note")
    shown = gr.State("")
    with gr.Row(visible=False) as controls:
        about = {"colour": "What the colour of a point says.", "view": "Linked panes; only the first or last space; or all in one pane."}
        colour = gr.Dropdown(COLOURS, value="state", label="Colour by", info=about["colour"], elem_id="space-colour", scale=2, min_width=150)
        view = gr.Radio(VIEWS, value=VIEWS[0], label="View", info=about["view"], elem_id="space-view", scale=5, min_width=340)
        lines = gr.Checkbox(True, label="Lines", info="Join translations.", elem_id="space-lines", scale=1, min_width=110)
    with gr.Row():
        with gr.Column(scale=7, min_width=480):
            picture = explorer.component()
            caption = gr.HTML("", elem_id="space-caption")
        with gr.Column(scale=3, min_width=280):
            measured = gr.HTML("", elem_id="space-numbers")
            bars = figure()
    life = gr.HTML("", elem_id="space-life")
    selection = gr.HTML("", elem_id="space-selection")
    chosen = Table("Chosen points", "chosen-points", 320)
    moved = Table("Tokens that moved most from the first space to the last, for how near their neighbours are", "most-moved", 300)
    table = Table("All numbers, among full vectors, with 95 % intervals", "space-numbers", 340)
    by_script = Table("Each space by itself: lengths, anisotropy, hubs", "space-statistics", 300)

    def draw_now(*values: Any) -> Any:
        step = form.read(*values)
        if step.method not in AT_ONCE:
            raise WorkbenchError(f"{step.method} takes a while; press “Draw as a job”.")
        step = step.model_copy(update={"near": 0})
        step.picture()
        return step.place.name

    def show(key: str, colour: str, view: str, lines: bool) -> Any:
        if not key:
            return gr.skip()
        made = explorer.opened(key)
        colour = colour if colour in available(made) else "state"
        view = view if len(made.names) > 1 else VIEWS[0]
        several, paired = len(made.names) > 1, bool(len(made.lines))
        return [
            "", gr.update(visible=True), gr.update(choices=available(made), value=colour), gr.update(visible=several), gr.update(visible=paired),
            gr.update(value=explorer.value(key, colour, view, lines), visible=True), caption_html(made), "", "", *chosen.update([]),
            *moved.update(farthest(made)),
        ]  # fmt: skip

    def redraw(key: str, colour: str, view: str, lines: bool) -> Any:
        return explorer.value(key, colour, view, lines)

    def measure(key: str) -> Any:
        if not key:
            return gr.skip()
        found = metrics_for(explorer.opened(key), key)
        what = next((w for w in ("translations", "held-out anchors") if any(row["measure"].startswith(f"{w}, hit@1") for row in found["rows"])), None)
        chart = spaceplots.numbers(found["rows"], what) if what else None
        return [numbers_html(found), drawn(chart), *table.update(found["rows"]), *by_script.update(found["spaces"])]

    def ask(key: str, event: gr.EventData) -> str:
        made = explorer.opened(key)
        return spacehtml.life_html(lives.life_of(made, explorer.row_of(event._data, made)))

    def choose(key: str, event: gr.EventData) -> list[Any]:
        made = explorer.opened(key)
        rows = explorer.rows_of(event._data, made)
        return [selection_html(len(rows)), *chosen.update(explorer.listed(made, rows[:LISTED]))]

    shell.gather(draw.click, guarded(draw_now), form.inputs, shown, show_progress="minimal", show_progress_on=said, api_visibility="private")
    panel.finished.change(guarded(drawn_by), panel.finished, shown, **shell.quiet)
    parts = [said, controls, colour, view, lines, picture, caption, life, selection, *chosen.parts, *moved.parts]
    looks = [shown, colour, view, lines]
    numbers_parts = [measured, bars, *table.parts, *by_script.parts]
    shell.gather(shown.change, guarded(show), looks, parts, **shell.quiet).then(
        guarded(measure), shown, numbers_parts, show_progress="minimal", show_progress_on=measured, api_visibility="private"
    )
    shell.gather([colour.input, view.input, lines.input], guarded(redraw), looks, picture, trigger_mode="always_last", **shell.quiet)
    picture.click(guarded(ask), shown, life, **shell.quiet)
    picture.select(guarded(choose), shown, [selection, *chosen.parts], trigger_mode="always_last", **shell.quiet)


def stages(chain: Chain) -> list[str]:
    """The models of the journey in their order; the last one is the frame."""
    return list(dict.fromkeys(m for m in (chain.source, chain.trained or chain.transfer, chain.lep) if m))


def drawn_by(job: str) -> Any:
    """The picture of a job, unless it is no longer kept."""
    key = metrics_of(job, "spaces.project").get("key", "")
    if not key:  # no such job has ended yet: the page has only been opened
        return gr.skip()
    try:
        explorer.opened(key)
    except WorkbenchError:
        return gr.skip()
    return key


def is_slow(step: Any) -> None:
    """Raise WorkbenchError for what needs no job."""
    if step.method in AT_ONCE:
        raise WorkbenchError(f"{step.method} is drawn at once; press “Draw now”, or choose UMAP for a job.")


def available(made: Any) -> list[str]:
    """Colours that a picture knows something of."""
    there = [name for name in COLOURS if name in made.points or (name == "space" and len(made.names) > 1)]
    return [name for name in there if name not in ("displacement", "relative", "frequency") or made.points[name].notna().any()]


def caption_html(made: Any) -> str:
    return f'<p class="small space-caption">{escape(made.caption)}</p>' + notes(made.about["notes"], "good")


def selection_html(count: int) -> str:
    more = f" The first {LISTED} are listed; “Selection as CSV” above the picture has all." if count > LISTED else ""
    return f'<p class="small"><b>{count:,}</b> points chosen.{more}</p>'


def farthest(made: Any) -> list[dict[str, Any]]:
    """Of the last space the tokens that moved most."""
    if "relative" not in made.points:
        return []
    last = made.points[made.points["space"] == made.points["space"].max()]
    rows = last[last["displacement"] > 0].nlargest(MOVED, "relative")
    return rows[["token", "id", "state", "script", "relative", "displacement", "norm"]].to_dict("records")


def metrics_for(made: Any, key: str) -> dict[str, Any]:
    """The numbers of a picture's spaces, measured once."""
    about = made.about
    given = {"spaces": tuple(s["reference"] for s in about["spaces"]), "table": about["spaces"][-1]["table"], "dictionary": about["dictionary"]}
    step = specs.build(steps.find("spaces"), {**given, "how": about["how"], "seed": about["seed"]})
    return _measured(step, key)


@lru_cache(maxsize=8)
def _measured(step: Any, _: str) -> dict[str, Any]:
    return store.run(step).metrics


def numbers_html(found: dict[str, Any]) -> str:
    """The numbers that matter most, for each pair of spaces, with their intervals in the table below."""
    said = ""
    for pair in dict.fromkeys(row["spaces"] for row in found["rows"]):
        value = {row["measure"]: row["value"] for row in found["rows"] if row["spaces"] == pair and row["script"] == "all"}
        cards = {label: value.get(name) for name, label in CARDS.items()}
        said += f"<h4><bdi>{escape(pair)}</bdi></h4>{numbers(cards)}"
    return said + notes(found["notes"]) if said else notes(found["notes"]) + '<p class="small">One space by itself: see its numbers below the picture.</p>'


CARDS = {
    "translations, cosine as they are": "cosine of translations", "translations, cosine before": "cosine of translations, before",
    "translations, cosine after": "cosine of translations, after", "translations, hit@1 csls": "translations hit@1, CSLS",
    "translations, hit@10 csls": "translations hit@10, CSLS", "held-out anchors, cosine after": "cosine of held-out anchors", "linear CKA": "linear CKA",
    "neighbours kept of 10": "of 10 neighbours kept",
}  # fmt: skip
