"""Every test gets a home folder of its own and no network."""

from __future__ import annotations

import os
import socket
from itertools import zip_longest
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.update(HF_HUB_OFFLINE="1", GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1")

import pytest

REAL = os.environ.get("WORKBENCH_REAL_DATA")
_connect = socket.socket.connect


@pytest.fixture(autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("WORKBENCH_HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not str(address[0]).startswith(("127.", "localhost", "::1")):
            raise RuntimeError(f"a test reached for the network: {address}")
        return _connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real text and tokenizers."""
    if not REAL or not Path(REAL).is_dir():
        pytest.skip("WORKBENCH_REAL_DATA names no folder of real data")
    return Path(REAL).resolve()


def pytest_configure(config: pytest.Config) -> None:
    """xdist would begin with the files of most tests, and so end with the few long ones, on one process."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process more than cores: two of them left two cores idle for two fifths of the time, waiting for the browser and for jobs."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For runs on several processes, a file on each: the long ones come first, those of the browser between others, as they wait more than they compute."""
    files = list(dict.fromkeys(item.path for item in items))
    browser = [file for file in files if any(item.get_closest_marker("browser") for item in items if item.path == file)]
    others = [file for name in ("test_notebooks", "test_shipped") for file in files if file.stem == name]
    order = [file for pair in zip_longest(browser, others) for file in pair if file]
    items.sort(key=lambda item: order.index(item.path) if item.path in order else len(order))
