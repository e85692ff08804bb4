"""Bringing things in and taking them out."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
import torch

import workbench as wb
from workbench.artefacts import Artefacts, Export, Import
from workbench.checkpoint import Checkpoint
from workbench.errors import WorkbenchError


@pytest.mark.parametrize("shards", [False, True])
def test_a_model_comes_in_whole_and_goes_out_whole(tmp_path: Path, shards: bool) -> None:
    from transformers import AutoModelForCausalLM

    place = tiny.folder(tmp_path / "model", shards=shards, chat=True)
    made = wb.run(Import(source=str(place)), name="mine")
    assert (made.kind, made.name) == ("model", "mine")
    out = wb.run(Export(artefact=made.id, to=str(tmp_path / "out"))).metrics["path"]
    for name, tensor in AutoModelForCausalLM.from_pretrained(out).state_dict().items():
        assert torch.equal(tensor, Checkpoint.open(place).tensor(name))
    with pytest.raises(WorkbenchError, match="exists already"):
        wb.run(Export(artefact=made.id, to=out))
    rows = Artefacts(rename=made.id, to="other").run(Path(), None)["rows"]
    assert [(r["id"], r["name"]) for r in rows] == [(made.id, "other")]
    assert Artefacts(delete=made.id).run(Path(), None)["rows"] == []


def test_a_tokenizer_comes_in_as_a_tokenizer(tmp_path: Path) -> None:
    made = wb.run(Import(source=str(tiny.tokenizer(tmp_path / "t"))))
    assert made.kind == "tokenizer"
    assert wb.tokenizer.load(made.id).get_vocab() == wb.tokenizer.load(tmp_path / "t").get_vocab()


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match="no artefact, file, folder or hub id"):
        wb.run(Import(source=str(tmp_path / "nothing")))
    with pytest.raises(WorkbenchError, match="hub did not give it"):
        wb.run(Import(source="nobody/nothing"))
    assert wb.store.artefacts() == []


def test_an_export_touches_nothing_that_was_there(tmp_path: Path) -> None:
    made = wb.run(Import(source=tiny.tokenizer(tmp_path / "t")))
    (tmp_path / ".out.part").mkdir()
    (tmp_path / ".out.part" / "precious").touch()
    wb.run(Export(artefact=made.id, to=str(tmp_path / "out")))
    assert (tmp_path / ".out.part" / "precious").exists()
