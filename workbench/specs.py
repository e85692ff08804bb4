"""Steps: one frozen pydantic model each, from which form, flags, JSON, recipe and help are all derived.

A step declares its knobs as fields (type, bounds, default and help in one place), its docstring is its help, and
`run(out, progress)` is the work: it fills the empty folder `out` (where the step makes an artefact) and returns its
metrics. Hosts never list knobs; they ask `knobs(step_class)`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

from annotated_types import Ge, Lt
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from .errors import WorkbenchError, nearest
from .progress import Progress


@dataclass(frozen=True)
class Ref:
    """Marks a text field as a reference: an artefact id, `demo:NAME`, a local path or a hub id."""

    kind: Literal["model", "tokenizer", "text", "pairs", "artefact"]


def _as_text(value: object) -> object:
    return value.id if hasattr(value, "id") and hasattr(value, "manifest") else str(value) if isinstance(value, Path) else value


ModelRef = Annotated[str, BeforeValidator(_as_text), Ref("model")]
TokenizerRef = Annotated[str, BeforeValidator(_as_text), Ref("tokenizer")]
TextRef = Annotated[str, BeforeValidator(_as_text), Ref("text")]
PairsRef = Annotated[str, BeforeValidator(_as_text), Ref("pairs")]
ArtefactRef = Annotated[str, BeforeValidator(_as_text), Ref("artefact")]
Seed = Annotated[int, Ge(0), Lt(2**31)]  # what every library takes, those counted from it included


class Options(BaseModel):
    """A frozen group of knobs: a step, or a part of one (a transfer method)."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise WorkbenchError(_sentence(type(self), error)) from None

    @model_validator(mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, values: Any) -> Any:
        """A single value stands for a list of one, as on the command line."""
        if isinstance(values, dict):
            many = {name for name, field in cls.model_fields.items() if name in values and _unwrap(field.annotation, [])[2]}
            return {name: (value,) if name in many and not isinstance(value, (tuple, list)) and value is not None else value for name, value in values.items()}
        return values


class Step(Options):
    """The base of all steps."""

    command: ClassVar[str]  # as typed: "tokenizer.extend"
    makes: ClassVar[str] = ""  # the kind of artefact made; "" where the step only reports
    main: ClassVar[tuple[str, ...]] = ()  # knobs that may be given without their flag, in this order
    heavy: ClassVar[bool] = True  # waits its turn in the queue of jobs

    def made_kind(self) -> str:
        """The kind of artefact that this step, set as it is, makes."""
        return self.makes

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        """Do the work: fill the empty folder `out` (if the step makes an artefact) and return the metrics, as JSON."""
        raise WorkbenchError(f"{type(self).__name__} has no run method; define run(out, progress).")


class ModelStep(Step):
    """The base of steps that run a model."""

    device: str = Field(
        "auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="Where to compute: auto, cpu, cuda, cuda:N or mps.", json_schema_extra={"advanced": True}
    )
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="Number format to compute in; auto chooses by device.", json_schema_extra={"advanced": True}
    )


@dataclass(frozen=True)
class Knob:
    """One field of a step as a host sees it."""

    name: str
    type: type
    default: Any
    help: str
    required: bool
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    many: bool = False
    optional: bool = False
    ref: str = ""
    advanced: bool = False
    flag: str = ""  # a shorter flag than its name, where Python keeps that word for itself
    variant: str = ""  # the tag of the nested choice this knob belongs to, e.g. "salt"
    path: tuple[str, ...] = ()  # where the value goes in the step's JSON


def knobs(model: type[BaseModel], variant: str = "", path: tuple[str, ...] = ()) -> list[Knob]:
    """All knobs of a step; those of a nested tagged choice (a transfer method) are listed flat, with their variant."""
    found: list[Knob] = []
    for name, field in model.model_fields.items():
        if variants := tagged(field):
            default = tag_of(type(field.default), name) if field.default is not None and not field.is_required() else None
            found.append(Knob(name, str, default, field.description or "", field.is_required(), tuple(variants), path=(*path, name, name)))
            for tag, option in variants.items():
                found += [k for k in knobs(option, tag, (*path, name)) if k.name != name]
        else:
            found.append(_knob(name, field, variant, (*path, name)))
    return found


def _knob(name: str, field: FieldInfo, variant: str, path: tuple[str, ...]) -> Knob:
    kind, marks, many, optional = _unwrap(field.annotation, list(field.metadata))
    bounds = {attr: getattr(m, attr) for m in marks for attr in ("ge", "gt", "le", "lt") if getattr(m, attr, None) is not None}
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    choices = tuple(str(c) for c in get_args(kind)) if get_origin(kind) is Literal else ()
    return Knob(
        name=name, type=str if choices else kind, default=None if field.is_required() else field.get_default(call_default_factory=True),
        help=field.description or "", required=field.is_required(), choices=choices, many=many, optional=optional,
        low=bounds.get("ge", bounds.get("gt")), high=bounds.get("le", bounds.get("lt")), ref=next((m.kind for m in marks if isinstance(m, Ref)), ""),
        advanced=bool(extra.get("advanced")), flag=str(extra.get("flag", "")), variant=variant, path=path,
    )  # fmt: skip


def _unwrap(annotation: Any, marks: list[Any]) -> tuple[Any, list[Any], bool, bool]:
    """The plain type under Annotated, Optional and tuple: (type, marks, many, optional)."""
    many = optional = False
    while True:
        origin, args = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            annotation, marks = args[0], marks + list(args[1:])
        elif origin in (Union, UnionType) and NoneType in args and len(args) == 2:
            annotation, optional = next(a for a in args if a is not NoneType), True
        elif origin in (tuple, list):
            annotation, many = args[0], True
        else:
            return annotation, marks, many, optional


def tagged(field: FieldInfo) -> dict[str, type[BaseModel]]:
    """The variants of a discriminated union by tag, or {} for any other field."""
    if not isinstance(field.discriminator, str):
        return {}
    options = [a for a in get_args(field.annotation) if a is not NoneType] or [field.annotation]
    return {tag_of(option, field.discriminator): option for option in options}


def tag_of(model: type[BaseModel], name: str) -> str:
    return str(get_args(model.model_fields[name].annotation)[0])


def build(model: type[Step], flat: Mapping[str, Any]) -> Step:
    """A step from flat knob values, as flags and forms give them; unknown names are refused with the nearest known one."""
    every = knobs(model)
    nested: dict[str, Any] = {}
    for name, value in flat.items():
        mine = [k for k in every if k.name == name and (not k.variant or k.variant == flat.get(k.path[-2], _default_tag(every, k)))]
        if not mine:
            others = sorted({k.variant for k in every if k.name == name})
            hint = f" It belongs to {', '.join(others)}." if others else nearest(name, {k.name for k in every})
            raise WorkbenchError(f"{model.command} has no knob '{name}' here.{hint}")
        place = nested
        for part in mine[0].path[:-1]:
            place = place.setdefault(part, {})
        place[mine[0].path[-1]] = value
    for tag in (k for k in every if k.choices and len(k.path) > 1 and k.path[-1] == k.path[-2] and not k.variant):
        if tag.name in nested or tag.required:
            nested.setdefault(tag.name, {}).setdefault(tag.name, tag.default)
    return model(**nested)


def _default_tag(every: list[Knob], knob: Knob) -> Any:
    return next((k.default for k in every if k.name == knob.path[-2] and not k.variant), None)


def flat(step: BaseModel, defaults: bool = False) -> dict[str, Any]:
    """The knob values of a step, nested choices flattened; only those that differ from their default unless asked."""
    out: dict[str, Any] = {}
    for name, field in type(step).model_fields.items():
        value = getattr(step, name)
        if tagged(field):
            out |= {name: getattr(value, name)} | {k: v for k, v in flat(value, defaults).items() if k != name}
        elif defaults or field.is_required() or value != field.get_default(call_default_factory=True):
            out[name] = value
    return out


def command_line(step: Step) -> str:
    """The shell command that runs this step."""
    words = ["workbench", *step.command.split(".")]
    for name, value in _line_values(step):
        flag = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            words.append(flag if value else "--no-" + flag[2:])
        elif isinstance(value, (tuple, list)):
            words += [flag, *map(str, value)]
        else:
            text = "none" if value is None else str(value)
            words += [f"{flag}={text}"] if text.startswith("-") else [flag, text]
    return shlex.join(words)


def _line_values(step: Step) -> Iterator[tuple[str, Any]]:
    values = flat(step)
    tag = stage_of(type(step))
    yield from ({tag[0]: tag[1]} | values if tag else values).items()


def stage_of(model: type[BaseModel]) -> tuple[str, str] | None:
    """(field, tag) of a step class that shares its command with others, told apart by a one-valued Literal called `stage`."""
    return ("stage", tag_of(model, "stage")) if "stage" in model.model_fields else None


def python_code(step: BaseModel) -> str:
    """The Python expression that makes this step, through the package's public names."""
    noun = type(step).__module__.split(".")[1:2] or ["mine"]
    given = [f"{name}={python_code(value) if isinstance(value, BaseModel) else repr(value)}" for name, value in _given(step)]
    return f"wb.{noun[0]}.{type(step).__name__}({', '.join(given)})"


def _given(step: BaseModel) -> Iterator[tuple[str, Any]]:
    for name, field in type(step).model_fields.items():
        if field.is_required() or getattr(step, name) != field.get_default(call_default_factory=True):
            yield name, getattr(step, name)


def _sentence(model: type[BaseModel], error: ValidationError) -> str:
    """pydantic's first complaint as one plain sentence."""
    first = error.errors()[0]
    where = ".".join(str(p) for p in first["loc"] if not isinstance(p, int)) or "the input"
    name = getattr(model, "command", model.__name__)
    if first["type"] == "extra_forbidden":
        return f"{name} has no knob '{where}'.{nearest(where, model.model_fields)}"
    if first["type"] == "missing":
        return f"{name} needs '{where}'; give it a value."
    if first["type"].startswith("union_tag"):
        return f"{name}: {where} is not one of the choices: {first.get('ctx', {}).get('expected_tags', '')}."
    return f"{name}: {where}={first['input']!r} is not valid: {first['msg'][0].lower()}{first['msg'][1:]}."
