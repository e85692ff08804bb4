"""The command line, derived from the steps: `workbench STEP --knob value …`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import textwrap
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NoReturn

from . import processes
from .errors import WorkbenchError, nearest
from .progress import Event, Progress
from .specs import Knob, Step, knobs, stage_of


def main(words: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 2 for bad input, 1 for a failed run."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    words = list(sys.argv[1:] if words is None else words)
    debug = "--debug" in words
    words = [w for w in words if w != "--debug"]
    try:
        return _command(words)
    except WorkbenchError as error:
        if debug:
            traceback.print_exc()
        print(f"workbench: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("workbench: stopped.", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    except Exception as error:  # a bug, of whatever kind: one sentence, and the traceback for who asks
        if debug:
            traceback.print_exc()
        print(f"workbench: this is a bug ({type(error).__name__}: {error}); run it again with --debug to see where.", file=sys.stderr)
        return 1


def _command(words: list[str]) -> int:
    from .steps import find, from_flat, from_json, menu

    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    if words[0] not in menu() and _below(words[0]) and not set(words[1:]) - {"-h", "--help", "help"}:
        print(overview(words[0]))
        return 0
    command, rest = _split(words, set(menu()))
    as_json, rest = "--json" in rest, [w for w in rest if w != "--json"]
    name, figure, work, report = _take(rest, "--name") or "", _take(rest, "--figure"), _take(rest, "--work"), _take(rest, "--report")
    stage = _peek(rest, "--stage")
    if path := _take(rest, "--spec"):
        step = from_json(_read_spec(path, command))
    else:
        step_class = find(command, stage)
        parser = _parser(step_class, menu()[command])
        if "-h" in rest or "--help" in rest:
            print(parser.format_help())
            return 0
        step = from_flat(command, _given(parser.parse_args(rest)))
    if figure:
        from . import pictures

        pictures.check(command, figure)
    if report:
        _check_report(command, report)
    said: set[str] = set()
    made = _run(step, name, said, work)
    if not processes.main():
        return 0
    if figure:
        print(f"figure: {pictures.write(pictures.draw(command, made.metrics), figure)}", file=sys.stderr)
    if report:
        _write_report(step, made.metrics, Path(report))
    _show(made, as_json, said)
    return 0


def _check_report(command: str, path: str) -> None:
    if command != "evaluate" or Path(path).suffix != ".html" or not Path(path).parent.is_dir():
        raise WorkbenchError(f"A report cannot be written as '{path}'; --report goes with evaluate, and names an .html file in a folder that is there.")


def _write_report(step: Step, metrics: dict[str, Any], path: Path) -> None:
    from . import scorecardhtml
    from .specs import command_line

    try:
        path.write_text(scorecardhtml.report_html(metrics, command_line(step)), encoding="utf-8")
    except OSError as error:
        raise WorkbenchError(f"{path} cannot be written ({error.strerror or error}); name another file.") from error
    print(f"report: {path}", file=sys.stderr)


def _split(words: list[str], commands: set[str]) -> tuple[str, list[str]]:
    """The command, with a dot or a space between its parts, and the words after it."""
    if len(words) > 1 and f"{words[0]}.{words[1]}" in commands:
        return f"{words[0]}.{words[1]}", words[2:]
    if words[0] in commands:
        return words[0], words[1:]
    typed = ".".join(words[:2]) if len(words) > 1 and any(c.startswith(words[0] + ".") for c in commands) else words[0]
    raise WorkbenchError(f"There is no step '{typed}'.{nearest(typed, commands)} 'workbench' alone lists them all.")


def _peek(words: list[str], flag: str) -> str | None:
    joined = next((w.partition("=")[2] for w in words if w.startswith(flag + "=")), None)
    return joined or (words[words.index(flag) + 1] if flag in words[:-1] else None)


def _take(words: list[str], flag: str) -> str | None:
    """Remove a flag and its value from the words."""
    value = _peek(words, flag)
    if value is not None:
        at = next(i for i, w in enumerate(words) if w == flag or w.startswith(flag + "="))
        del words[at : at + (2 if words[at] == flag else 1)]
    return value


def _read_spec(path: str, command: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - also reads /dev/stdin
            spec = json.load(file)
    except (OSError, ValueError) as error:
        raise WorkbenchError(f"The step's file {path} cannot be read as JSON ({error}); write one with 'show code' in the app.") from error
    spec = spec.get("spec", spec) if isinstance(spec, dict) else spec
    if not isinstance(spec, dict):
        raise WorkbenchError(f"{path} holds no step; write one with 'show code' in the app.")
    if spec.setdefault("step", command) != command:
        raise WorkbenchError(f"{path} holds a step '{spec['step']}', not '{command}'; run 'workbench {spec['step']} --spec {path}'.")
    return spec


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise WorkbenchError(f"{self.prog}: {message}; --help lists the knobs.")

    def parse_args(self, words: list[str]) -> argparse.Namespace:  # type: ignore[override] # one caller, one form
        known, rest = self.parse_known_args(words)
        if rest:
            flags = [s for a in self._actions for s in a.option_strings if s.startswith("--") and s != "--help" and "_" not in s]
            raise WorkbenchError(f"{self.prog} has no knob '{rest[0]}'.{nearest(rest[0].partition('=')[0], flags)}")
        return known


def _parser(step: type[Step], siblings: tuple[type[Step], ...]) -> argparse.ArgumentParser:
    """Flags of a step. Values stay text: types and bounds are pydantic's business."""
    parser = _Parser(
        prog=f"workbench {step.command}", usage=_usage(step), description=textwrap.dedent(step.__doc__ or ""), argument_default=argparse.SUPPRESS,
        allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, epilog=_also(step),
    )  # fmt: skip
    seen: set[str] = set()
    for knob in knobs(step):
        if knob.name in seen:
            continue
        seen.add(knob.name)
        same = [k for k in knobs(step) if k.name == knob.name]
        _flag(parser, knob, step, [k.variant for k in same if k.variant])
    if (tag := stage_of(step)) and len(siblings) > 1:
        parser.description += f"\n\nStages: {', '.join(stage_of(s)[1] for s in siblings)} (shown: {tag[1]})."
    return parser


def _usage(step: type[Step]) -> str:
    """The knobs that may be given by position, in their order; all others by flag."""
    many = {knob.name for knob in knobs(step) if knob.many}
    main = [f"[{name.upper()}{' …' if name in many else ''}]" for name in step.main]
    return " ".join(["workbench", *step.command.split("."), *main, "[--knob value …]"])


def _also(step: type[Step]) -> str:
    from .pictures import FIGURES, SUFFIXES

    figure = f"--figure FILE ({', '.join(SUFFIXES)}), " if step.command in FIGURES else ""
    figure += "--report FILE.html (the scorecard as one file), " if step.command == "evaluate" else ""
    below = f"\nSteps below it: {', '.join(_below(step.command))}." if _below(step.command) else ""
    return f"Also: --json (one JSON object on stdout), {figure}--name TEXT, --spec FILE.json, --work FOLDER (checkpoints to go on from), --debug.{below}"


def _flag(parser: argparse.ArgumentParser, knob: Knob, step: type[Step], variants: list[str]) -> None:
    text = knob.help.replace("%", "%%")
    if variants:
        text = f"[{', '.join(variants)}] {text}"
    if knob.choices:
        text += f" ({', '.join(knob.choices)})"
    if not knob.required and knob.default not in (None, "", ()):
        text += f" [{' '.join(map(str, knob.default)) if isinstance(knob.default, tuple) else knob.default}]".replace("%", "%%")
    flags = list(dict.fromkeys([f"--{knob.flag or knob.name.replace('_', '-')}", f"--{knob.name.replace('_', '-')}", f"--{knob.name}"]))
    if knob.type is bool:
        parser.add_argument(*flags, dest=knob.name, action=argparse.BooleanOptionalAction, help=text)
        return
    label = knob.ref.upper() or {int: "N", float: "X"}.get(knob.type, "TEXT")
    nargs = "+" if knob.many else None
    convert = (lambda word: None if word.lower() == "none" else word) if knob.optional else str
    parser.add_argument(*flags, dest=knob.name, metavar=label, nargs=nargs, type=convert, action="extend" if knob.many else "store", help=text)
    if knob.name in step.main:
        parser.add_argument(f"{knob.name}_", metavar=knob.name.upper(), nargs="*" if knob.many else "?", type=convert, help=argparse.SUPPRESS)


def _given(parsed: argparse.Namespace) -> dict[str, Any]:
    """Knob values that were typed, by flag or by position."""
    typed = {name: value for name, value in vars(parsed).items() if value not in (None, []) or not name.endswith("_")}
    twice = next((name for name in typed if name + "_" in typed), None)
    if twice:
        raise WorkbenchError(f"'{twice}' is given twice, as {typed[twice + '_']!r} and by its flag; give it once.")
    return {name.rstrip("_"): value for name, value in typed.items()}


def _run(step: Step, name: str, said: set[str], work: str | None) -> Any:
    """Run in the foreground, with a bar on stderr; `said` gets its notes and warnings. With `work`, it can be stopped and gone on with."""
    from tqdm import tqdm

    from . import store

    stopping = threading.Event()
    signals = _stop_on_signal(stopping) if work else nullcontext()
    with signals, tqdm(total=100, file=sys.stderr, bar_format="{desc}{bar:30} {n:3.0f}% {elapsed}", disable=not sys.stderr.isatty(), leave=False) as bar:

        def show(event: Event) -> None:
            if event.kind == "progress":
                bar.set_description_str(f"{event.message[:60]} ", refresh=False)
                bar.update(100 * (event.fraction or 0) - bar.n)
            elif event.kind in ("note", "warning"):
                said.add(event.message)
                bar.write(f"{'warning: ' if event.kind == 'warning' else ''}{event.message}", file=sys.stderr)

        return store.run(step, Progress(show, stopping.is_set, Path(work) if work else None), name=name)


@contextmanager
def _stop_on_signal(stopping: threading.Event) -> Iterator[None]:
    """Ctrl-C, or the notice that a cluster gives before it takes a machine back, once: stop and keep a checkpoint; twice: end at once."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def asked(number: int, frame: Any) -> None:
        stopping.set()
        signal.signal(number, before[number])

    for number in before:
        signal.signal(number, asked)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _show(made: Any, as_json: bool, said: set[str]) -> None:
    from . import terminal

    if as_json:
        print(json.dumps(made.summary(), ensure_ascii=False))
        return
    where = sys.stderr if made.id and made.kind != "recipe" else sys.stdout  # what a shell catches from a step that makes something is its id
    for line in terminal.lines(made.metrics, said):
        print(line, file=where)
    if made.id:
        print(made.id)


def _below(group: str) -> list[str]:
    from .steps import menu

    return [command for command in menu() if command.startswith(f"{group}.")]


def _stages(classes: tuple[type[Step], ...]) -> str:
    """Which stages a command has beside the one that its first line is about."""
    others = [stage_of(each)[1] for each in classes[1:]]
    return f" --stage {', '.join(others)}: see --help." if others else ""


def overview(group: str = "") -> str:
    """All steps, or those of a group, with the first line of their help, in the order of the story."""
    from .steps import menu

    steps = {command: classes for command, classes in menu().items() if not group or command.startswith(f"{group}.")}
    width = max(map(len, steps))
    lines = [f"  {name:<{width}}  {(classes[0].__doc__ or '').strip().splitlines()[0]}{_stages(classes)}" for name, classes in steps.items()]
    step = f"{group} STEP".strip()
    return "\n".join([f"workbench {step} --knob value …    (workbench {step} --help lists its knobs)", "", *lines])


if __name__ == "__main__":
    sys.exit(main())
