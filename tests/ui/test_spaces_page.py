"""The Spaces page without a browser: what it sends, and that it believes nothing that comes back."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import pandas
import pytest
import tiny

from workbench import steps
from workbench.errors import WorkbenchError
from workbench.spaces import Project
from workbench.ui.chain import Chain
from workbench.ui.pages import spaces as page
from workbench.ui.spaces import explorer, lives


@pytest.fixture
def key(tmp_path: Path) -> str:
    base = tiny.folder(tmp_path / "base")
    tiny.model(tiny.tokenizer(tmp_path / "other", merges=80, texts=tiny.ENGLISH + tiny.RUSSIAN), seed=1)
    step = Project(spaces=[str(base), str(tmp_path / "other")], how="procrustes", near=0)
    step.picture()
    return step.place.name


def test_what_the_browser_gets_is_json_and_links_points_by_token(key: str) -> None:
    value = explorer.value(key, "state", "side by side", True)
    json.dumps(value)
    made = explorer.opened(key)
    assert len(value["keys"]) == len(made.points)
    rows = made.points.index[made.points["text"] == "bear"]
    assert len({value["keys"][row] for row in rows}) == made.points.loc[rows, "key"].nunique()
    assert value["figure"]["config"]["showSendToCloud"] is False


@pytest.mark.parametrize("data", [None, {}, {"rows": []}, {"rows": [-1]}, {"rows": [10**9]}, {"rows": ["1"]}, {"rows": 3}, {"rows": [1.5]}])
def test_rows_from_the_browser_are_checked(key: str, data: object) -> None:
    with pytest.raises(WorkbenchError, match="no longer shown"):
        explorer.rows_of(data, explorer.opened(key))


def test_keys_from_the_browser_are_checked() -> None:
    for bad in ("", "../x", "picture-" + "0" * 24):
        with pytest.raises(WorkbenchError):
            explorer.file({"key": bad, "what": "csv", "colour": "state", "view": "after", "rows": [1]})


def test_files_hold_the_points(key: str) -> None:
    def read(what: str, rows: list[int] = ()) -> bytes:
        return base64.b64decode(explorer.file([{"key": key, "what": what, "colour": "state", "view": "side by side", "rows": list(rows)}])["base64"])

    assert "neighbors" in pandas.read_parquet(io.BytesIO(read("parquet")))
    chosen = pandas.read_csv(io.BytesIO(read("csv", [0, 5])), encoding="utf-8-sig")
    assert chosen["id"].tolist() == explorer.opened(key).points.loc[[0, 5], "id"].tolist()
    html = read("html").decode()
    assert "not distances" in html
    assert "src=" not in html.split("<script")[0]
    with pytest.raises(WorkbenchError, match="no such file"):
        read("exe")


def test_a_point_is_asked_for_its_life(key: str) -> None:
    made = explorer.opened(key)
    row = int(made.points.index[(made.points["text"] == "bear") & (made.points["space"] == 1)][0])
    assert len(lives.life_of(made, row).stages) == 2


def test_numbers_stand_beside_the_picture(key: str) -> None:
    found = page.metrics_for(explorer.opened(key), key)
    html = page.numbers_html(found)
    assert "cosine of held-out anchors" in html
    assert found["aligned"][0]["how"] == "procrustes"
    assert page.farthest(explorer.opened(key))
    assert "displacement" in page.available(explorer.opened(key))
    assert "frequency" not in page.available(explorer.opened(key))


def test_the_page_follows_the_journey() -> None:
    assert page.stages(Chain(source="demo:en-base")) == ["demo:en-base"]
    assert page.stages(Chain(source="a", transfer="b", trained="c", lep="d")) == ["a", "c", "d"]


def test_what_needs_no_job_is_not_queued() -> None:
    with pytest.raises(WorkbenchError, match="Draw now"):
        page.is_slow(steps.find("spaces.project")(spaces=["demo:en-base"]))
    page.is_slow(steps.find("spaces.project")(spaces=["demo:en-base"], method="umap"))
