"""Which tokens are looked at: kept, new or dropped, of a script, frequent, by their beginning, picked by hand, or a stratified sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..errors import WorkbenchError, nearest

if TYPE_CHECKING:
    from .opening import Space

State = Literal["kept", "new", "dropped", "all"]
DOCUMENTS = 5_000  # of a text, to count tokens in
LISTED = 3  # rows named in a note


@dataclass(frozen=True)
class Chosen:
    """Tokens of one space.

    Attributes:
        ids: (n,) in rising order, each once.
        of: how many tokens fitted before a sample was drawn.
        notes: what was left out or not as asked, as sentences.
    """

    ids: np.ndarray
    of: int
    notes: list[str] = field(default_factory=list)


def choose(
    space: Space, *, states: np.ndarray | None = None, state: State = "all", script: str = "", prefix: str = "", pick: Sequence[str | int] = (),
    counts: Mapping[int, int] | None = None, min_count: int = 0, sample: int | None = None, seed: int = 0,
) -> Chosen:  # fmt: skip
    """Tokens of a space that fit all that is asked; picked ones come first and are never left out by a sample.

    Args:
        states: (V,) "kept", "new" or "dropped" of each token (see `states_of`); needed for `state`.
        script: as `Space.scripts` calls it, such as Cyrillic.
        prefix: what the token's text begins with; a space first means the start of a word.
        counts: how often each id occurs in a text (see `frequencies`); needed for `min_count`.
        sample: draw so many, in equal shares of states and scripts as far as these go. The same seed draws the same tokens.

    Rows of zeros, or with NaN or infinity, have no direction: they are left out, and a note says so. A token picked twice counts once.
    Raises WorkbenchError where nothing fits or a picked token is not there.
    """
    scripts = space.scripts
    keep = ~np.isin(scripts, ("special", "unused"))
    if state != "all":
        if states is None:
            raise WorkbenchError(f"Which tokens are {state} shows only beside another vocabulary; open two spaces.")
        keep &= states == state
    if script:
        if script not in set(scripts):
            raise WorkbenchError(f"No token of {space.name} is of the script '{script}'.{nearest(script, set(scripts) - {'special', 'unused'})}")
        keep &= scripts == script
    if prefix:
        keep &= np.array([_begins(space, i, prefix) for i in range(space.size)])
    if min_count:
        if counts is None:
            raise WorkbenchError("How often a token occurs is counted in a text; name one.")
        keep &= np.array([counts.get(i, 0) >= min_count for i in range(space.size)])
    notes: list[str] = []
    picked = list(dict.fromkeys(found := [space.find(token) for token in pick]))
    if len(picked) < len(found):
        notes.append(f"{len(found) - len(picked)} of the picked tokens were picked twice; each counts once.")
    if picked and sample is None and not (state != "all" or script or prefix or min_count):
        keep[:] = False  # nothing else was asked for
    fitting = np.flatnonzero(_with_direction(space, keep, picked, notes))
    if not len(fitting):
        raise WorkbenchError(f"No token of {space.name} fits; ask for less, or look at another space.")
    return Chosen(_sampled(fitting, np.array(picked, dtype=np.int64), scripts, states, sample, seed, space.name, notes), len(fitting), notes)


def _begins(space: Space, token: int, prefix: str) -> bool:
    identity = space.tokens.identity(token)
    if identity.kind != "text":
        return False
    text = identity.bytes
    wanted = prefix.encode("utf-8", "surrogatepass")
    return (identity.word_start and text.startswith(wanted[1:])) if prefix.startswith(" ") else text.startswith(wanted)


def _with_direction(space: Space, wanted: np.ndarray, picked: list[int], notes: list[str]) -> np.ndarray:
    """The tokens wanted or picked whose rows are finite and not zero; the others are named."""
    wanted = wanted.copy()
    wanted[picked] = True
    without = np.flatnonzero(wanted & ~space.usable)
    if len(without):
        broken = int(np.isnan(space.norms[without]).sum())
        kind = "hold NaN or infinity" if broken == len(without) else "are zero" if not broken else "are zero or hold NaN or infinity"
        named = ", ".join(f"{space.tokens.printable(int(i))} (#{i})" for i in without[:LISTED])
        more = f" and {len(without) - LISTED:,} more" if len(without) > LISTED else ""
        notes.append(f"{len(without):,} rows of {space.name} {kind} and are left out: {named}{more}.")
    wanted[without] = False
    return wanted


def _sampled(
    fitting: np.ndarray, picked: np.ndarray, scripts: np.ndarray, states: np.ndarray | None, sample: int | None, seed: int, name: str, notes: list[str]
) -> np.ndarray:  # fmt: skip
    if sample is None:
        return fitting
    if sample > len(fitting):
        notes.append(f"A sample of {sample:,} was asked for, but only {len(fitting):,} tokens of {name} fit; all of them are taken.")
    picked = np.intersect1d(picked, fitting)
    rest = np.setdiff1d(fitting, picked)
    room = min(max(sample - len(picked), 0), len(rest))
    strata: dict[tuple[str, str], list[int]] = {}
    for i in rest.tolist():
        strata.setdefault(("" if states is None else str(states[i]), str(scripts[i])), []).append(i)
    generator = np.random.default_rng(seed)
    order = sorted(strata)
    drawn = [generator.permutation(strata[key])[:share] for key, share in zip(order, shares([len(strata[key]) for key in order], room), strict=True)]
    return np.sort(np.concatenate([picked, *drawn]).astype(np.int64))


def shares(sizes: Sequence[int], room: int) -> list[int]:
    """How many to draw of each stratum: equal parts, what a small one cannot give going to the others; together `room`, or all there are."""
    left, found = room, [0] * len(sizes)
    by_size = sorted(range(len(sizes)), key=lambda n: (sizes[n], n))
    for done, n in enumerate(by_size):
        found[n] = min(sizes[n], left // (len(sizes) - done))
        left -= found[n]
    return found


def states_of(spaces: Sequence[Space]) -> list[np.ndarray]:
    """Of each space (V,) the state of its tokens: kept where first and last space have them both; new only in the last; dropped only in the first.

    Of spaces between, what both ends have is kept, else it is what it is in the end that has it; what neither has counts as new. One space: all kept.
    """
    first, last = set(spaces[0].tokens.ids), set(spaces[-1].tokens.ids)
    found = []
    for space in spaces:
        identities = space.tokens.identities()
        known = [identities.get(i) for i in range(space.size)]
        found.append(np.array(["kept" if t in first and t in last else "dropped" if t in first else "new" for t in known], dtype=object))
    return found


def frequencies(space: Space, text: str, documents: int = DOCUMENTS, seed: int = 0) -> Counter[int]:
    """How often each token occurs in a text (its training part), by id. Word vectors count words."""
    from ..corpus import open as open_text
    from ..corpus.scripts import words
    from ..vocab import Identity, Vocabulary

    counted: Counter[int] = Counter()
    for document in islice(open_text(text, seed=seed).train, documents):
        if isinstance(space.tokens, Vocabulary):
            counted.update(space.tokens.backend.encode(document, add_special_tokens=False).ids)
        else:
            ids = space.tokens.ids
            counted.update(i for word in words(document) if (i := ids.get(Identity("text", True, word.encode()))) is not None)
    return counted
