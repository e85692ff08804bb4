"""References to text, opened: what `corpus.open` takes and gives."""

from __future__ import annotations

import glob
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from .. import refs, store
from ..errors import RunFailed, WorkbenchError, nearest
from . import formats
from .formats import Table, Unit
from .split import SPLITS, Source, Split, Splits, by_hash, ready_split

DEMO_DOCUMENTS = 20_000


class Text(Splits[str]):
    """An opened corpus: `.train`, `.validation` and `.held_out` are streams of documents; iterating over it gives all."""


def open(
    reference: str | Path | Sequence[str] | Iterable[str], *, seed: int = 0, held_out: float = 0.05, column: str | None = None, unit: Unit = "line",
    limit: int | None = None, weights: Sequence[float] | None = None,
) -> Text:  # fmt: skip
    """Open text by reference, lazily: nothing but its first document is read here.

    `reference` is `demo:LANG`, a file, a folder (searched recursively), a glob pattern, `hf:NAME[:CONFIG][:SPLIT][:COLUMN]`,
    the id of a corpus artefact, or a list of these. Anything else that can be iterated is taken as the documents themselves
    (an iterator that ends after one reading is kept in memory).

    `held_out`: share of the documents for each of `.validation` and `.held_out`, decided by a hash of the document and `seed`.
    The demo world and corpus artefacts bring their own splits. `unit`: what is a document of a .txt file: a line, a paragraph
    (up to a blank line) or the whole file. `column`: where the text is in the other formats. `limit`: at most this many
    documents of every source (the endless demo world gives 20,000 unless told). `weights`: draw the next document from the
    sources with these probabilities until one ends; without them the sources follow one another.

    Raises WorkbenchError if there is nothing there, nothing in it, or it cannot be read.
    """
    check_split(seed, held_out, limit)
    if unit not in ("line", "paragraph", "file"):
        raise WorkbenchError(f"unit='{unit}' is not known; choose line, paragraph or file.")
    many = isinstance(reference, (list, tuple))
    if many and not reference:
        raise WorkbenchError("The list of sources is empty; name at least one, such as demo:ru.")
    sources = [_source(r, seed, held_out, column, unit, limit) for r in (reference if many else [reference])]
    return Text(sources, seed, check_weights(weights, len(sources)))


def check_split(seed: int, held_out: float, limit: int | None) -> None:
    if limit is not None and limit < 1:
        raise WorkbenchError(f"limit={limit} must be 1 or more; leave it out to read everything.")
    if not 0 <= held_out < 0.5:
        raise WorkbenchError(f"held_out={held_out} must be at least 0 and below 0.5, as validation and held_out get that share each.")
    if not 0 <= seed < 2**63:
        raise WorkbenchError(f"seed={seed} must be a whole number from 0 to 2^63.")


def check_weights(weights: Sequence[float] | None, count: int) -> list[float] | None:
    if not weights:
        return None
    if len(weights) != count or min(weights) <= 0 or not math.isfinite(sum(weights)):
        raise WorkbenchError(f"There are {count} sources and the weights {list(weights)}; give one finite weight above 0 per source.")
    return list(weights)


def _source(reference: Any, seed: int, share: float, column: str | None, unit: Unit, limit: int | None) -> Source[str]:
    if isinstance(reference, store.Artefact):
        reference = reference.id
    if not isinstance(reference, (str, Path)):
        return checked(by_hash("the given documents", of_texts(reference), seed, share, limit))
    name = str(reference)
    if name.startswith("demo:"):
        return ready_split(name, _world(name, seed), share, limit or DEMO_DOCUMENTS)
    if name.startswith("hf:"):
        found, named = hub(name)
        where = formats.choose(found, named or column)
        return checked(by_hash(name, lambda: (t for (t,) in found.rows([where]) if t.strip()), seed, share, limit))
    if folder := artefact(name):
        return checked(ready_split(refs.label(name), lambda split: _saved(folder / f"{split}.parquet"), share, limit))
    paths = files(name)
    return checked(by_hash(name, lambda: chain.from_iterable(formats.documents(p, unit, column) for p in paths), seed, share, limit))


def checked(source: Source[Any]) -> Source[Any]:
    """Read the first document, so that what is wrong shows here and not an hour into a job."""
    if next(source.tagged(), None) is None:
        raise WorkbenchError(f"There is no text in {source.name}; give one that is not empty.")
    return source


def _saved(path: Path) -> Iterator[str]:
    return (text for (text,) in formats.table(path).rows(["text"]))


def of_texts(items: Iterable[Any]) -> Callable[[], Iterator[Any]]:
    """Documents given as objects. Raises WorkbenchError where one is no text."""
    try:
        kept = list(items) if iter(items) is items else items
    except TypeError:
        raise WorkbenchError(f"Text cannot be opened from a {type(items).__name__}; give a reference such as demo:ru, or an iterable of strings.") from None

    def start() -> Iterator[str]:
        for number, item in enumerate(kept):
            if not isinstance(item, str):
                raise WorkbenchError(f"Document {number} is a {type(item).__name__}; every document must be a string.")
            if lone := formats.surrogate(item):
                raise WorkbenchError(f"Document {number} holds half a character ({lone}), as of a cut emoji; remove it.")
            if item.strip():
                yield item

    return start


def _world(name: str, seed: int) -> Callable[[Split], Iterator[str]]:
    language = name.removeprefix("demo:")
    if language not in languages():
        raise WorkbenchError(f"There is no '{name}'.{nearest(name, [f'demo:{known}' for known in languages()])}")

    def start(split: Split) -> Iterator[str]:
        from ..demo import world

        return iter(world.texts(language, world_split(split), seed))

    return start


def languages() -> tuple[str, ...]:
    """The languages of the demo world; the first is the one the others are translated from."""
    from ..demo import world

    return tuple(world.LANGUAGES)


def world_split(split: Split) -> str:
    """The demo world's own name for a split."""
    return "test" if split == "held_out" else split


@contextmanager
def looking(reference: str) -> Iterator[None]:
    """Around the look-up of a path: what cannot be one (a pasted text, an unknown user's ~) leaves as one sentence."""
    if not reference.strip():  # Path("") would be the current folder
        raise WorkbenchError("The reference to a text is empty; name a file, a folder or a source such as demo:ru.")
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise WorkbenchError(f"'{_short(reference)}' cannot be looked up ({reason}); name a file, a folder or a source such as demo:ru.") from error


def _short(reference: str) -> str:
    """A reference as a message shows it: where it is a pasted text, its beginning."""
    return reference if len(reference) <= 200 and "\n" not in reference else " ".join(reference.split())[:60] + "…"


def artefact(reference: str) -> Path | None:
    """The folder of a corpus artefact, given its id or path; None if the reference is neither."""
    if store.ID.fullmatch(reference) and not Path(reference).exists():
        found = store.open_artefact(reference)
        if found.kind != "corpus":
            raise WorkbenchError(f"{reference} is a {found.kind}, not a corpus; choose an artefact whose id starts with corpus-.")
        return found.path
    with looking(reference):
        path = Path(reference).expanduser()
        return path if all((path / f"{split}.parquet").is_file() for split in SPLITS) else None


def files(reference: str) -> list[Path]:
    """The files of a path, folder (recursive, hidden ones left out) or glob pattern, sorted, each once. Raises WorkbenchError if there are none."""
    with looking(reference):
        path = Path(reference).expanduser()
        if folder := path.is_dir():
            found = _once(p for p in path.rglob("*") if p.is_file() and not any(part.startswith(".") for part in p.relative_to(path).parts))
        else:
            matches = glob.glob(str(path), recursive=True)  # noqa: PTH207 (Path.glob takes no absolute pattern)
            found = [path] if path.exists() else _once(p for p in map(Path, matches) if p.is_file())
    if folder:
        readable = [p for p in found if formats.readable(p)]
        if not readable:
            raise WorkbenchError(f"The folder {reference} holds no {', '.join(formats.KINDS)} file; put some text there or name another folder.")
        return readable
    if found:
        for each in found:
            formats.kind(each)
        return found
    if glob.has_magic(reference):
        raise WorkbenchError(f"No file matches {_short(reference)}; check the pattern.")
    known = [str(p) for p in path.parent.glob("*")] if path.parent.is_dir() and len(path.parts) > 1 else [p.name for p in Path().glob("*")]
    hint = nearest(reference, [*known, *(a.id for a in store.artefacts("corpus")), *(f"demo:{known}" for known in languages())])
    raise WorkbenchError(f"'{_short(reference)}' is no file, folder, pattern, corpus artefact, demo: or hf: name.{hint}")


def _once(paths: Iterable[Path]) -> list[Path]:
    """Sorted, and each file once by its shortest name: a link to a folder above makes endless names for it."""
    found: dict[Path, Path] = {}
    for path in sorted(paths, key=lambda p: (len(p.parts), p)):
        found.setdefault(path.resolve(), path)
    return sorted(found.values())


def hub(reference: str) -> tuple[Table, str | None]:
    """A Hugging Face dataset, streamed, as a table; and the column its reference names. Code in datasets is never run."""
    name, config, split, column, *rest = [*reference.removeprefix("hf:").split(":"), "", "", ""]
    if not name or any(rest):
        raise WorkbenchError(f"'{reference}' is no dataset name; write hf:NAME:CONFIG:SPLIT:COLUMN, parts from the right may be left out.")
    import datasets

    try:
        dataset = datasets.load_dataset(name, config or None, split=split or "train", streaming=True)
        first = _flat(next(iter(dataset), {}))
    except Exception as error:  # the client raises a dozen kinds, of the network, of names, of formats: to the user they are one
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise WorkbenchError(f"The dataset {reference} could not be opened ({reason}); check its name, config and split, or the connection.") from error
    if not first:
        raise WorkbenchError(f"There is no text in {reference}; give one that is not empty.")

    def rows(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
        for number, row in enumerate(_whole(dataset, reference), 1):
            yield tuple(formats.value(_flat(row), each, reference, number) for each in names)

    return Table(reference, list(first), rows), column or None


def _whole(dataset: Iterable[dict[str, Any]], reference: str) -> Iterator[dict[str, Any]]:
    rows = iter(dataset)
    while True:
        try:
            row = next(rows, None)
        except Exception as error:  # as above
            raise RunFailed(f"The dataset {reference} broke off ({type(error).__name__}); check the connection and run it again, or set a limit.") from error
        if row is None:
            return
        yield row


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Translation datasets keep their languages in a column of columns."""
    inner = row.get("translation")
    return inner if isinstance(inner, dict) else row
