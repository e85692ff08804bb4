"""Chat: the original and the adapted model answer the same question side by side."""

from __future__ import annotations

import html
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import Any

import gradio as gr

from ... import chat as core
from ... import specs, steps
from ...errors import WorkbenchError
from .. import chain
from ..forms import Form, choices, code_of
from ..messages import guarded
from ..shell import Shell, code_block, code_html
from ..tables import SAVE_TEXT

NAME = "Chat"
ABOUT = "One question, two models, the same seed. Enter sends, Esc stops."
SIDES = {"a": "Original", "b": "Adapted"}
EVERY = 0.08  # seconds between two updates of a side
NOTHING = "Load the demo or choose a model above; then ask, for example: Анна живёт в Москве. Мартин живёт в Париже. Где живёт Мартин?"
NO_LEP = "There is no adapted chat model yet: run LEP on the Transfer page, or the whole demo on the Start page."

_stops: dict[tuple[str, str], threading.Event] = {}


def build(shell: Shell) -> None:
    models, talks, stops, histories = {}, {}, {}, {}
    with gr.Row(equal_height=False):
        for side, title in SIDES.items():
            with gr.Column(min_width=320):
                gr.HTML(f'<span class="side-title {side}">{title}</span>')
                models[side] = gr.Dropdown(
                    choices("model"), label=f"{title} model", value=None, allow_custom_value=True, show_label=False, elem_id=f"model-{side}"
                )
                talks[side] = gr.HTML(talk_html(side, []), elem_id=f"talk-{side}")
                stops[side] = gr.Button(f"Stop {title.lower()}", size="sm", interactive=False, elem_id=f"stop-{side}", elem_classes="stop-on-escape")
                histories[side] = gr.State([])
    with gr.Row(equal_height=True):
        question = gr.Textbox(show_label=False, placeholder="Ask both …", lines=1, max_lines=5, scale=5, elem_id="question", container=False, max_length=20_000)
        send = gr.Button("Send", variant="primary", scale=0, min_width=100, elem_id="send")
        fresh = gr.Button("New conversation", scale=0, min_width=180, elem_id="fresh")
        save = gr.Button("Download", scale=0, min_width=110)
    form = Form(steps.find("chat"), hide=("models", "prompt", "device", "dtype"), columns=2)
    code, export = code_block(), gr.Textbox(visible="hidden")

    values, quiet = form.inputs, shell.quiet
    for event in (question.submit, send.click):
        sent = event(guarded(ask), [question, *models.values(), *histories.values()], [question, *histories.values(), *talks.values()], **quiet)
        done = []
        for side in SIDES:
            streamed = sent.success(
                answering(side, form), [models[side], histories[side], *values], [talks[side], histories[side], stops[side]], concurrency_id=f"chat-{side}",
                concurrency_limit=2, stream_every=EVERY, **quiet,
            )  # fmt: skip
            done.append(streamed)
        for streamed in done:
            streamed.then(partial(exported, form), [*models.values(), *histories.values(), *values], [export, code], **quiet)
    for side in SIDES:
        stops[side].click(stopper(side), None, None, queue=False, **quiet)
    fresh.click(lambda: [[], [], talk_html("a", []), talk_html("b", [])], None, [*histories.values(), *talks.values()], **quiet)
    save.click(None, export, None, js=SAVE_TEXT.replace("FILE", "conversation.md").replace("TYPE", "text/markdown"), api_visibility="private")
    offered = gr.State(("", ""))
    shell.world.change(renew, [offered, *models.values()], [offered, *models.values()], **quiet)


def renew(before: tuple[str, str], *current: str | None) -> list[Any]:
    """The chain's chat models, where the user has not chosen others."""
    now = chain.current()
    wanted = (now.instruct, now.lep)
    listed = choices("model")
    updates = [
        gr.update(choices=listed, value=(new or value) if value in (None, "", old) else value) for value, old, new in zip(current, before, wanted, strict=True)
    ]
    return [wanted, *updates]


def ask(question: str, a: str | None, b: str | None, history_a: list, history_b: list) -> list[Any]:
    """Put the question into both conversations."""
    if not question.strip():
        raise WorkbenchError("The question is empty; type something.")
    if not a and not b:
        raise WorkbenchError("No model is chosen; load the demo on the left, or choose one for each side.")
    turn = {"role": "user", "content": question.strip()}
    new = [[*history, turn] for history in (history_a, history_b)]
    return ["", *new, *(talk_html(side, history, writing=True) for side, history in zip(SIDES, new, strict=True))]


def answering(side: str, form: Form) -> Any:
    """The generator that streams one side's reply."""

    def stream(request: gr.Request, model: str | None, history: list[dict[str, Any]], *values: Any) -> Iterator[list[Any]]:
        stop = _stops[(request.session_hash or "", side)] = threading.Event()
        on, off = gr.update(interactive=True), gr.update(interactive=False)
        try:
            if not model:
                raise WorkbenchError(NO_LEP if side == "b" else NOTHING)
            yield [talk_html(side, history, note="loading the model …"), history, on]
            for last, said in replies(model, history, form.read(*values, models=(model,), prompt="-"), stop):
                turns = [*history, said]
                yield [talk_html(side, turns, writing=not last), turns, off if last else on]
        except WorkbenchError as error:
            yield [talk_html(side, history, note=str(error)), history, off]
        except Exception as error:
            yield [talk_html(side, history, note=f"This is a bug in the workbench ({type(error).__name__})."), history, off]
            raise
        finally:
            stop.set()

    return stream


def replies(model: str, history: list[dict[str, Any]], step: Any, stop: threading.Event) -> Iterator[tuple[bool, dict[str, Any]]]:
    """(whether it is the last, the reply as a turn), at most every EVERY seconds."""
    options = core.Sampling(max_tokens=step.max_tokens, temperature=step.temperature, top_p=step.top_p, seed=step.seed)
    messages = [{"role": t["role"], "content": t["content"]} for t in history]
    shown = 0.0
    for reply in core.reply(core.load(model), messages, options, stop):
        now = time.monotonic()
        if reply.finish or now - shown >= EVERY:
            shown = now
            yield bool(reply.finish), {"role": "assistant", "content": reply.text, "stamp": asdict(reply) | {"text": ""}}


def stopper(side: str) -> Any:
    def stop(request: gr.Request) -> None:
        if event := _stops.get((request.session_hash or "", side)):
            event.set()

    return stop


def talk_html(side: str, history: list[dict[str, Any]], writing: bool = False, note: str = "") -> str:
    """A conversation as bubbles; every text escaped and in its own direction."""
    parts = []
    for number, turn in enumerate(history):
        growing = " writing" if writing and number == len(history) - 1 and turn["role"] == "assistant" else ""
        parts.append(f'<div class="turn {turn["role"]}{growing}" dir="auto">{html.escape(turn["content"]) or "&nbsp;"}</div>')
        if turn.get("stamp"):
            parts.append(stamp_html(turn["stamp"]))
    if writing and history and history[-1]["role"] == "user":
        parts.append('<div class="turn assistant writing"></div>')
    if note:
        parts.append(f'<div class="quiet">{html.escape(note)}</div>')
    return f'<div class="talk {side}" role="log" aria-live="polite">{"".join(parts) or f"""<div class="quiet">{html.escape(NOTHING)}</div>"""}</div>'


def stamp_html(stamp: dict[str, Any]) -> str:
    """Which weights answered, how much, and how fast."""
    seconds = max(stamp["seconds"], 1e-9)
    first = stamp["first_seconds"]
    ended = {"eos": "ended by itself", "length": "cut at the limit", "stopped": "stopped", "": "writing"}[stamp["finish"]]
    said = [
        f"{stamp['tokens']} tokens", f"{stamp['tokens'] / seconds:.1f} tokens/s", f"{stamp['characters'] / seconds:.0f} characters/s",
        f"first token after {first:.2f} s" if first else "", ended,
    ]  # fmt: skip
    badge = f'<span class="badge">{html.escape(stamp["script"])}</span>' if stamp["script"] else ""
    weights = f'<span class="badge" title="fingerprint of the weights">weights {html.escape(stamp["fingerprint"])}</span>'
    return f'<div class="stamp">{weights}{badge}{"".join(f"<span>{s}</span>" for s in said if s)}</div>'


def exported(form: Form, a: str | None, b: str | None, history_a: list, history_b: list, *values: Any) -> list[Any]:
    """The conversation as Markdown, and the code that asks the last question again."""
    lines = []
    for title, model, history in ((SIDES["a"], a, history_a), (SIDES["b"], b, history_b)):
        lines.append(f"## {title}: {model or 'no model'}\n")
        for turn in history:
            lines.append(f"**{turn['role']}:** {turn['content']}\n")
            if turn.get("stamp"):
                lines.append(f"`{json.dumps(turn['stamp'], ensure_ascii=False)}`\n")
    last = next((t["content"] for t in reversed(history_a) if t["role"] == "user"), "")
    models = tuple(m for m in (a, b) if m)
    step = form.read(*values, models=models, prompt=last) if last and models else None
    return ["\n".join(lines), code_html(code_of(step)) if isinstance(step, specs.Step) else ""]
