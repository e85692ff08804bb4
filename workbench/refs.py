"""What a reference points to: an artefact id, `demo:NAME`, a local path, or a hub id."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from . import store
from .errors import WorkbenchError, nearest

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
# Everything a model folder needs and nothing that can run code: no pickles, no Python.
SAFE_FILES = ["*.safetensors", "*.json", "*.jinja", "*.model", "*.tiktoken", "*.txt"]


def demo_folder() -> Path:
    """Where the models of the embedded default lie."""
    return Path(__file__).parent / "demo" / "models"


def demo_names() -> list[str]:
    return sorted(f"demo:{p.parent.name}" for p in demo_folder().glob("*/config.json"))


def locate(reference: str | Path | store.Artefact) -> Path:
    """The local folder or file of a reference; a hub id is downloaded (safetensors and JSON only, no code).

    Raises WorkbenchError that says what is missing and lists close names.
    """
    if isinstance(reference, store.Artefact):
        return reference.path
    text = str(reference)
    if text.startswith("demo:"):
        place = demo_folder() / text[5:]
        if text not in demo_names():
            raise WorkbenchError(f"There is no '{text}'.{nearest(text, demo_names())}")
        return place
    if store.ID.fullmatch(text) and not Path(text).exists():
        return store.open_artefact(text).path
    try:
        path = Path(text).expanduser()
        there = bool(text.strip()) and path.exists()
    except (OSError, ValueError, RuntimeError):  # too long for a path, a NUL in it, an unknown ~user
        there = False
    if there:
        return path
    if HUB_ID.fullmatch(text) and not text.startswith((".", "~")):
        return _download(text)
    known = [a.id for a in store.artefacts()] + demo_names()
    shown = text if len(text) <= 80 else text[:77] + "…"
    raise WorkbenchError(f"'{shown}' is no artefact, file, folder or hub id.{nearest(text, known)}")


def path(written: str | Path) -> Path:
    """A path as a user writes it; nothing need be there. Raises WorkbenchError for what cannot be one: too long, a NUL in it, an unknown ~user."""
    try:
        place = Path(written).expanduser()
        with suppress(FileNotFoundError, NotADirectoryError):
            place.stat()
    except (OSError, ValueError, RuntimeError) as error:
        shown = " ".join(str(written).split()).replace("\0", "\\0")
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise WorkbenchError(f"'{shown if len(shown) <= 80 else shown[:77] + '…'}' cannot be looked up ({reason}); give another path.") from error
    return place


def label(reference: str) -> str:
    """How a reference is called in tables: an artefact's name with its id, or the reference itself."""
    if store.ID.fullmatch(reference) and (store.folder() / reference / "manifest.json").is_file():
        artefact = store.open_artefact(reference)
        return f"{artefact.name} ({artefact.id})" if artefact.name else artefact.id
    return reference


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Each name with what to call it where there is little room: of a path its last part, and as many folders above as tell it from the others."""
    parts = {name: Path(name).parts if _is_path(name) else (name,) for name in names}
    found = {}
    for name, mine in parts.items():
        others = [theirs for other, theirs in parts.items() if other != name]
        length = next((n for n in range(1, len(mine) + 1) if all(mine[-n:] != theirs[-n:] for theirs in others)), len(mine))
        found[name] = "/".join(mine[-length:]).replace("//", "/")
    return found


def _is_path(name: str) -> bool:
    try:
        return "/" in name and (name.startswith(("/", "./", "../", "~")) or Path(name).exists())
    except (OSError, ValueError):  # too long for a path, a NUL in it
        return False


def _download(hub_id: str) -> Path:
    import huggingface_hub

    try:
        return Path(huggingface_hub.snapshot_download(hub_id, allow_patterns=SAFE_FILES))
    except Exception as error:  # the hub client raises a dozen kinds; to the user they are one: it could not be had
        raise WorkbenchError(
            f"'{hub_id}' is no local path, and the hub did not give it ({type(error).__name__}); check the name, the connection, or your access."
        ) from error
