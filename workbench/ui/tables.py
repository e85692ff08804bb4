"""Tables that can be downloaded, and figures: the two ways results are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr
import plotly.graph_objects as go
from gradio.components.plot import PlotData

from .. import plots

# The browser has the rows already: the file is made there, nothing is written on the server.
SAVE_CSV = """(table) => {
  const cell = (value) => '"' + String(value ?? '').replaceAll('"', '""') + '"';
  const lines = [table.headers, ...table.data].map((row) => row.map(cell).join(','));
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob(['\\ufeff' + lines.join('\\r\\n')], { type: 'text/csv' }));
  link.download = 'FILE.csv';
  link.click();
  URL.revokeObjectURL(link.href);
}"""

SAVE_TEXT = """(text) => {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'TYPE' }));
  link.download = 'FILE';
  link.click();
  URL.revokeObjectURL(link.href);
}"""


class Table:
    """A table with its download button; hidden until it has rows. `update(rows)` gives the updates of `parts`."""

    def __init__(self, label: str, file: str, max_height: int = 420, wrap: bool = False) -> None:
        with gr.Column(visible=False) as self.box:
            self.frame = gr.Dataframe(
                label=label, interactive=False, wrap=wrap, max_height=max_height, buttons=["copy", "fullscreen"], elem_id=f"table-{file}", show_label=True
            )
            with gr.Row(elem_classes="download-row"):
                button = gr.Button("Download as CSV", size="sm", scale=0, min_width=150)
        button.click(None, self.frame, None, js=SAVE_CSV.replace("FILE", file), api_visibility="private")

    @property
    def parts(self) -> list[Any]:
        return [self.box, self.frame]

    @staticmethod
    def update(rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        columns = list(dict.fromkeys(key for row in rows for key in row))
        cells = [[plain(row.get(c)) for c in columns] for row in rows]
        return [gr.update(visible=bool(rows)), gr.update(value={"headers": [c.replace("_", " ") for c in columns], "data": cells})]


def save_text(button: gr.Button, source: gr.components.Component, file: str, kind: str = "text/plain") -> None:
    """Let a button save what a component holds as a file."""
    button.click(None, source, None, js=SAVE_TEXT.replace("FILE", file).replace("TYPE", kind), api_visibility="private")


def figure(label: str = "", visible: bool = False) -> gr.Plot:
    """An empty place for a figure. The camera in its corner saves it as PNG."""
    return gr.Plot(visible=visible, show_label=False, label=label)


def drawn(made: go.Figure | None) -> Any:
    """The update that shows a figure with our configuration (no cloud button), or hides the place."""
    if made is None:
        return gr.update(visible=False)
    import json

    return gr.update(value=PlotData(type="plotly", plot=json.dumps(plots.show(made))), visible=True)


def plain(value: Any) -> Any:
    """A cell: short numbers, lists as text."""
    if isinstance(value, float):
        return float(f"{value:.4g}") if abs(value) < 1000 else round(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{k}: {v}" for k, v in value.items())
    return "–" if value is None else value
