"""The step that starts the app; gradio is loaded only when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from ..progress import Progress
from ..specs import Step


class App(Step):
    """Start the app and stay until it is ended."""

    command: ClassVar[str] = "app"
    heavy: ClassVar[bool] = False
    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on; the default is this machine only.")
    port: int = Field(7860, ge=1, le=65535, description="Port to listen on.")
    open: bool = Field(False, description="Open a browser on it.")

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        from .app import launch

        progress.note(f"The app is on http://{self.host}:{self.port}; Ctrl-C ends it.")
        launch(self.host, self.port, browser=self.open)
        return {}
