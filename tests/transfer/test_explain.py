"""Back from a vector to what it was made of."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch

import workbench as wb
from workbench import checkpoint, refs, store
from workbench.checkpoint import Checkpoint
from workbench.errors import WorkbenchError
from workbench.tokenizer import Extension, Optimization, extend, load, optimize, save
from workbench.transfer import Clp, Lep, Mean, Random, Salt, Subtokens, Transfer, explain
from workbench.transfer.explaining import Origin

DEMO = "demo:en-base"


@pytest.fixture(scope="module")
def longer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's tokenizer with 300 Russian tokens more."""
    from workbench.demo import stories

    texts = list(islice(stories("ru", "train", 0), 500))
    return save(extend(DEMO, texts, Extension(new_tokens=300, script="Cyrillic")).tokenizer, tmp_path_factory.mktemp("longer"))


@pytest.mark.parametrize(
    "method",
    [Subtokens(), Subtokens(input_from="first", output_from="last"), Salt(donor="demo:ru-plm"), Clp(donor="demo:ru-plm"), Mean()],
    ids=lambda m: m.method,
)
def test_explanations_add_up_to_the_stored_rows(longer: Path, method: object) -> None:
    """Σ c·row is the row to the last bit of fp16, the demo's dtype, in both tables."""
    made = wb.run(Transfer(model=DEMO, tokenizer=longer, method=method))
    origin, before, after = Origin.open(made.id), Checkpoint.open(refs.locate(DEMO)), Checkpoint.open(made.path)
    ids = np.random.default_rng(0).permutation(np.flatnonzero(origin.blend.kind != 0))[:60].tolist()
    ids += np.random.default_rng(0).permutation(np.flatnonzero(origin.blend.kind == 0))[:40].tolist()
    tables = {which: (getattr(before, which)().double(), getattr(after, which)()) for which in ("input", "output")}
    assert len(ids) == 100
    for i in ids:
        found = origin.explain(i, limit=10**6)
        assert found.terms == len(found.rows)
        for which, rows in (("input", found.rows), ("output", found.output_rows or found.rows)):
            old, new = tables[which]
            made_of = sum((row["weight"] * old[row["id"]] for row in rows), torch.zeros(old.shape[1], dtype=torch.float64))
            assert new.dtype == torch.float16
            # Half a unit in the last place of fp16, and the rounding of the sum's own terms in fp64.
            assert ((made_of - new[i].double()).abs() <= 2**-11 * made_of.abs() * 1.01 + 2**-24).all()


def test_what_is_said_of_a_mixed_row(longer: Path) -> None:
    made = wb.run(Transfer(model=DEMO, tokenizer=longer))
    new = load(longer).convert_ids_to_tokens([max(load(longer).get_vocab().values())])[0]
    found = explain(made.id, new)
    assert found.kind == "mix"
    assert sum(row["weight"] for row in found.rows) == pytest.approx(1)
    assert found.text.startswith(f"{found.token} = ")
    assert all(row["token"] in found.text for row in found.rows)
    table = Checkpoint.open(made.path).input().float()
    assert found.norm == pytest.approx(float(table[found.id].norm()), rel=1e-5)
    assert found.output_norm is None  # the demo's tables are tied
    assert found.moved is None
    cosines = torch.nn.functional.cosine_similarity(table, table[found.id][None], dim=1)
    cosines[found.id] = -2
    assert [n["id"] for n in found.neighbours] == cosines.topk(8).indices.tolist()
    cosines[1536:] = -2  # the new rows
    assert [n["id"] for n in found.kept_neighbours] == cosines.topk(8).indices.tolist()
    assert wb.run(wb.transfer.Explain(model=made.id, token=f"#{found.id}")).metrics["text"] == found.text


def test_salt_shows_similarities_and_residual(longer: Path) -> None:
    made = wb.run(Transfer(model=DEMO, tokenizer=longer, method=Salt(donor="demo:ru-plm")))
    origin = Origin.open(made.id)
    mixed = next(int(i) for i in np.flatnonzero(origin.blend.kind == 1) if np.isfinite(origin.blend.residual[i]))
    found = origin.explain(mixed)
    assert all(-1 <= row["similarity"] <= 1 for row in found.rows)
    assert found.residual is not None
    assert 0 <= found.residual <= 1 + 1e-9


def test_a_drawn_row_is_told_to_be_drawn(longer: Path) -> None:
    made = wb.run(Transfer(model=DEMO, tokenizer=longer, method=Random()))
    found = explain(made.id, 1536)
    assert (found.kind, found.rows, found.terms) == ("draw", [], 0)
    assert "drawn at random" in found.text


def trained(model: str, change: float) -> store.Artefact:
    """What training leaves: the same model with its tables moved, and a manifest that names its parent."""
    from workbench.training import Align

    class Moved(Align):
        def run(self, out: Path, progress: object) -> dict:
            source = Checkpoint.open(store.open_artefact(self.model).path)
            generator = torch.Generator().manual_seed(0)
            tables = [t + change * torch.randn(t.shape, generator=generator).to(t.dtype) for t in (source.input(), source.output())]
            checkpoint.write(source, out, *tables)
            save(load(source.path), out)
            return {}

    return wb.run(Moved(model=model, text="demo:ru"))


def test_a_trained_model_is_explained_by_the_transfer_it_came_from(longer: Path) -> None:
    made = wb.run(Transfer(model=DEMO, tokenizer=longer))
    moved = trained(trained(made.id, 0.2).id, 0.2)
    before, after = explain(made.id, 1600), explain(moved.id, 1600)
    assert after.rows == before.rows
    tables = [Checkpoint.open(path).input()[1600].float() for path in (made.path, moved.path)]
    assert after.moved == pytest.approx(float(torch.nn.functional.cosine_similarity(*tables, dim=0)), abs=1e-5)
    assert after.moved < 0.99
    assert after.norm == pytest.approx(float(tables[1].norm()), rel=1e-5)
    assert "has moved since" in after.text


def test_a_model_made_by_lep_is_explained_by_its_adapted_base(longer: Path) -> None:
    made = wb.run(Transfer(model=DEMO, tokenizer=longer))
    chat = wb.run(Lep(base=DEMO, adapted=made.id, instruct="demo:en-chat"))
    found = explain(chat.id, 1600)
    assert found.rows == explain(made.id, 1600).rows
    assert found.moved is not None


def test_tokens_of_an_optimised_tokenizer_are_found_under_their_new_ids(tmp_path: Path) -> None:
    base = tiny.folder(tmp_path / "base")
    texts = (tiny.ENGLISH + tiny.RUSSIAN) * 3
    tokenizer = optimize(load(base), texts, texts, Optimization(keep=290, new_tokens=10, script="Cyrillic")).tokenizer
    made = wb.run(Transfer(model=base, tokenizer=save(tokenizer, tmp_path / "shorter")))
    old = load(base).get_vocab()
    for token, i in tokenizer.get_vocab().items():
        found = explain(made.id, i)
        if token in old:
            assert (found.kind, [row["id"] for row in found.rows]) == ("copy", [old[token]])
        else:
            assert found.kind == "mix"


def test_the_command_line_shows_it_readably(longer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from workbench.__main__ import main

    made = wb.run(Transfer(model=DEMO, tokenizer=longer))
    assert main(["transfer", "explain", made.id, "#1600"]) == 0
    shown = capsys.readouterr().out
    assert explain(made.id, 1600).text in shown
    assert "neighbours" in shown
    assert main(["transfer", "explain", made.id, "#1600", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["id"] == 1600


def test_the_notebook_shows_it_and_escapes_tokens(tmp_path: Path) -> None:
    base = tiny.folder(tmp_path / "base")
    made = wb.run(Transfer(model=base, tokenizer=base))
    shown = wb.widgets.explain(made.id, "</s>").value
    assert "&lt;/s&gt; = 1·&lt;/s&gt;" in shown
    assert "</s>" not in shown
    assert "neighbours" in shown


def test_models_that_no_transfer_made(tmp_path: Path) -> None:
    base = tiny.folder(tmp_path / "base")
    with pytest.raises(WorkbenchError, match="was not made by a transfer"):
        explain(base, 5)
    with pytest.raises(WorkbenchError, match="was not made by a transfer"):
        explain(wb.run(wb.artefacts.Import(source=str(base))).id, 5)
    made = wb.run(Transfer(model=base, tokenizer=base))
    with pytest.raises(WorkbenchError, match="There is no token 9999"):
        explain(made.id, 9999)
