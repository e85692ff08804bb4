"""The steps around spaces: numbers, a picture, the neighbours and the way of one token."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from .. import contents
from ..errors import WorkbenchError
from ..progress import Progress
from ..specs import ModelRef, PairsRef, Seed, Step, TextRef

if TYPE_CHECKING:
    from .picturing import Picture

ADVANCED = {"advanced": True}
TABLE: Any = Field("input", description="Which table of the models: the one they read with, or the one they write with.")
HOW: Any = Field(
    "auto", description="How spaces are laid onto each other; auto leaves tables as they are where their shared tokens agree already.",
    json_schema_extra={"advanced": True},
)  # fmt: skip
DICTIONARY: Any = Field(
    "", description="Word pairs whose translations are compared, such as demo:en-ru or a .tsv file; of two spaces the first one's words first."
)
Align = Literal["auto", "none", "procrustes", "least-squares"]
KEY = re.compile(r"picture-[0-9a-f]{24}")
KEPT = 20  # pictures in the cache; the oldest go


class Measure(Step):
    """Compare spaces in numbers taken among full vectors: anchors and translations before and after alignment, retrieval, CKA, neighbours, norms."""

    command: ClassVar[str] = "spaces"
    heavy: ClassVar[bool] = False
    main: ClassVar[tuple[str, ...]] = ("spaces",)
    spaces: tuple[ModelRef, ...] = Field(min_length=1, description="Models, encoders or word-vector files; each is compared with the last.")
    table: Literal["input", "output"] = TABLE
    dictionary: PairsRef = DICTIONARY
    how: Align = HOW
    centre: bool = Field(True, description="Take the anchors' mean from both sides before they are compared.", json_schema_extra=ADVANCED)
    ridge: float = Field(0.0, ge=0, le=100, description="Holds a least-squares map back, in mean squared lengths of a dimension.", json_schema_extra=ADVANCED)
    anchors: int = Field(5_000, ge=2, le=50_000, description="Shared tokens that are compared; of more, a sample.", json_schema_extra=ADVANCED)
    seed: Seed = Field(0, description="Decides samples, what is held out, and the draws behind the intervals.", json_schema_extra=ADVANCED)

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        from .measuring import measure
        from .opening import open

        opened = [open(space, self.table) for space in self.spaces]
        given = {"dictionary": self.dictionary, "centre": self.centre, "ridge": self.ridge, "most": self.anchors, "seed": self.seed}
        rows, spaces, notes, aligned = [], [], [], []
        pairs = [(space, opened[-1]) for space in opened[:-1]] or [(opened[0], None)]
        for n, (first, second) in enumerate(pairs):
            found = measure(first, second, how=self.how, progress=progress.part(n / len(pairs), (n + 1) / len(pairs)), **given)
            name = first.name if second is None else f"{first.name} → {second.name}"
            rows += [{"spaces": name, **row} for row in found.rows]
            spaces += [row for row in found.spaces if row not in spaces]
            notes += [note for note in found.notes if note not in notes]
            if found.alignment:
                keep = {key: getattr(found.alignment, key) for key in ("how", "scale", "anchors", "held_out")}
                aligned.append({"spaces": name, **keep})
        for note in notes:
            progress.warn(note)
        return {"rows": rows, "spaces": spaces, "aligned": aligned, "notes": notes}


class Project(Step):
    """Draw spaces as a picture: principal components, UMAP, or an axis of your own. The table opens in Embedding Atlas; --figure writes .html, .svg, .png."""

    command: ClassVar[str] = "spaces.project"
    makes: ClassVar[str] = "picture"
    main: ClassVar[tuple[str, ...]] = ("spaces",)
    spaces: tuple[ModelRef, ...] = Field(min_length=1, max_length=6, description="Models, encoders or word-vector files, in one frame: that of the last.")
    table: Literal["input", "output"] = TABLE
    method: Literal["pca", "umap", "aligned-umap", "axis"] = Field(
        "pca", description="pca is drawn at once; umap shows clusters; aligned-umap holds several spaces together by shared tokens; axis is your own."
    )
    dimensions: int = Field(2, ge=2, le=3, description="Two, or three for pca.", json_schema_extra=ADVANCED)
    sample: int | None = Field(5_000, ge=1, le=50_000, description="At most so many tokens of each space, in equal shares of kept and new and of scripts.")
    state: Literal["all", "kept", "new", "dropped"] = Field(
        "all", description="Kept: in the first and the last space; new: not in the first; dropped: not in the last.", json_schema_extra=ADVANCED
    )
    script: str = Field("", description="Only tokens of this script, such as Cyrillic.", json_schema_extra=ADVANCED)
    prefix: str = Field("", description="Only tokens that begin so; a space first: at the start of a word.", json_schema_extra=ADVANCED)
    pick: tuple[str, ...] = Field(
        (), description="Tokens that must be there, as text or #id; with no sample and nothing else asked, only these.", json_schema_extra=ADVANCED
    )
    dictionary: PairsRef = Field("", description="Word pairs that are joined by lines, such as demo:en-ru or a .tsv file.")
    text: TextRef = Field("", description="A text in which tokens are counted, for their frequency.")
    min_count: int = Field(0, ge=0, description="Only tokens that occur so often in the text.", json_schema_extra=ADVANCED)
    how: Align = HOW
    axis_from: tuple[str, ...] = Field((), description="For axis: tokens at its left end.", json_schema_extra=ADVANCED)
    axis_to: tuple[str, ...] = Field((), description="For axis: tokens at its right end.", json_schema_extra=ADVANCED)
    unit: bool = Field(False, description="Draw directions only: every vector with length one.", json_schema_extra=ADVANCED)
    umap_neighbours: int = Field(15, ge=2, le=200, description="Neighbours UMAP looks at: few show detail, many the whole.", json_schema_extra=ADVANCED)
    spread: float = Field(0.1, ge=0, le=1, description="UMAP's min_dist: how near points may come.", json_schema_extra=ADVANCED)
    clusters: int = Field(12, ge=2, le=50, description="Groups that k-means makes, for colours.", json_schema_extra=ADVANCED)
    near: int = Field(8, ge=0, le=50, description="Neighbours of each point that the table lists, among full vectors; 0: none.", json_schema_extra=ADVANCED)
    seed: Seed = Field(0, description="Decides the sample and the picture.", json_schema_extra=ADVANCED)

    def picture(self, progress: Progress | None = None) -> Picture:
        """The picture, from the cache where the same knobs and the same contents have been drawn before."""
        from .opening import open
        from .picturing import Picture, picture

        place = self.place
        if (place / "picture.json").is_file():
            return Picture.load(place)
        knobs = {name: getattr(self, name) for name in type(self).model_fields if name not in ("spaces", "table")}
        made = picture([open(space, self.table) for space in self.spaces], progress=progress, **knobs)
        _keep(made, place)
        return made

    @property
    def place(self) -> Path:
        """The folder of the cache that is this picture's, by content."""
        from .wordlists import cache

        return cache() / f"picture-{contents.fingerprint(self)[:24]}"

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        made = self.picture(progress)
        made.save(out)
        for note in made.about["notes"]:
            progress.warn(note)
        return {"n": len(made.points), "lines": len(made.lines), "caption": made.caption, "key": self.place.name, **made.about}


def kept(key: str) -> Picture:
    """A picture of the cache by its key. Raises WorkbenchError where it is no longer there."""
    from .picturing import Picture
    from .wordlists import cache

    if not KEY.fullmatch(key):
        raise WorkbenchError("That is no key of a picture; draw it again.")
    return Picture.load(cache() / key)


def _keep(made: Picture, place: Path) -> None:
    """Into the cache whole or not at all; another process may have been quicker."""
    import secrets
    import shutil
    from contextlib import suppress

    unfinished = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    try:
        made.save(unfinished)
        with suppress(OSError):
            unfinished.rename(place)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    others = sorted(place.parent.glob("picture-*"), key=lambda p: p.stat().st_mtime)
    for old in others[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


class Neighbours(Step):
    """One token's neighbours among all full vectors, and its way through several spaces: norm, cosine and distance from stage to stage."""

    command: ClassVar[str] = "spaces.neighbours"
    heavy: ClassVar[bool] = False
    main: ClassVar[tuple[str, ...]] = ("token", "spaces")
    token: str = Field(
        min_length=1, description="The token, as its text (with a leading space where it starts a word) or as #id, in the last space that has it."
    )
    spaces: tuple[ModelRef, ...] = Field(min_length=1, description="Models, encoders or word-vector files, in the order of the stages.")
    table: Literal["input", "output"] = TABLE
    count: int = Field(8, ge=1, le=100, description="Neighbours listed.")
    moved: int = Field(0, ge=0, le=500, description="Also list so many tokens that moved most from the first space to the last.")

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        from .moving import displacement, life, most_moved
        from .opening import open

        opened = [open(space, self.table) for space in self.spaces]
        whose, error = None, None
        for n in reversed(range(len(opened))):
            try:
                opened[n].find(self.token)
            except WorkbenchError as missing:
                error = error or missing
            else:
                whose = n
                break
        if whose is None:
            raise error
        found = life(opened, self.token, of=whose, k=self.count)
        rows = [{key: value for key, value in stage.items() if key != "neighbours"} for stage in found.stages]
        near = [{"space": stage["space"], **row} for stage in found.stages for row in stage.get("neighbours", [])]
        moved = most_moved(displacement(opened[0], opened[-1]), opened[-1], self.moved) if self.moved and len(opened) > 1 else []
        return {"token": found.token, "rows": rows, "neighbours": near, "moved": moved}
