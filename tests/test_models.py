"""Loading a model to run it."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
from transformers.utils import logging

from workbench.models import open_model


@pytest.mark.parametrize("shown", [True, False])
def test_loading_draws_no_bar_and_leaves_the_setting_as_it_was(tmp_path: Path, capfd: pytest.CaptureFixture[str], shown: bool) -> None:
    before = logging.is_progress_bar_enabled()
    try:
        (logging.enable_progress_bar if shown else logging.disable_progress_bar)()
        open_model(tiny.folder(tmp_path / "model"))
        assert logging.is_progress_bar_enabled() == shown
        assert "Loading" not in capfd.readouterr().err
    finally:
        (logging.enable_progress_bar if before else logging.disable_progress_bar)()
