"""What a user may be told. Every message is one sentence that names the fix; any other exception is a bug."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class WorkbenchError(Exception):
    """Bad input. Shown to the user as it is; the command line ends with exit code 2."""

    exit_code = 2


class RunFailed(WorkbenchError):
    """Good input, but the work could not be done (a full disk, a diverging loss): exit code 1."""

    exit_code = 1


class Stopped(RunFailed):
    """The user asked a running step to stop."""


def nearest(name: str, options: Iterable[str], limit: int = 3) -> str:
    """' Did you mean a or b?' for the names closest to `name`, or all of them where there are few, or ''."""
    options = sorted(set(options))
    close = difflib.get_close_matches(name, options, n=limit, cutoff=0.5)
    if close:
        return f" Did you mean {' or '.join(close)}?"
    if 0 < len(options) <= 12:
        return f" There is: {', '.join(options)}."
    return ""
