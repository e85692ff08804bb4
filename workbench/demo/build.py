"""The step that makes the demo's models anew."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from ..errors import Stopped, WorkbenchError
from ..progress import Progress
from ..specs import Seed, Step

if TYPE_CHECKING:
    from .models import Made

STAGES = ("en-base", "en-chat", "multi-base", "ru-plm", "fa-plm")
_PARTS = {"en-base": (0.0, 0.81), "en-chat": (0.81, 0.84), "multi-base": (0.84, 0.95), "ru-plm": (0.95, 0.975), "fa-plm": (0.975, 1.0)}


class Build(Step):
    """Train the demo's own models from nothing: about three hours and a half on one processor core.

    A model that is there, with its build.json, is kept; delete its folder to train it again. One that was interrupted goes on from where it was, within ten
    minutes: its checkpoints are in a hidden folder beside it until it is done. Delete that folder after a change of what the models are made of.
    """

    command: ClassVar[str] = "demo.build"
    out: str = Field("", description="The folder that gets one folder per model; empty for the demo's own place.")
    only: Literal["all", "en-base", "en-chat", "multi-base", "ru-plm", "fa-plm"] = Field(
        "all", description="Which model to train; en-chat needs en-base to be there."
    )
    seed: Seed = Field(0, description="Decides the text, its order and the first weights.")
    scale: float = Field(1.0, gt=0.0, le=10.0, description="Share of the usual steps, for a quick trial.", json_schema_extra={"advanced": True})

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        from .. import refs

        place = refs.path(self.out) if self.out else refs.demo_folder()
        place.mkdir(parents=True, exist_ok=True)
        done: dict[str, Any] = {}
        for name in STAGES if self.only == "all" else (self.only,):
            if (place / name / "build.json").is_file():
                progress.note(f"{name} is there already and is kept.")
            else:
                self._stage(name, place, progress.part(*_PARTS[name]))
            about = json.loads((place / name / "build.json").read_text(encoding="utf-8"))
            total = about.get("total", about)  # of a model that was trained in two rounds
            done[name] = {key: total[key] for key in ("steps", "tokens", "seconds")} | {"scores": about["scores"], "bytes": _size(place / name)}
        return {"models": done, "folder": str(place)}

    def _stage(self, name: str, place: Path, progress: Progress) -> None:
        progress.at(0, f"training {name}")
        progress.work = place / f".work-{name}-{self.seed}-{self.scale:g}"
        if name == "en-chat" and not (place / "en-base" / "build.json").is_file():
            raise WorkbenchError(f"{place} has no en-base to train en-chat from; run demo.build --only en-base first.")
        try:
            made = self._recipes()[name](place, self.seed, self.scale, progress)
        except Stopped as stop:
            raise Stopped(f"Stopped at your request; run demo.build again and {name} goes on from here.") from stop
        temporary = place / f".tmp-{name}"
        shutil.rmtree(temporary, ignore_errors=True)
        save(made, temporary, {"name": name, "seed": self.seed, "scale": self.scale})
        shutil.rmtree(place / name, ignore_errors=True)
        temporary.rename(place / name)
        shutil.rmtree(progress.work, ignore_errors=True)

    def _recipes(self) -> dict[str, Callable[[Path, int, float, Progress], Made]]:
        from . import models

        def encoder(lang: str) -> Callable[[Path, int, float, Progress], Made]:
            return lambda _place, *given: models.encoder(lang, *given)

        return {"en-base": models.base, "en-chat": models.chat, "multi-base": models.multi, "ru-plm": encoder("ru"), "fa-plm": encoder("fa")}


def save(made: Made, folder: Path, about: dict[str, Any]) -> None:
    """Write a model in fp16 as other tools open it; `build.json`, which says how it was made, is written last."""
    import torch

    from .. import store, tokenizer

    folder.mkdir(parents=True)
    made.model.to(torch.float16).save_pretrained(folder)
    tokenizer.save(made.tokenizer, folder)
    store.write_json(folder / "build.json", about | {"versions": store.versions(), **made.about})


def _size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.iterdir())
