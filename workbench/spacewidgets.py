"""The explorer of spaces in a notebook: the page's picture and what a click and a lasso tell, as ipywidgets."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .spaces import Picture

LISTED = 100  # points of a selection that are shown; `chosen` has all
COLUMNS = ("token", "id", "space_name", "state", "script", "norm", "displacement", "relative", "cluster")


class Explorer:
    """A picture to look into. `box` is the widget; `chosen` the rows of the picture's table that the last lasso caught."""

    def __init__(self, picture: Picture, spaces: Sequence[Any] = ()) -> None:
        import ipywidgets

        from . import chiphtml, spaceplots
        from .spaces import open

        self.picture, self.spaces = picture, [open(space) for space in spaces or [s["reference"] for s in picture.about["spaces"]]]
        self.chosen: list[int] = []
        known = [c for c in ("state", "script", "cluster", "space", "norm", "frequency", "displacement", "relative") if c in picture.points or c == "space"]
        self.colour = ipywidgets.Dropdown(options=known, value="state", description="Colour by")
        views = ("side by side", "before", "after", "together") if len(picture.names) > 1 else ("side by side",)
        self.view = ipywidgets.ToggleButtons(options=views, value=views[0])
        self.search = ipywidgets.Text(placeholder="Search tokens …", continuous_update=False)
        self.place, self.said = ipywidgets.VBox(), ipywidgets.HTML()
        self.life, self.table = ipywidgets.HTML(), ipywidgets.HTML()
        self.style = f"<style>{chiphtml.css()}</style>"
        self._figures = spaceplots
        caption = ipywidgets.HTML(f"<small>{escape(picture.caption)}</small>")
        self.box = ipywidgets.VBox([ipywidgets.HBox([self.colour, self.view, self.search]), self.said, self.place, caption, self.life, self.table])
        for control in (self.colour, self.view):
            control.observe(self.draw, "value")
        self.search.observe(self.find, "value")
        self.draw()

    def draw(self, _: object = None) -> None:
        import plotly.graph_objects as go

        figure = go.FigureWidget(self._figures.scatter(self.picture, self.colour.value, self.view.value))
        for trace in figure.data:
            if trace.customdata is not None:
                trace.on_click(self.clicked)
                trace.on_selection(self.lassoed)
        self.place.children = (figure,)

    def find(self, _: object = None) -> list[int]:
        """The rows whose token holds what is searched for; they are named, and stand out as the selected points of the figure."""
        wanted = self.search.value.strip().lower()
        tokens = self.picture.points["token"].str.lower()
        rows = [int(row) for row in tokens.index[tokens.str.contains(wanted, regex=False)]] if wanted else []
        found = set(rows)
        figure = self.place.children[0]
        with figure.batch_update():
            for trace in figure.data:
                if trace.customdata is not None:
                    trace.selectedpoints = [n for n, row in enumerate(trace.customdata) if int(row) in found] if wanted else None
        self.said.value = f"{len(rows):,} points with “{escape(wanted)}”" if wanted else ""
        return rows

    def clicked(self, trace: Any, points: Any, _: Any = None) -> None:
        from .spacehtml import life_html
        from .spaces import life

        if points.point_inds:
            point = self.picture.points.loc[int(trace.customdata[points.point_inds[0]])]
            self.life.value = self.style + life_html(life(self.spaces, int(point["id"]), of=int(point["space"])))

    def lassoed(self, trace: Any, points: Any, _: Any = None) -> None:
        """Each trace tells of its own points: those of the others that were caught by the same lasso stay."""
        mine = {int(row) for row in trace.customdata}
        self.chosen = sorted({row for row in self.chosen if row not in mine} | {int(trace.customdata[n]) for n in points.point_inds})
        rows = self.picture.points.loc[self.chosen[:LISTED], [c for c in COLUMNS if c in self.picture.points]]
        self.table.value = f"<b>{len(self.chosen):,}</b> points chosen{rows.to_html(index=False, escape=True)}" if self.chosen else ""
