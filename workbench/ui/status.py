"""A job's state as HTML: its bar and log, for whom it waits, what waits behind it, and what ended early."""

from __future__ import annotations

import html
from typing import Any

from .. import jobs, refs
from .snapshots import WORDS, Snapshot, is_heavy, recent

EARLY = 3  # jobs that ended early and are offered beside the newest


def queued(shot: Snapshot) -> str:
    """For whom a waiting job waits; "" for any other."""
    if shot.state != "waiting":
        return ""
    ahead = [s for s in recent(limit=60) if not s.ended and s.id != shot.id and is_heavy(s) and (s.state == "running" or s.id < shot.id)]
    names = ", ".join(f"{s.title} ({s.state})" for s in reversed(ahead))
    return f"waiting for its turn: {len(ahead)} before it, {names}" if ahead else ""


def waiting_html(shown: Snapshot, found: list[Snapshot]) -> str:
    """The jobs that wait behind the one that is shown."""
    waiting = [s for s in reversed(found) if s.state == "waiting" and s.id != shown.id]
    rows = "".join(f"<li>{html.escape(s.name or said_of(s))}</li>" for s in waiting)
    return f'<div class="queue">Then, in this order (each can be stopped on the left):<ol>{rows}</ol></div>' if waiting else ""


def early_html(shown: Snapshot, found: list[Snapshot]) -> str:
    """Other jobs that ended early and kept what they can be gone on from."""
    early = [s for s in found if s.id != shown.id and s.resumable and any((jobs.folder() / s.id / "work").rglob("record.json"))][:EARLY]
    rows = "".join(f'<li>{html.escape(s.name or said_of(s))}, {s.fraction:.0%}<button type="button" data-job="{s.id}">resume</button></li>' for s in early)
    return f'<div class="queue">Ended early, with a checkpoint:<ul>{rows}</ul></div>' if early else ""


def said_of(shot: Snapshot) -> str:
    """A job by its step, stage and what it works on."""
    spec = jobs.open_job(shot.id).spec
    return " ".join(filter(None, [shot.step, str(spec.get("stage", "")), refs.label(str(spec.get("model") or spec.get("recipe") or ""))]))


def bar_of(shot: Snapshot, said: str = "") -> str:
    """Progress, state and log as HTML."""
    words = said or ("stopped early" if shot.state == "done" and shot.resumable else WORDS[shot.state])
    detail = shot.error if shot.state in ("failed", "stopped") else shot.message if not shot.ended else made_of(shot)
    percent = round(100 * shot.fraction)
    log = "".join(log_line(e) for e in shot.events[-200:] if e["kind"] in ("note", "warning", "state"))
    warnings = "".join(f'<div class="note warning">{html.escape(e["message"])}</div>' for e in shot.events if e["kind"] == "warning")
    bar = "" if shot.ended else f'<div class="bar" role="progressbar" aria-valuenow="{percent}"><i style="width:{percent}%"></i></div>'
    return (
        f'<div class="job {shot.state}" data-job="{shot.id}">{bar}<div class="job-line"><span class="state">{html.escape(words)}</span>'
        f'<span class="percent">{"" if shot.ended else f"{percent} %"}</span><span class="detail">{html.escape(detail)}</span></div>{warnings}'
        f"<details><summary>Log of job {shot.id}</summary><pre>{log}</pre></details></div>"
    )


def made_of(shot: Snapshot) -> str:
    made = (shot.result or {}).get("id")
    return f"made {refs.label(made)}" if made else ""


def log_line(event: dict[str, Any]) -> str:
    import time

    clock = time.strftime("%H:%M:%S", time.localtime(event["at"]))
    text = event["message"] + (f": {event['data']['error']}" if event.get("data", {}).get("error") else "")
    return f"{clock}  {html.escape(text)}\n"
