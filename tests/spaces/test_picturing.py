"""Pictures: what is in them, that they are found again, and every kind of bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from plants import Planted

import workbench as wb
from workbench import spaces
from workbench.errors import WorkbenchError
from workbench.spaces import Measure, Neighbours, Picture, Project, picture


def test_a_picture_of_two_spaces_has_one_frame(planted: Planted) -> None:
    made = picture([planted.first, planted.second], dictionary=planted.pairs, how="procrustes")
    points = made.points
    assert len(points) == 720
    where = points.set_index(["space", "token"])[["x", "y"]]
    both = where.loc[0].merge(where.loc[1], left_index=True, right_index=True, suffixes=("", "_2"))
    assert len(both) == 60  # the names
    assert np.allclose(both[["x", "y"]], both[["x_2", "y_2"]], atol=1e-3)
    assert len(made.lines) == 300
    ends = points.loc[made.lines.ravel(), ["x", "y"]].to_numpy().reshape(-1, 2, 2)
    assert np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1).max() < 1e-3 * np.ptp(points["x"])  # pairs draw together
    assert points.groupby("state").size().to_dict() == {"dropped": 300, "kept": 120, "new": 300}
    assert points.loc[points["state"] == "kept", "displacement"].max() < 1e-3
    for said in ("n = 720", "360 of 360 tokens of first", "principal components", "seed 0", "by procrustes", "not distances in the space"):
        assert said in made.caption


def test_without_alignment_the_same_pairs_lie_apart(planted: Planted) -> None:
    made = picture([planted.first, planted.second], dictionary=planted.pairs, how="none")
    ends = made.points.loc[made.lines.ravel(), ["x", "y"]].to_numpy().reshape(-1, 2, 2)
    assert np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1).mean() > 0.1 * np.ptp(made.points["x"])


def test_samples_of_several_spaces_are_of_the_same_tokens(models: tuple[Path, Path]) -> None:
    made = picture(models, sample=60, seed=2, dimensions=3)
    by_space = [set(made.points.loc[made.points["space"] == n, "key"]) for n in (0, 1)]
    kept = set(made.points.loc[(made.points["space"] == 1) & (made.points["state"] == "kept"), "key"])
    assert kept
    assert kept <= by_space[0]
    assert {"x", "y", "z"} <= set(made.points)
    assert picture(models, sample=60, seed=2, dimensions=3).points.equals(made.points)


def test_only_what_is_asked_for_is_drawn(models: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("the bear lives\n" * 20, encoding="utf-8")
    new = picture(models, state="new", text=str(tmp_path / "text.txt"))
    assert set(new.points["state"]) == {"new"}
    assert any("No token of" in note for note in new.about["notes"])  # the first space has none
    assert "frequency" in new.points
    hand = picture(models, pick=["bear", "fox", "the", "red"], sample=None)
    assert sorted(hand.points.groupby("space").size()) == [4, 4]


def test_the_table_is_as_embedding_atlas_reads_it(planted: Planted, tmp_path: Path) -> None:
    made = picture([planted.first], near=3)
    made.save(tmp_path)
    table = pyarrow.parquet.read_table(tmp_path / "points.parquet")
    assert {"x", "y", "token", "neighbors"} <= set(table.column_names)
    rows = table.column("neighbors").to_pylist()
    vectors = planted.first.vectors(range(360)).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -2)
    assert rows[7]["ids"] == np.argsort(-cosines[7])[:3].tolist()  # of the full space, by row number
    assert np.allclose(rows[7]["distances"], 1 - -np.sort(-cosines[7])[:3], atol=1e-5)
    again = Picture.load(tmp_path)
    assert again.points["token"].tolist() == made.points["token"].tolist()
    assert again.caption == made.caption
    with pytest.raises(WorkbenchError, match="draw it again"):
        Picture.load(tmp_path / "nothing")


def test_an_axis_of_ones_own(planted: Planted) -> None:
    made = picture([planted.second], "axis", axis_from=["р1", "р2"], axis_to=["р3"])
    x = made.points.set_index("text")["x"]
    assert (x["р1"] + x["р2"]) / 2 == pytest.approx(-1, abs=1e-4)
    assert x["р3"] == pytest.approx(1, abs=1e-4)


def test_the_same_picture_is_found_again(models: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    step = Project(spaces=[str(m) for m in models], sample=50, near=2)
    made = wb.run(step)
    assert made.kind == "picture"
    assert Picture.load(made.path).caption == made.metrics["caption"]
    monkeypatch.setattr("workbench.spaces.picturing.picture", None)  # it would not be drawn
    assert step.picture().points["token"].tolist() == Picture.load(made.path).points["token"].tolist()
    with pytest.raises(TypeError):
        Project(spaces=[str(m) for m in models], sample=51, near=2).picture()


def test_the_steps_report_rows(models: tuple[Path, Path], planted: Planted, vec: Path) -> None:
    found = wb.run(Measure(spaces=[str(m) for m in models], anchors=100)).metrics
    assert {row["script"] for row in found["rows"]} >= {"all", "Latin"}
    assert found["aligned"][0]["how"] == "none"
    way = wb.run(Neighbours(token="bear", spaces=[str(m) for m in models], moved=3)).metrics
    assert [row["cosine"] for row in way["rows"][1:]] == pytest.approx([1])
    assert len(way["moved"]) == 3
    only_first = wb.run(Neighbours(token="bear", spaces=[str(models[0]), str(vec)])).metrics
    assert len(only_first["neighbours"]) >= 8
    with pytest.raises(WorkbenchError, match="No token is"):
        wb.run(Neighbours(token="qqqq", spaces=[str(models[0])]))


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({"pick": ["р1"], "sample": None}, "1 token cannot be laid out; choose at least three"),
        ({"method": "axis"}, "give both"), ({"method": "umap", "dimensions": 3}, "Three dimensions are for pca"),
        ({"method": "aligned-umap"}, "two spaces or more"), ({"pick": ["nothing"]}, "No word is"), ({"sample": 0}, "at least three"),
        ({"min_count": 3}, "name one"), ({"state": "new"}, "fits"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(planted: Planted, knobs: dict, said: str) -> None:
    with pytest.raises(WorkbenchError, match=said):
        picture([planted.second], **knobs)


def test_spaces_without_anchors_and_vectors_all_alike_are_said() -> None:
    rng = np.random.default_rng(0)
    first, second = (spaces.of(rng.standard_normal((9, 4)), [f"{c}{n}" for n in range(9)], c) for c in "ab")
    with pytest.raises(WorkbenchError, match="share no token to align them by; give a dictionary"):
        picture([first, second])
    with pytest.raises(WorkbenchError, match="all alike"):
        picture([spaces.of(np.ones((9, 4)), [f"w{n}" for n in range(9)])])
    rows = rng.standard_normal((9, 4))
    rows[2], rows[5] = np.nan, 0
    made = picture([spaces.of(rows, [f"w{n}" for n in range(9)])])
    assert len(made.points) == 7
    assert "w2 (#2), w5 (#5)" in made.about["notes"][0]
    with pytest.raises(WorkbenchError, match="no space to draw"):
        picture([])
