"""LEP: three models, whether they fit each other, the map between them, and what it is worth."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ... import refs, specs, steps, store, transferplots
from ...transfer.lep import HOPELESS
from ..forms import Form, code_of
from ..messages import empty, guarded, notes, numbers
from ..panel import JobPanel, metrics_of
from ..shell import Shell, code_block, code_html
from ..tables import Table, drawn, figure
from .previews import size

ABOUT = """Do this after training. The layers of the chat model stay; only its tables change: the trained tables, mapped from the base to the chat model.
**swap** takes the trained tables as they are, **overlap** learns the map on shared tokens, **conversion** on all tokens through their old pieces."""
NOTHING = "No LEP yet. It needs the base, the trained model and the chat model; the three fill themselves in as you go."
PICKERS = ("base", "adapted", "instruct")


def build(shell: Shell) -> None:
    gr.Markdown(ABOUT, elem_classes="quiet-text")
    suggest = {"base": lambda c: c.source, "adapted": lambda c: c.trained or c.transfer, "instruct": lambda c: c.instruct}
    form = Form(steps.find("lep"), suggest, columns=3)
    with gr.Row(elem_classes="run-row"):
        ask = gr.Button("Check the three models", size="md", scale=0, min_width=220, elem_id="check-lep")
    code = code_block()
    checked = gr.HTML("", elem_id="lep-check")
    sides = Table("The three models", "lep-models", 220)
    panel = JobPanel(shell, form, "Run LEP")
    said = gr.HTML(empty(NOTHING), elem_id="lep-result")
    with gr.Row():
        with gr.Column(min_width=340):
            fit = figure()
        with gr.Column(min_width=340):
            table = Table("Diagnostics of the fit", "lep", 330, wrap=True)

    def check(*references: str | None) -> list[Any]:
        step = specs.build(steps.find("lep.check"), {name: value for name, value in zip(PICKERS, references, strict=True) if value})
        metrics = store.run(step).metrics
        named = [{"role": row["role"], "model": refs.label(getattr(step, row["role"])), **row} for row in metrics.get("models", [])]
        return [check_html(metrics), code_html(code_of(step)), *sides.update(named)]

    def show(job: str) -> list[Any]:
        metrics = metrics_of(job, "lep")
        mapped = any("r2_map" in (metrics.get(which) or {}) for which in ("input", "output"))
        return [lep_html(metrics) if metrics else gr.skip(), drawn(transferplots.lep_fit(metrics) if mapped else None), *table.update(diagnostics(metrics))]

    shell.gather(
        ask.click, guarded(check), [form.component(name) for name in PICKERS], [checked, code, *sides.parts], show_progress="minimal",
        show_progress_on=checked, api_visibility="private",
    )  # fmt: skip
    panel.finished.change(guarded(show), panel.finished, [said, fit, *table.parts], **shell.quiet)


def check_html(metrics: dict[str, Any]) -> str:
    """Whether the base is the chat model's own, with the number, and what the result will be."""
    good = []
    for which in ("input", "output"):
        fit = metrics.get(which) or {}
        values = [fit[key] for key in ("r2_swap", "r2_map") if fit.get(key) is not None]
        if values and max(values) >= HOPELESS:
            good.append(
                f"The {which} tables of base and chat model agree: {_explained(fit)} (R² of {fit['rows']:,} sampled rows; 1 is perfect, strangers are near 0)."
            )
    figures = {
        "shared tokens": metrics.get("shared_tokens"), "tokens only the chat model has": metrics.get("added_tokens"),
        "rows of the result": metrics.get("rows_after"),
        "to be written": size(metrics["bytes_needed"]) if metrics.get("bytes_needed") is not None else None, "tied": metrics.get("tied"),
        "layers that were trained too": metrics.get("layers_changed"),
    }  # fmt: skip
    if good and not metrics.get("warnings"):
        good.append("The three models fit each other.")
    return numbers(figures) + notes(good, "good") + notes(metrics.get("warnings", []))


def _explained(fit: dict[str, Any]) -> str:
    said = f"left as they are, the base's vectors explain {fit['r2_swap']:.3f} of the chat model's"
    return said if fit.get("r2_map") is None else f"{said}, through a map {fit['r2_map']:.3f}"


def lep_html(metrics: dict[str, Any]) -> str:
    """Whether the map beat swap, in words."""
    fits = {which: metrics[which] for which in ("input", "output") if metrics.get(which)}
    said = "".join(notes([_verdict(which, fit)], "good" if _beats(fit) else "warning") for which, fit in fits.items() if "r2_map" in fit)
    if metrics.get("variant") == "swap":
        said += notes(["swap puts the trained tables into the chat model as they are; there is no map to judge."], "good")
    figures: dict[str, Any] = {"variant": metrics.get("variant"), "rows": metrics.get("rows"), "added tokens": metrics.get("added_tokens")}
    figures["tied"] = metrics.get("tied")
    for which, fit in fits.items():
        if "rank" in fit:
            figures |= {f"rank of {fit.get('width', '?')}, {which}": fit["rank"], f"condition, {which}": fit.get("condition")}
            figures[f"‖D−I‖ / ‖I‖, {which}"] = fit.get("distance_from_identity")
    if metrics.get("bytes_written"):
        figures["written"] = size(metrics["bytes_written"])
    return numbers(figures) + said  # the step's warnings stand in the job's own lines


def _beats(fit: dict[str, Any]) -> bool:
    return fit["r2_map"] > fit["r2_swap"] + 1e-9


def _verdict(which: str, fit: dict[str, Any]) -> str:
    mapped, left = fit["r2_map"], fit["r2_swap"]
    better = "the map is better" if _beats(fit) else "swap would be no worse"
    return f"{which.capitalize()} table: the map explains {mapped:.3f} of held-out rows, leaving the vectors as they are {left:.3f}; {better}."


# How the page calls what a fit reports.
NAMES = {
    "rank": "rank of the Gram matrix", "width": "width", "rows": "rows fitted", "condition": "condition of the Gram matrix", "ridge": "ridge λ",
    "solver": "solver",
    "r2_map": "held-out R², map", "r2_swap": "held-out R², swap", "held_out_rows": "held-out rows", "distance_from_identity": "‖D−I‖ / ‖I‖",
    "precision": "precision of the products", "seconds": "seconds",
}  # fmt: skip


def diagnostics(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each diagnostic, the two tables side by side."""
    fits = {which: metrics[which] for which in ("input", "output") if metrics.get(which)}
    keys = dict.fromkeys(key for fit in fits.values() for key, value in fit.items() if not isinstance(value, (list, dict)))
    return [{"measure": NAMES.get(key, key.replace("_", " ")), **{which: fit.get(key) for which, fit in fits.items()}} for key in keys]
