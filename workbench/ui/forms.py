"""A form drawn from a step's own knobs: what the step declares is what appears, nothing is listed again."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from .. import refs, store
from ..errors import WorkbenchError
from ..specs import Knob, Step, build, command_line, knobs, python_code
from .chain import Chain

Suggest = Mapping[str, Callable[[Chain], Any]]
TEXTS = ("demo:ru", "demo:fa", "demo:en")
PAIRS = ("demo:en-ru", "demo:en-fa")


@dataclass(frozen=True)
class Field:
    knob: Knob
    component: gr.components.Component


class Form:
    """The knobs of a step as components. `suggest` says which link of the chain a knob ("donor", or of one variant "salt.vectors") starts with."""

    def __init__(
        self, step: type[Step], suggest: Suggest | None = None, hide: tuple[str, ...] = (), first: tuple[str, ...] = (), columns: int = 2,
        unseen: tuple[str, ...] = (), name: str = "",
    ) -> None:  # fmt: skip
        """`hide`: knobs that are left out. `unseen`: knobs whose component is there, but set by something else on the page (cards for a choice).
        `name`: what the elements are called, where two forms have one step."""
        self.step, self.name = step, name or slug(step)
        self.suggest = dict(suggest or {})
        self.unseen = unseen
        shown = [k for k in knobs(step) if k.name not in hide and not _fixed(k)]
        shown.sort(key=lambda k: first.index(k.name) if k.name in first else len(first))
        plain = [k for k in shown if not k.advanced and not k.variant]
        self.fields: list[Field] = []
        self._draw_rows(plain, columns)
        self._draw_variants(shown)
        if advanced := [k for k in shown if k.advanced and not k.variant]:
            with gr.Accordion("Advanced", open=False):
                self._draw_rows(advanced, columns)

    @property
    def inputs(self) -> list[gr.components.Component]:
        return [f.component for f in self.fields]

    @property
    def edits(self) -> list[Any]:
        """The events after which the form holds something else. A choice of variants may be set by the page, and only `change` tells of that."""
        return [f.component.change if _is_tag(f.knob) else f.component.input for f in self.fields] + self.left

    @property
    def left(self) -> list[Any]:
        """Text boxes that are left: while one is written in it tells of letters alone, and not of what is pasted or deleted."""
        return [f.component.blur for f in self.fields if isinstance(f.component, gr.Textbox)]

    @property
    def followers(self) -> list[Field]:
        """References, and whatever else the chain has a suggestion for."""
        return [f for f in self.fields if f.knob.ref or f.knob.name in self.suggest]

    def component(self, name: str) -> gr.components.Component:
        return next(f.component for f in self.fields if f.knob.name == name)

    def read(self, *values: Any, **fixed: Any) -> Step:
        """The step that the form is set to. Raises WorkbenchError in one sentence if it is not whole."""
        given = list(zip([f.knob for f in self.fields], values, strict=True))
        tags = {k.name: v for k, v in given if _is_tag(k)}
        chosen = {k.name: _value(k, v) for k, v in given if not k.variant or tags.get(k.path[-2]) == k.variant}
        return build(self.step, {name: value for name, value in chosen.items() if value is not _UNSET} | fixed)

    def code(self, *values: Any) -> str:
        """Python and command for what the form is set to, or what is still missing."""
        try:
            return code_of(self.read(*values))
        except WorkbenchError as error:
            return f"# {error}"

    def _draw_rows(self, shown: list[Knob], columns: int) -> None:
        # Long things (references, text) first get their own cell; a row holds `columns` of them.
        for start in range(0, len(shown), columns):
            with gr.Row(equal_height=False):
                for knob in shown[start : start + columns]:
                    component = draw(knob, "-".join(filter(None, (self.name, knob.variant, knob.name))))
                    component.visible = "hidden" if knob.name in self.unseen else component.visible
                    self.fields.append(Field(knob, component))

    def _draw_variants(self, shown: list[Knob]) -> None:
        """The knobs of a nested choice stand in one group a variant; only the chosen one is seen."""
        for tag in [k for k in shown if _is_tag(k)]:
            groups = []
            for variant in tag.choices:
                mine = [k for k in shown if k.variant == variant and k.path[-2] == tag.name]
                with gr.Column(visible=variant == tag.default) as group:
                    self._draw_rows([k for k in mine if not k.advanced], 2)
                    if advanced := [k for k in mine if k.advanced]:
                        with gr.Accordion(f"Advanced: {variant}", open=False):
                            self._draw_rows(advanced, 2)
                groups.append(group)
            chosen = tag.choices
            if any(any(k.variant == v for k in shown) for v in chosen):
                picker = self.component(tag.name)  # see Shell.quiet for why the spinner that is not shown has a place
                picker.change(
                    lambda value, chosen=chosen: [gr.update(visible=v == value) for v in chosen], picker, groups, show_progress="hidden",
                    show_progress_on=picker, api_visibility="private",
                )  # fmt: skip


_UNSET = object()


def draw(knob: Knob, name: str = "") -> gr.components.Component:
    """The component that fits a knob's type and bounds; `name` becomes its id in the page."""
    about = {"label": title(knob.name), "info": knob.help, "interactive": True, "elem_id": name or None}
    default = list(knob.default) if isinstance(knob.default, tuple) else knob.default
    if knob.ref:
        return gr.Dropdown(
            choices(knob.ref), value=default if default is not None else [] if knob.many else None, multiselect=knob.many, allow_custom_value=True, **about
        )  # fmt: skip
    if knob.type is bool:
        return gr.Checkbox(bool(default), **about)
    if knob.choices:
        options = [*(["none"] if knob.optional and not _is_tag(knob) else []), *knob.choices]
        kind = gr.Radio if len(options) <= 5 and not knob.many else gr.Dropdown
        return kind(
            options, value=default if default is not None else options[0] if not knob.many else [], **({"multiselect": True} if knob.many else {}), **about
        )
    if knob.type in (int, float) and not knob.many:
        return _number(knob, about)
    return gr.Textbox(
        ", ".join(map(str, default)) if isinstance(default, list) else default or "", placeholder="several, with commas between" if knob.many else None, **about
    )


def _number(knob: Knob, about: dict[str, Any]) -> gr.components.Component:
    whole = knob.type is int
    if knob.optional:  # a Number cannot be left empty: the browser sends 0
        return gr.Textbox("" if knob.default is None else str(knob.default), placeholder="none", **about)
    fits = knob.low is not None and knob.high is not None and knob.high - knob.low <= (256 if whole else 10)
    if fits and (whole or not knob.default or knob.default >= _step_size(knob)):  # a slider cannot say 0.002
        return gr.Slider(knob.low, knob.high, value=knob.default, step=1 if whole else _step_size(knob), **about)
    return gr.Number(knob.default, precision=0 if whole else None, **about)


def _step_size(knob: Knob) -> float:
    return 0.01 if knob.high - knob.low <= 2 else 0.05


def choices(kind: str) -> list[tuple[str, str]]:
    """What a reference of this kind can be: artefacts, newest first, then what the demo brings; any other may be typed."""
    kinds = {"model": ("model",), "tokenizer": ("tokenizer", "model"), "text": ("corpus",), "pairs": ("corpus",)}.get(kind)
    made = [(refs.label(a.id), a.id) for a in store.artefacts() if kinds is None or a.kind in kinds]
    demo = {"text": TEXTS, "pairs": PAIRS}.get(kind) or (refs.demo_names() if kind != "artefact" else ())
    return made + [(name, name) for name in demo]


def code_of(step: Step) -> str:
    return f"import workbench as wb\n\nmade = wb.run({python_code(step)})\n\n# the same on the command line\n{command_line(step)}"


def slug(step: type[Step]) -> str:
    return step.command.replace(".", "-")


def title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _is_tag(knob: Knob) -> bool:
    return bool(knob.choices) and not knob.variant and len(knob.path) > 1 and knob.path[-1] == knob.path[-2]


def _fixed(knob: Knob) -> bool:
    """A Literal of one value is no choice (a stage, a method's own tag)."""
    return len(knob.choices) == 1 and not _is_tag(knob)


def _value(knob: Knob, value: Any) -> Any:
    """What a component holds as the step's value; _UNSET where the user left it empty."""
    if knob.many and isinstance(value, str):
        value = [part.strip() for part in re.split(r"[,\n]", value) if part.strip()]
    if value in ("", None, []) or (value == "none" and knob.optional and knob.choices):
        return None if knob.optional else knob.default if knob.default == "" else _UNSET
    return tuple(value) if knob.many else value
