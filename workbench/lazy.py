"""Public names that are loaded when they are first asked for: importing a package stays instant."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any


def names(package: str, **homes: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """(`__getattr__`, `__dir__`, `__all__`) of a package whose modules define these names: module="one two three"."""
    home = {name: module for module, listed in homes.items() for name in listed.split()}

    def load(name: str) -> Any:
        if name in home:
            return getattr(importlib.import_module(f"{package}.{home[name]}"), name)
        raise AttributeError(f"module '{package}' has no attribute {name!r}")

    return load, lambda: sorted(home), list(home)
