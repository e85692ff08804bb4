"""Replies as HTML that the app and the notebooks share: what a reply is stamped with, its tokens with their probabilities, and the same text cut twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from . import chiphtml

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from .chat import Chosen

Said = Mapping[str, Any]
SHOWN = 400  # tokens of a reply
ENDED = {"eos": "ended by itself", "length": "cut at the limit", "context": "the context is full", "stopped": "stopped", "": "writing"}


def stamp(said: Said, question: str = "", hidden: bool = False, more: str = "") -> str:
    """Which weights answered, how much and how fast, in which script, and whether it repeats itself.

    `hidden`: nothing that tells which model it is. `more`: HTML at its end.
    """
    about = [] if hidden else [_badge(f"weights {said['fingerprint']}", "fingerprint of the weights in use")]
    about += [script(said, question)]
    if said.get("repeated"):
        about.append(_badge(f"repeats “{_short(said['repeated'])}”", "the reply ends in the same piece again and again", "odd"))
    if not hidden:
        first = said.get("first_seconds")
        about += [
            _plain(f"{said['tokens']} tokens, {said['characters']} characters", f"tokenizer: {said.get('tokenizer', '')}"),
            _plain(f"{said['tokens_per_second']:.1f} tokens/s"), _plain(f"{said['characters_per_second']:.0f} characters/s"),
            _plain(f"first token after {first:.2f} s" if first is not None else "", "without the time in which others had their turn"),
            _plain(f"context {said['prompt_tokens'] + said['tokens']} of {said['context']}", "tokens of conversation and reply, of those that the model reads"),
        ]  # fmt: skip
    about.append(_plain(ENDED[said["finish"]]))
    notes = "" if hidden else "".join(f'<div class="said-note">{escape(note)}</div>' for note in said.get("notes", ()))
    return f'<div class="stamp">{"".join(about)}{more}</div>{notes}'


def words(text: str) -> str:
    """What was said. Bytes that are no character stand as such: the sign that decoding puts there looks like one."""
    return escape(text).replace("\ufffd", '<i title="bytes that are no character">⟨?⟩</i>') or "<i>(nothing)</i>"


def script(said: Said, question: str = "") -> str:
    """The badge of the script; it stands out where the question is in another one."""
    if not said.get("script"):
        return ""
    from .corpus.scripts import main_script

    asked = main_script(question)
    odd = bool(asked) and asked != said["script"]
    share = f" {100 * said['script_share']:.0f} %" if said.get("script_share") else ""
    return _badge(f"{said['script']}{share}", f"script of the letters; the question is in {asked}" if odd else "script of the letters", "odd" if odd else "")


def tokens(title: str, chosen: Sequence[Chosen], text: str = "") -> str:
    """The tokens of a reply, each with its probability below and the likeliest tokens at its place when it is pointed at or reached by keyboard."""
    cells = "".join(_choice(each) for each in chosen[:SHOWN])
    more = f'<div class="note">Only the first {SHOWN} of {len(chosen):,} tokens are shown.</div>' if len(chosen) > SHOWN else ""
    mean = sum(each.probability for each in chosen) / max(len(chosen), 1)
    head = f"<h5><bdi>{escape(title)}</bdi> <span>{len(chosen)} tokens, chosen with {100 * mean:.0f} % probability on average</span></h5>"
    return f'<div class="chip-row">{head}<div class="chips choices" dir="{chiphtml.direction(text)}">{cells}</div>{more}</div>'


def _choice(each: Chosen) -> str:
    others = "".join(f"<tr><td><bdi>{_visible(text)}</bdi></td><td>{_percent(share)}</td></tr>" for text, share in each.alternatives)
    chip = chiphtml.plain(each.shown, chiphtml.kind_of(each.kind, each.bytes), below=_percent(each.probability))
    strength = round(100 * (1 - each.probability))
    return f'<span class="choice" tabindex="0" style="--doubt: {strength}%">{chip}<table class="others">{others}</table></span>'


def same_text(text: str, tokenizers: Mapping[str, PreTrainedTokenizerFast]) -> str:
    """One text under each of several tokenizers, a row each; tokens that the first one lacks are marked as new."""
    rows, known, text = [], None, text.replace("\ufffd", "")
    for name, tokenizer in tokenizers.items():
        rows.append(chiphtml.row(name, tokenizer, text, known))
        known = frozenset(tokenizer.get_vocab()) if known is None else known
    return "".join(rows)


def _visible(shown: str) -> str:
    return "".join(f"<i>{c}</i>" if c in "␣⏎⇥␍" else escape(c) for c in shown) or "∅"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.095 else f"{100 * share:.1f} %" if share >= 0.0005 else "< 0.1 %"


def _badge(text: str, about: str = "", kind: str = "") -> str:
    return f'<span class="{" ".join(filter(None, ("badge", kind)))}" title="{escape(about)}"><bdi>{escape(text)}</bdi></span>'


def _plain(text: str, about: str = "") -> str:
    return f'<span title="{escape(about)}">{escape(text)}</span>' if text else ""


def _short(text: str) -> str:
    return text if len(text) <= 24 else text[:23] + "…"
