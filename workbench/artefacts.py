"""Steps around the artefacts themselves: list, bring in, take out."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from . import checkpoint, refs, store
from .errors import WorkbenchError
from .progress import Progress
from .specs import ArtefactRef, Step


class Artefacts(Step):
    """List the artefacts, rename one, or delete one."""

    command: ClassVar[str] = "artefacts"
    heavy: ClassVar[bool] = False
    kind: str = Field("", description="List only this kind: model, tokenizer, corpus.")
    rename: str = Field("", description="Id of an artefact to give the name in --to.")
    to: str = Field("", max_length=80, description="The new name.")
    delete: str = Field("", description="Id of an artefact to delete.")

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        if self.rename:
            store.rename(self.rename, self.to)
        if self.delete:
            store.delete(self.delete)
        return {"rows": [row(a) for a in store.artefacts(self.kind)]}


def row(artefact: store.Artefact) -> dict[str, Any]:
    """One artefact in a table."""
    size = sum(file["bytes"] for file in artefact.manifest["files"].values())
    return {
        "id": artefact.id,
        "kind": artefact.kind,
        "name": artefact.name,
        "step": artefact.manifest["spec"]["step"],
        "megabytes": round(size / 1e6, 2),
        "parents": " ".join(artefact.parents),
        "created": artefact.manifest["created"],
    }


class Import(Step):
    """Bring a model folder or a tokenizer (tokenizer.json, SentencePiece .model, tiktoken ranks) in as an artefact."""

    command: ClassVar[str] = "import"
    makes: ClassVar[str] = "model"
    main: ClassVar[tuple[str, ...]] = ("source",)
    source: ArtefactRef = Field(min_length=1, description="A local folder or file, demo:NAME, or a hub id.")
    pattern: str = Field("", description="For tiktoken ranks: the name of a splitting pattern (llama3, qwen, gpt2) or the pattern itself.")

    def made_kind(self) -> str:
        place = refs.locate(self.source)
        return "model" if place.is_dir() and (place / "config.json").is_file() else "tokenizer"

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        from .tokenizer import load, save

        place = refs.locate(self.source)
        tokenizer = load(place, pattern=self.pattern or None)
        report: dict[str, Any] = {"ids": max(tokenizer.get_vocab().values()) + 1, "kind": self.made_kind()}
        if report["kind"] == "model":
            opened = checkpoint.Checkpoint.open(place)
            opened.check_fits(report["ids"])
            for n, shard in enumerate(sorted(set(opened.shards.values()))):
                progress.at(n / len(set(opened.shards.values())), shard.name)
                checkpoint.link_or_copy(shard, out / shard.name)
            for file in (checkpoint.INDEX, "config.json", "generation_config.json"):
                if (place / file).is_file():
                    shutil.copyfile(place / file, out / file)
            report |= {"rows": opened.shape[0], "width": opened.shape[1], "tied": opened.tied}
        save(tokenizer, out)
        return report


class Export(Step):
    """Copy an artefact's files to a folder of your own, ready for other tools."""

    command: ClassVar[str] = "export"
    heavy: ClassVar[bool] = False
    main: ClassVar[tuple[str, ...]] = ("artefact", "to")
    artefact: ArtefactRef = Field(description="The id of the artefact.")
    to: str = Field(min_length=1, description="A folder that does not exist yet.")

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        source, target = store.open_artefact(self.artefact), refs.path(self.to)
        if target.exists():
            raise WorkbenchError(f"{target} exists already; name a folder that does not.")
        unfinished = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            shutil.copytree(source.path, unfinished)
            unfinished.rename(target)
        except OSError as error:
            raise WorkbenchError(f"{target} cannot be written ({error.strerror}); choose another place.") from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return {"path": str(target), "files": len(source.manifest["files"])}
