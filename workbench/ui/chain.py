"""What is loaded: the chain from the source model to the adapted chat model, read from the home folder.

Nothing is kept in a browser tab: the chain is the lineage of the newest artefact (or of the one the user pinned) since the
journey began, so that a reload, a second tab and the command line all see the same.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from .. import refs, store
from ..errors import WorkbenchError

DEMO = {"source": "demo:en-base", "instruct": "demo:en-chat", "text": "demo:ru", "source_text": "demo:en", "pairs": "demo:en-ru"}
DEMO_SCRIPTS = {"demo:ru": "Cyrillic", "demo:fa": "Arabic"}
# Which link of the chain a step's artefact is, and which knobs of it say what it was made from.
LINKS = {
    "corpus": ("text", {}),
    "tokenizer.extend": ("tokenizer", {"base": "source", "text": "text"}),
    "tokenizer.train": ("tokenizer", {"base": "source", "text": "text", "texts": "text"}),
    "tokenizer.optimize": ("tokenizer", {"base": "source", "text": "text"}),
    "transfer": ("transfer", {"model": "source", "tokenizer": "tokenizer"}),
    "train": ("trained", {"model": "transfer", "text": "text"}),
    "lep": ("lep", {"base": "source", "adapted": "trained", "instruct": "instruct"}),
}
TITLES = {
    "source": "Source model",
    "text": "Target text",
    "tokenizer": "Tokenizer",
    "transfer": "Transfer",
    "trained": "Trained",
    "lep": "LEP",
}


@dataclass(frozen=True)
class Chain:
    """References of the journey in hand; '' where a link is not there yet."""

    source: str = ""
    instruct: str = ""
    text: str = ""
    source_text: str = ""
    pairs: str = ""
    tokenizer: str = ""
    transfer: str = ""
    trained: str = ""
    lep: str = ""

    @property
    def loaded(self) -> bool:
        return bool(self.source or self.text)

    @property
    def script(self) -> str:
        """The script of the target text, where it is not the Latin one."""
        if self.text in DEMO_SCRIPTS:
            return DEMO_SCRIPTS[self.text]
        try:
            shares = store.open_artefact(self.text).metrics.get("scripts") or {}
        except WorkbenchError:
            return ""
        main = max(shares, key=shares.get) if shares else ""
        return "" if main in ("Latin", "Common") else main

    @property
    def models(self) -> list[str]:
        """The base models of the journey, in order: what bits per byte are compared over."""
        return [m for m in (self.source, self.transfer, self.trained) if m]


def current() -> Chain:
    """The journey in hand."""
    journey = _journey()
    known = {a.id: a for a in store.artefacts()}
    recent = [a for a in known.values() if a.manifest["created"] >= journey.get("since", 0) and _step(a) in LINKS and not a.metrics.get("is_control")]
    head = known.get(journey.get("pinned", "")) or (recent[0] if recent else None)
    if recent and head and recent[0].manifest["created"] > journey.get("pinned_at", 0):
        head = recent[0]
    found = {name: journey.get(name, "") for name in DEMO}
    if head:
        found |= _lineage(head, known)
    return Chain(**{name: value for name, value in found.items() if name in Chain.__dataclass_fields__})


def load_demo() -> Chain:
    """Begin a new journey with the demo's model and text."""
    return begin(**DEMO)


def begin(**links: str) -> Chain:
    store.home().mkdir(parents=True, exist_ok=True)
    store.write_json(_place(), links | {"since": time.time()})
    return current()


def pin(reference: str) -> Chain:
    """Go on from an older artefact."""
    artefact = store.open_artefact(reference)
    store.write_json(_place(), _journey() | {"pinned": artefact.id, "pinned_at": time.time()})
    return current()


def short(reference: str) -> str:
    """A reference as short as it can be said: a name, else an id, else the end of a path."""
    if not reference:
        return ""
    said = refs.label(reference)
    said = said.removesuffix(f" ({reference})")
    return said if len(said) <= 34 else "…" + said[-33:]


def _lineage(head: store.Artefact, known: dict[str, store.Artefact]) -> dict[str, str]:
    """The links that the head and its parents fill, nearest first."""
    found: dict[str, str] = {}
    queue: list[tuple[str, str]] = [(LINKS[_step(head)][0], head.id)] if _step(head) in LINKS else []
    while queue:
        link, reference = queue.pop(0)
        found.setdefault(_true_link(link, reference, known), reference)
        if reference in known:
            artefact = known[reference]
            _, made_from = LINKS.get(_step(artefact), ("", {}))
            spec = artefact.manifest["spec"]
            queue += [(name, _first(spec.get(knob))) for knob, name in made_from.items() if _first(spec.get(knob))]
    return found


def _true_link(link: str, reference: str, known: dict[str, store.Artefact]) -> str:
    """A transferred model may be trained on, or given to LEP, directly: what made it says which link it is."""
    if reference in known and link != "text":
        return LINKS.get(_step(known[reference]), (link, {}))[0]
    return link


def _first(value: Any) -> str:
    return str(value[0]) if isinstance(value, list) and value else value if isinstance(value, str) else ""


def _step(artefact: store.Artefact) -> str:
    return artefact.manifest["spec"].get("step", "")


def _place() -> Any:
    return store.home() / "journey.json"


def _journey() -> dict[str, Any]:
    try:
        return json.loads(_place().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
