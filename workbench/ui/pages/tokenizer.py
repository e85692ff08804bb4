"""Tokenizer: extend a vocabulary, see how it cuts text, and read what was added."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ... import refs, steps, store
from ...errors import WorkbenchError
from .. import chain
from ..chips import row_html
from ..forms import Form, choices
from ..messages import empty, guarded, notes, numbers
from ..panel import JobPanel, recent
from ..shell import Shell
from ..tables import Table

NAME = "Tokenizer"
ABOUT = "Add tokens of the new language to a vocabulary without moving an old one, then see how the same text is cut before and after."
EXAMPLE = "Учительница живёт в Москве и работает в библиотеке. Martin lives in Paris."
CHARACTERS = 1_500  # of the live text
TOKENS = 3_000  # of the list of new tokens
DEMO_TOKENS = 1_000  # the demo world has hardly more words


def build(shell: Shell) -> None:
    suggest = {
        "base": lambda c: c.source,
        "text": lambda c: c.text,
        "script": lambda c: c.script,
        "new_tokens": lambda c: DEMO_TOKENS if c.source.startswith("demo:") else None,
    }
    form = Form(steps.find("tokenizer.extend"), suggest, first=("base", "text", "new_tokens", "script"))
    panel = JobPanel(shell, form, "Extend the tokenizer")
    result = gr.HTML(
        empty("No tokenizer has been extended yet. Load the demo on the left and press “Extend the tokenizer”: a few seconds."), elem_id="extend-result"
    )
    gr.Markdown("### Explore\nType anything. Each chip is one token; a dashed chip is a part of a character, shown as its bytes.", elem_classes="section")
    with gr.Row():
        text = gr.Textbox(EXAMPLE, label="Text", lines=3, max_lines=8, scale=3, elem_id="explore-text", max_length=20_000)
        compared = gr.Dropdown(
            choices("tokenizer"),
            label="Tokenizers",
            info="Two or more to compare.",
            multiselect=True,
            allow_custom_value=True,
            scale=2,
            elem_id="explore-tokenizers",
        )
    cut = gr.HTML(empty("Choose at least one tokenizer, or load the demo."), elem_id="explore-chips")
    gr.Markdown("### New tokens", elem_classes="section")
    listed = Table("Tokens that the newest extension added, in the order they were learned", "new-tokens")
    none = gr.HTML(empty("The tokens appear here once a tokenizer has been extended."))

    def finished(job: str) -> list[Any]:
        found = next((s for s in recent(("tokenizer.extend",)) if s.id == job), None)
        made = (found.result or {}).get("id") if found else None
        if not made or not (store.folder() / made).exists():
            return [gr.skip()] * 4
        rows = new_tokens(made)
        return [result_html(found.result["metrics"]), gr.update(visible=not rows), *listed.update(rows)]

    def renew(current: list[str]) -> Any:
        now = chain.current()
        wanted = [r for r in (now.source, now.tokenizer) if r]
        kept = [r for r in current or [] if r not in wanted]
        return gr.update(choices=choices("tokenizer"), value=wanted + kept if wanted else current)

    panel.finished.change(guarded(finished), panel.finished, [result, none, *listed.parts], **shell.quiet)
    shell.world.change(renew, compared, compared, **shell.quiet)
    gr.on(
        [text.change, compared.change], guarded(explore), [text, compared], cut, trigger_mode="always_last", concurrency_limit=2, **shell.quiet
    )  # fmt: skip


def explore(text: str, references: list[str]) -> str:
    """The same text under each tokenizer, as rows of chips."""
    if not references:
        return empty("Choose at least one tokenizer, or load the demo.")
    shown = text[:CHARACTERS]
    rows = []
    base = None
    for reference in references[:6]:
        try:
            rows.append(row_html(refs.label(reference), reference, shown, base))
        except WorkbenchError as error:
            rows.append(notes([str(error)]))
        base = base or reference
    return "".join(rows) + (notes([f"Only the first {CHARACTERS:,} characters are shown."]) if len(text) > CHARACTERS else "")


def result_html(metrics: dict[str, Any]) -> str:
    plain = {k: v for k, v in metrics.items() if isinstance(v, (int, float)) and not isinstance(v, bool)}
    return numbers(plain) + notes([str(w) for w in metrics.get("warnings", [])])


def new_tokens(reference: str) -> list[dict[str, Any]]:
    """What an extension added: every token of the result that its base does not have."""
    from ...tokenizer import load
    from ...vocab import Vocabulary

    base = store.open_artefact(reference).step.base
    old, vocabulary = Vocabulary(load(base)), Vocabulary(load(reference))
    known = {old.token(i) for i in range(old.size)}
    added = [i for i in range(vocabulary.size) if vocabulary.token(i) not in known]
    return [{"id": i, "token": vocabulary.printable(i), "bytes": len(vocabulary.identity(i).bytes)} for i in added[:TOKENS]]
