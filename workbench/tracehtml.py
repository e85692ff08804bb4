"""Traces and biographies of tokens in HTML that the app and the notebooks share."""

from __future__ import annotations

from html import escape
from itertools import accumulate
from typing import TYPE_CHECKING

from .chiphtml import direction, kind_of, plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .tokenizer.biographies import Biography
    from .tokenizer.engines import Node, Piece, State, Word
    from .tokenizer.lattice import Edge, Lattice
    from .tokenizer.tracing import Trace

DRAWN = 6_000  # pieces of a trace that are drawn, of all words: half a megabyte
WIDTH = 40  # pieces of a state that are drawn, around the next merge
OPEN = 2  # words of a trace that are unfolded at first
WIDE = 30  # characters of a lattice that are drawn
EDGES = 90
HOW = {
    "merged": "merged from the alphabet up",
    "whole": "is a token, so this tokenizer takes it whole, whatever the merges say",
    "added": "an added token, cut out before all else",
    "lattice": "the most probable of all ways to cut it",
    "longest match": "the longest token that fits, from the left",
    "looked up": "looked up as a whole",
}
MADE = {
    "alphabet": "belongs to the alphabet that merging starts from",
    "merged": "merged",
    "score": "chosen by its probability",
    "listed": "stands in the list of tokens; nothing makes it",
    "byte": "a byte piece, for characters that no token has",
    "special": "special: put there by position or by name, never learned from text",
    "added": "added beside the model; found in the text before the model sees it",
    "unreachable": "no merge makes it: the model cuts its text otherwise",
}


def trace_html(trace: Trace) -> str:
    """Every word with its steps; the first ones unfolded."""
    sizes = accumulate(sum(min(len(state.pieces), WIDTH) for state in word.states) for word in trace.words)
    followed = sum(n == 0 or size <= DRAWN for n, size in enumerate(sizes))
    steps = [_word(word, n, n < followed) for n, word in enumerate(trace.words)]
    cut = [f"Only the steps of the first {followed:,} words are drawn."] if followed < len(steps) else []
    notes = "".join(f'<div class="note">{escape(note)}</div>' for note in (*trace.notes, *cut))
    return f'<div class="trace">{"".join(steps)}{notes}</div>'


def _word(word: Word, number: int, drawn: bool) -> str:
    way = "" if not drawn else _lattice(word.lattice) if word.lattice else _states(word.states)
    last = f"{len(word.ids)} token{'s' * (len(word.ids) != 1)}"
    head = f'<b dir="{direction(word.shown)}"><bdi>{escape(word.shown)}</bdi></b> <span>{last}; {HOW[word.how]}</span>'
    if not way:
        return f'<div class="traced">{head}</div>'
    return f'<details class="traced"{" open" * (number < OPEN)}><summary>{head}</summary>{way}</details>'


def _states(states: Iterable[State]) -> str:
    rows = []
    for n, state in enumerate(states):
        side = direction("".join(piece.shown for piece in state.pieces) + state.rest)
        rest = f'<span class="left"><bdi>{escape(state.rest)}</bdi></span>' if state.rest else ""
        said = f"merge {state.rank:,} → {_piece(state.product)}" if state.product else ""
        rows.append(f'<tr><td>{n}</td><td><div class="chips" dir="{side}">{_cells(state)}{rest}</div></td><td>{said}</td></tr>')
    return f'<table class="steps">{"".join(rows)}</table>' if rows else ""


def _cells(state: State) -> str:
    """The pieces of a state; of many only those around the next merge, with how many there are before and behind them."""
    size = len(state.pieces)
    first = 0 if state.at is None else max(min(state.at - WIDTH // 2, size - WIDTH), 0)
    window = range(first, min(first + WIDTH, size))
    cells = [_piece(state.pieces[i], joining=state.at is not None and i in (state.at, state.at + 1)) for i in window]
    before, behind = (f"<small>… {count:,} more</small>" if count else "" for count in (first, size - window.stop))
    return before + "".join(cells) + behind


def _piece(piece: Piece, joining: bool = False, click: bool = False) -> str:
    kind = kind_of(piece.kind, piece.bytes)
    return plain(piece.shown, f"{kind} joining" if joining else kind, about=f"id {piece.id}", click=piece.id if click else None)


def _lattice(lattice: Lattice) -> str:
    """Pieces as bars over the characters: the best path first, then the runner-up, then what else fits, in as few lines as it takes."""
    size = min(len(lattice.characters), WIDE)
    seen = [edge for edge in lattice.edges if edge.end <= size]
    order = sorted(seen, key=lambda e: (not e.best, not e.runner_up, -e.score))[:EDGES]
    bars, lanes = [], [[False] * size for _ in range(2)]
    for edge in order:
        lane = 0 if edge.best else next((n for n, taken in enumerate(lanes) if n and not any(taken[edge.start : edge.end])), len(lanes))
        if lane == len(lanes):
            lanes.append([False] * size)
        lanes[lane][edge.start : edge.end] = [True] * (edge.end - edge.start)
        bars.append(_bar(edge, lane + 2))
    letters = "".join(f'<b style="grid-area:1/{n + 1}"><bdi>{escape(c)}</bdi></b>' for n, c in enumerate(lattice.characters[:size]))
    cut = len(lattice.edges) - len(order)
    more = f" {cut:,} pieces of the lattice are not drawn." if cut else ""
    second = "" if lattice.runner_up_score is None else f" Runner-up (dashed): {lattice.runner_up_score:.2f}."
    about = f"{lattice.paths:,} ways to cut it. Best (filled): log-probability {lattice.score:.2f}.{second}{more}"
    side = direction("".join(lattice.characters))
    return f'<p class="small">{about}</p><div class="lattice" dir="{side}" style="--n:{size}">{letters}{"".join(bars)}</div>'


def _bar(edge: Edge, row: int) -> str:
    classes = " ".join(filter(None, ("best" * edge.best, "second" * edge.runner_up)))
    about = f"id {edge.id}" if edge.id is not None else "no piece fits: byte pieces or the unknown token"
    says = f"<bdi>{escape(edge.shown)}</bdi><small>{edge.score:.1f}</small>"
    title = escape(f"{edge.shown} · {about} · log-probability {edge.score:.3f}")
    place = f"grid-area:{row}/{edge.start + 1}/auto/{edge.end + 1}"
    return f'<i class="{classes}" title="{title}" style="{place}">{says}</i>'


def biography_html(life: Biography, extra: dict[str, str] | None = None, click: bool = False) -> str:
    """One token's card. `extra`: more lines, of plain text; `click`: whether the tokens built from it may be asked about."""
    facts = {
        "Id": f"{life.id:,}",
        "Bytes": f"{life.bytes.hex(' ')} ({len(life.bytes)})" if life.kind != "special" else "",
        "Characters": "; ".join(life.code_points[:12]) + (" …" if len(life.code_points) > 12 else "") if life.kind != "special" else "",
        "Kind": life.kind + (", starts a word" if life.word_start else "") + (f", {', '.join(life.scripts)}" if life.scripts else ""),
    }
    lines = [f"<tr><th>{name}</th><td>{escape(said)}</td></tr>" for name, said in facts.items() if said]
    lines.append(f"<tr><th>Made</th><td>{_made(life)}</td></tr>")
    if life.before is not None:
        lines.append(f"<tr><th>Before</th><td>{_before(life)}</td></tr>")
    if life.usage is not None:
        use = life.usage
        said = f"{use.count:,} of {use.tokens:,} tokens in a sample of {use.documents:,} documents ({use.share:.3%})"
        lines.append(f"<tr><th>Use</th><td>{said}</td></tr>")
    lines += [f"<tr><th>{escape(name)}</th><td>{escape(said)}</td></tr>" for name, said in (extra or {}).items()]
    if life.used_in:
        more = f" and {life.used_in_count - len(life.used_in):,} more" if life.used_in_count > len(life.used_in) else ""
        name = "Part of" if life.tree or life.made == "unreachable" else "Contained in"
        lines.append(f'<tr><th>{name}</th><td><div class="chips">{"".join(_piece(p, click=click) for p in life.used_in)}{more}</div></td></tr>')
    big = plain(life.shown, kind_of(life.kind, life.bytes), new=life.before is not None and life.before.id is None)
    return f'<div class="biography"><div class="portrait">{big}</div><table class="plain">{"".join(lines)}</table></div>'


def _made(life: Biography) -> str:
    if life.made == "merged":
        return f'<ul class="tree"><li>{_node(life.tree)}</li></ul>'
    if life.score is not None:
        return f"{MADE['score']}: natural logarithm {life.score:.3f}"
    return MADE[life.made]


def _node(node: Node) -> str:
    """A token and its parts; two parts that have none themselves stand on the same line."""
    said = _piece(node.piece)
    if not node.parts:
        return said
    rank = f"<span>merge {node.rank:,}</span>"
    if not any(part.parts for part in node.parts):
        return f"{said} = {' + '.join(_piece(part.piece) for part in node.parts)} {rank}"
    return f"{said} {rank}<ul>{''.join(f'<li>{_node(part)}</li>' for part in node.parts)}</ul>"


def _before(life: Biography) -> str:
    if life.before.id is not None:
        return "the same token" + (f", then with id {life.before.id:,}" if life.before.id != life.id else ", at the same id")
    pieces = "".join(map(_piece, life.before.pieces))
    return f'new; was {len(life.before.pieces)} token{"s" * (len(life.before.pieces) != 1)}: <span class="chips">{pieces}</span>'
