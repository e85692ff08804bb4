"""How errors and small pieces of HTML reach a page: always one plain sentence, always escaped."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable
from typing import Any

import gradio as gr

from ..errors import WorkbenchError


def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn what the user did wrong into one sentence on the page; a bug is named as one, without its traceback."""

    @functools.wraps(function)
    def run(*values: Any, **named: Any) -> Any:
        try:
            return function(*values, **named)
        except WorkbenchError as error:
            raise gr.Error(html.escape(str(error)), title="Not yet", print_exception=False, duration=12) from None
        except gr.Error:
            raise
        except Exception as error:  # a bug, of whatever kind: the page says so in a sentence
            raise gr.Error(f"This is a bug in the workbench ({type(error).__name__}); the details are where the app was started.", title="Bug") from error

    return run


def empty(sentence: str) -> str:
    """An empty state: what to do next."""
    return f'<div class="empty">{html.escape(sentence)}</div>'


def numbers(values: dict[str, Any]) -> str:
    """A row of figures with their names."""
    cells = "".join(f"<div><b>{html.escape(say(v))}</b><span>{html.escape(k.replace('_', ' '))}</span></div>" for k, v in values.items() if v is not None)
    return f'<div class="numbers">{cells}</div>'


def notes(lines: list[str], kind: str = "warning") -> str:
    return "".join(f'<div class="note {kind}">{html.escape(line)}</div>' for line in lines)


def say(value: Any) -> str:
    """A number as people write it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"
    return str(value)
