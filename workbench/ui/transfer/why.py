"""Why this vector?: what a token's rows are made of, with what weights, and whom they lie next to."""

from __future__ import annotations

from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any

import gradio as gr

from ... import chiphtml, specs, steps, store, transferplots
from ...errors import WorkbenchError
from ..chips import Stamp, stamp
from ..forms import choices, code_of
from ..messages import empty, guarded, numbers
from ..offering import Offer, offer
from ..shell import Shell, code_block, code_html
from ..tables import Table, drawn, figure

if TYPE_CHECKING:
    from ...transfer.explaining import Explanation, Origin

NOTHING = "Choose a new token to see what its vector is made of. It needs a model that a transfer made: load the demo, make a tokenizer, press “Transfer”."
OFFERED = 2_000  # new tokens in the list; any other may be typed
CHIPS = 24
KINDS = {
    "copy": "copied from the source",
    "mix": "a combination",
    "shared": "one row for many tokens",
    "draw": "drawn at random",
    "product": "a combination of all shared tokens",
}


def build(shell: Shell) -> None:
    with gr.Row():
        model = gr.Dropdown(
            transferred(),
            value=None,
            label="Model",
            info="Made by a transfer, or trained or propagated from one.",
            allow_custom_value=True,
            scale=2,
            elem_id="why-model",
        )
        token = gr.Dropdown(
            [], label="Token", info="New tokens are listed; any other: its text (a space in front where it starts a word) or #id.", allow_custom_value=True,
            scale=2, elem_id="why-token", num_choices_shown=100,
        )  # fmt: skip
        ask = gr.Button("Explain", scale=0, min_width=140, elem_id="why-ask", elem_classes="at-the-end")
    code = code_block()
    said = gr.HTML(empty(NOTHING), elem_id="why-result")
    with gr.Row():
        with gr.Column(min_width=340):
            chart = figure()
            second = figure()
        with gr.Column(min_width=340):
            table = Table("Source tokens and weights", "explanation", 380)
    others = Table("Source tokens and weights of the output table, which is made of others", "explanation-output", 300)
    near = Table("Nearest neighbours in the input table as it is now", "neighbours", 300)

    def explain(reference: str | None, text: str | None) -> list[Any]:
        step = specs.build(steps.find("transfer.explain"), {k: v for k, v in {"model": reference, "token": text}.items() if v})
        found = origin(step.model).explain(int(step.token[1:]) if step.token[:1] == "#" and step.token[1:].isdecimal() else step.token)
        title = "Weights in the input row" if found.output_rows else "Weights of the source tokens"
        return [
            why_html(found), code_html(why_code(step)),
            drawn(transferplots.coefficients(found.rows, title) if len(found.rows) > 1 else None),
            drawn(transferplots.coefficients(found.output_rows, "Weights in the output row") if found.output_rows else None),
            *table.update(found.rows if found.kind != "copy" else []), *others.update(found.output_rows), *near.update(neighbours(found)),
        ]  # fmt: skip

    def newest() -> Offer:
        made = transferred()
        return made, [made[0][1] if made else None]

    def tokens(reference: str | None) -> Any:
        return gr.update(choices=offered(reference))  # what was typed stays

    parts = [said, code, chart, second, *table.parts, *others.parts, *near.parts]
    asked = [ask.click, token.select]
    shell.gather(asked, guarded(explain), [model, token], parts, show_progress="minimal", show_progress_on=said, api_visibility="private")
    shell.gather(model.change, guarded(tokens), [model], token, **shell.quiet)
    offer(shell, [model], newest, follow=False)  # a token and its explanation belong to the model that is chosen


def transferred() -> list[tuple[str, str]]:
    """Models whose vectors can be explained, newest first."""
    from ...transfer.explaining import Origin

    found = []
    for name, reference in choices("model"):
        if store.ID.fullmatch(reference):
            try:
                Origin.open(reference)
            except WorkbenchError:  # no transfer is among what made it, or that one is gone
                continue
            found.append((name, reference))
    return found


def origin(reference: str) -> Origin:
    """A model opened for explanations, once."""
    return _origin(reference, stamp(reference))


@lru_cache(maxsize=4)
def _origin(reference: str, _: Stamp) -> Origin:
    from ...transfer.explaining import Origin

    return Origin.open(reference)


def offered(reference: str | None) -> list[tuple[str, str]]:
    """The new tokens of a model: as they are shown with their id, and as they are asked for."""
    import numpy as np

    from ...transfer.base import COPY

    if not reference:
        return []
    try:
        here = origin(reference)
    except WorkbenchError:  # said when an explanation is asked for
        return []
    new = np.flatnonzero(here.blend.kind != COPY)
    ids = [i for i in new.tolist() if i in here.vocabulary.tokens][:OFFERED]
    return [(f"{here.vocabulary.printable(i)}  #{i}", f"#{i}") for i in ids]


def why_html(found: Explanation) -> str:
    """The token, its sentence, its figures, and chips of what it is made of and of its neighbours."""
    figures = {
        "how": KINDS.get(found.kind, found.kind), "source tokens": found.terms, "residual": found.residual, "length of the input row": found.norm,
        "length of the output row": found.output_norm, "cosine with what the transfer made": found.moved,
    }  # fmt: skip
    rows = {
        "Made of": _terms(found.rows, found.terms) if found.kind != "copy" else "",
        "The output row is made of": _terms(found.output_rows, len(found.output_rows)),
        "Nearest neighbours": _near(found.neighbours),
        "Nearest among kept tokens": _near(found.kept_neighbours),
    }
    lists = "".join(f'<div class="chip-row"><h5>{name}</h5><div class="chips">{chips}</div></div>' for name, chips in rows.items() if chips)
    head = f'<div class="portrait">{chiphtml.plain(found.token, new=found.kind != "copy", below=f"#{found.id}")}</div>'
    sentence = f'<div class="note good" dir="auto">{escape(found.text)}</div>'
    return f'<div class="why-token">{head}<div>{numbers(figures)}{sentence}</div></div>{lists}'


def _terms(rows: list[dict[str, Any]], terms: int) -> str:
    """Blue for what is added, orange for what is taken away, as in the figure."""
    chips = [chiphtml.plain(str(row["token"]), "", int(row["weight"] < 0), about=_about(row), below=f"{row['weight']:+.3f}") for row in rows[:CHIPS]]
    return "".join(chips) + (f"<small>… {terms - CHIPS:,} more</small>" if terms > CHIPS else "")


def _about(row: dict[str, Any]) -> str:
    alike = f" · similarity {row['similarity']:.3f}" if row.get("similarity") is not None else ""
    return f"id {row['id']} · weight {row['weight']:.4f}{alike}"


def _near(rows: list[dict[str, Any]]) -> str:
    return "".join(chiphtml.plain(str(row["token"]), about=f"id {row['id']} · cosine {row['cosine']:.4f}", below=f"{row['cosine']:.3f}") for row in rows)


def neighbours(found: Explanation) -> list[dict[str, Any]]:
    """Both lists as the rows of one table."""
    return [{"among": name, **row} for name, rows in (("all", found.neighbours), ("kept", found.kept_neighbours)) for row in rows]


def why_code(step: Any) -> str:
    """The step, and what shows it in a notebook."""
    token = step.token[1:] if step.token[:1] == "#" and step.token[1:].isdecimal() else repr(step.token)
    return f"{code_of(step)}\n\n# in a notebook\nwb.widgets.explain({step.model!r}, {token})"
