"""Which tokens two vocabularies share, by what they stand for: kept, new and dropped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from ..corpus.scripts import script
from ..errors import WorkbenchError, nearest

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedTokenizerFast

    from ..vocab import Identity, Vocabulary

State = Literal["kept", "new", "dropped"]
STATES: tuple[State, ...] = ("kept", "new", "dropped")
ROWS = 1_000


@dataclass(frozen=True)
class Comparison:
    """A vocabulary beside another, from which it may have been made.

    `kept`: id here → id there. What is only here is new, what is only there is dropped. The same bytes are the same token, in whatever alphabet
    and at whatever id.
    """

    vocabulary: Vocabulary
    base: Vocabulary
    kept: dict[int, int]

    @cached_property
    def new(self) -> list[int]:
        """Ids here."""
        return [i for i in self.vocabulary.tokens if i not in self.kept]

    @cached_property
    def dropped(self) -> list[int]:
        """Ids there."""
        used = set(self.kept.values())
        return [i for i in self.base.tokens if i not in used]

    @property
    def counts(self) -> dict[str, int]:
        return {"kept": len(self.kept), "new": len(self.new), "dropped": len(self.dropped)}

    def rows(self, search: str = "", state: State | None = None, script: str = "", start: int = 0, limit: int = ROWS) -> tuple[list[dict[str, Any]], int]:
        """Rows `start` to `start + limit` of those that fit, and how many fit in all.

        `search`: part of the text (ignoring case; a space or ␣ in front asks for the start of a word), or #id. `script`: tokens with a letter of it.
        Raises WorkbenchError for an unknown state or script.
        """
        if state is not None and state not in STATES:
            raise WorkbenchError(f"There is no state '{state}'; choose kept, new or dropped.")
        wanted = _script(script) if script else ""
        found = [row for row in self._listed(state) if _fits(*row, search) and (not wanted or wanted in scripts(row[0].identity(row[1])))]
        return [self._row(*row) for row in found[start : start + limit]], len(found)

    def _listed(self, state: State | None) -> Iterator[tuple[Vocabulary, int]]:
        if state != "dropped":
            yield from ((self.vocabulary, i) for i in self.vocabulary.tokens if state is None or (i in self.kept) == (state == "kept"))
        if state in (None, "dropped"):
            yield from ((self.base, i) for i in self.dropped)

    def _row(self, owner: Vocabulary, i: int) -> dict[str, Any]:
        identity, here = owner.identity(i), owner is self.vocabulary
        return {
            "token": owner.printable(i), "state": ("kept" if i in self.kept else "new") if here else "dropped",
            "id": i if here else None, "id_before": self.kept.get(i) if here else i,
            "bytes": len(identity.bytes) + identity.word_start, "script": " ".join(scripts(identity)), "kind": identity.kind,
        }  # fmt: skip


def compare(tokenizer: str | Path | PreTrainedTokenizerFast | Vocabulary, base: str | Path | PreTrainedTokenizerFast | Vocabulary) -> Comparison:
    """Match the tokens of a tokenizer with those of the one it is to be seen against.

    A token that is the same string at the same id is itself; the others match by identity (see `workbench.vocab`).
    """
    from ..vocab import Vocabulary

    here, there = (v if isinstance(v, Vocabulary) else Vocabulary(v) for v in (tokenizer, base))
    kept = {j: i for i, j in there.overlap(here)}
    same = {i: i for i, token in here.tokens.items() if there.tokens.get(i) == token and there.identity(i) == here.identity(i)}
    return Comparison(here, there, kept | same)


def scripts(identity: Identity) -> tuple[str, ...]:
    """The scripts of a token's whole letters, in the order they occur; () for special tokens and for bytes that are no character."""
    if identity.kind != "text":
        return ()
    return tuple(dict.fromkeys(name for character in identity.bytes.decode("utf-8", "ignore") if (name := script(character))))


def _script(name: str) -> str:
    from ..corpus.scripts import SCRIPTS

    found = next((known for known in (*SCRIPTS, "Other") if known.lower() == name.strip().lower()), None)
    if found is None:
        raise WorkbenchError(f"'{name}' is no script that is counted here.{nearest(name, SCRIPTS)}")
    return found


def _fits(owner: Vocabulary, i: int, search: str) -> bool:
    if not search:
        return True
    if search[0] == "#" and search[1:].strip().isdecimal():
        return i == int(search[1:])
    if "⟨" in search:  # bytes and code points as they are shown
        return search.casefold() in owner.printable(i).casefold()
    identity = owner.identity(i)
    text = " " * identity.word_start + identity.bytes.decode("utf-8", "ignore")
    return search.translate(_UNSHOWN).casefold() in text.casefold()


_UNSHOWN = str.maketrans({"␣": " ", "⏎": "\n", "⇥": "\t", "␍": "\r"})
