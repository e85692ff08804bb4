"""One form for all stages: each knob is drawn once, and only those of the chosen stage are seen."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ... import processes
from ...errors import WorkbenchError
from ...specs import Knob, Step, build, knobs
from ...training.presets import preset
from ..forms import _UNSET, Field, Form, Suggest, _fixed, _value, draw, title
from .cards import stages

LAST = ("checkpoint_minutes", "checkpoint_every", "gradient_checkpointing", "seed", "device", "dtype")
FIRST = (
    "model", "instruct", "text", "source_text", "instructions", "source_instructions", "prompts", "preset", "steps", "batch_size", "block", "learning_rate",
)  # fmt: skip


class StageForm(Form):
    """The knobs of all stages, seen once each. `chosen` is the stage; `settled` changes once the knobs are set to a stage or a preset."""

    def __init__(self, suggest: Suggest) -> None:
        self.stages = stages()
        self.step, self.suggest, self.unseen = next(iter(self.stages.values())), dict(suggest), ()
        self.knobs = {name: {k.name: k for k in knobs(kind) if not _fixed(k) and _in_a_line(k)} for name, kind in self.stages.items()}
        every: dict[str, Knob] = {}
        for mine in self.knobs.values():
            every |= {name: knob for name, knob in mine.items() if name not in every}
        first = next(iter(self.stages))
        named = Knob("stage", str, first, "", False, choices=tuple(self.stages), path=("stage",))
        self.chosen = gr.Radio(list(self.stages), value=first, visible="hidden", elem_id="train-stage")
        self.settled = gr.State("")
        self.fields = [Field(named, self.chosen)]
        with gr.Row(elem_classes="knobs"):
            self._draw_all([every[name] for name in FIRST])
        with gr.Accordion("Advanced", open=False), gr.Row(elem_classes="knobs"):
            rest = [name for name in every if name not in FIRST + LAST]
            self._draw_all([every[name] for name in [*rest, *LAST]])

    def _draw_all(self, shown: list[Knob]) -> None:
        for knob in shown:
            component = draw(knob, f"train-{knob.name}")
            component.visible = knob.name in self.knobs[self.chosen.value]
            self.fields.append(Field(knob, component))

    @property
    def edits(self) -> list[Any]:
        held = [f.component for f in self.fields if f.knob.name not in ("stage", "preset", "model")]
        return [self.settled.change, self.component("model").change, *(c.input for c in held), *self.left]

    def read(self, *values: Any, **fixed: Any) -> Step:
        """The step of the chosen stage, with its own knobs. The preset has set them already, and is none of them."""
        given = dict(zip((f.knob.name for f in self.fields), values, strict=True))
        mine = {name: _value(knob, given[name]) for name, knob in self._of(given["stage"]).items() if name != "preset"}
        return build(self.stages[given["stage"]], {name: value for name, value in mine.items() if value is not _UNSET} | fixed)

    def settle(self, stage: str, size: str) -> list[Any]:
        """Updates of `settled` and all fields but stage and preset: the chosen stage's knobs with the preset's values."""
        self._of(stage)
        return [f"{stage} {size}", *(self._update(f.knob, stage, size) for f in self.following)]

    def _of(self, stage: Any) -> dict[str, Knob]:
        """The knobs of a stage, which the browser names."""
        if stage not in tuple(self.knobs):
            raise WorkbenchError("That stage is not known; press one of the cards.")
        return self.knobs[stage]

    @property
    def following(self) -> list[Field]:
        return [f for f in self.fields if f.knob.name not in ("stage", "preset")]

    def _update(self, before: Knob, stage: str, size: str) -> Any:
        knob = self.knobs[stage].get(before.name)
        if knob is None:
            return gr.update(visible=False)
        if knob.ref:
            return gr.update(visible=True, info=knob.help)
        value = preset(stage, size).get(knob.name, knob.default)
        listed = ", ".join(map(str, value)) if isinstance(value, tuple) and not knob.choices else value
        return gr.update(visible=True, info=knob.help, value=listed if listed is not None else "", label=title(knob.name))

    def command(self, count: Any, hosts: Any, sharded: bool, *values: Any) -> str:
        """How to run what the form is set to in several processes: the file, and the command."""
        import json

        from ...steps import to_json

        try:
            step = self.read(*values)
            line = processes.launch_command("job.json", int(count or 1), int(hosts or 1), step="train", sharded=bool(sharded))
        except WorkbenchError as error:
            return f"# {error}"
        text = json.dumps(to_json(step), ensure_ascii=False, indent=1)
        return f"cat > job.json <<'JSON'\n{text}\nJSON\n\n{line}"


def _in_a_line(knob: Knob) -> bool:
    """Several texts stand in one field with commas between: those that have commas or line breaks in them are left to code and command line."""
    return not (knob.many and any(mark in str(value) for value in knob.default or () for mark in ",\n"))
