"""Laws that every method obeys."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from aids import METHODS as EVERY

from workbench.checkpoint import Checkpoint
from workbench.errors import WorkbenchError
from workbench.steps import from_json, to_json
from workbench.tokenizer import Extension, extend, load, save
from workbench.transfer import Blend, Carry, Mean, Subtokens, Transfer
from workbench.transfer.assemble import explain
from workbench.transfer.base import DRAW, Method, Task
from workbench.transfer.steps import METHODS, Preview


@pytest.fixture(scope="module", params=[False, True], ids=["untied", "tied"])
def carry(request: pytest.FixtureRequest, longer: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Carry:
    place = tmp_path_factory.mktemp("carry")
    base = tiny.folder(place / "base", tied=request.param, shards=request.param, dtype="bfloat16")
    return Carry.open(base, longer[1])


def reestimates(method: Method) -> bool:
    """Whether it makes tokens anew that both vocabularies have."""
    return getattr(type(method), "reestimates", False)


def test_all_methods_are_tried_here(aids) -> None:
    assert {type(make(aids)) for make in EVERY.values()} == set(METHODS)


def test_shared_rows_are_copied_bit_for_bit_and_the_rest_is_finite(carry: Carry, method) -> None:
    first, second = carry.tables(method.blend(carry.task))
    assert (second is None) == carry.source.tied
    old = carry.source.shape[0]
    assert torch.equal(first[:old], carry.source.input()) != reestimates(method)
    assert first.dtype == torch.bfloat16
    assert torch.isfinite(first.float()).all()
    assert len(first) == old + 30
    if second is not None:
        assert torch.equal(second[:old], carry.source.output()) != reestimates(method)
        assert not torch.equal(second[old:], first[old:])


def test_the_same_tokenizer_in_gives_the_same_weights_out(carry: Carry, method, tmp_path: Path) -> None:
    if reestimates(method):
        pytest.skip("says of itself that it makes every token anew")
    padded = tiny.model(tiny.tokenizer(tmp_path / "m"), pad_rows=7)
    same = Carry.open(padded, padded)
    first, second = same.tables(method.blend(same.task))
    assert torch.equal(first, same.source.input())
    assert torch.equal(second, same.source.output())


def test_same_seed_same_bytes_and_global_randomness_is_left_alone(carry: Carry, method) -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    tables = [carry.tables(method.blend(carry.task))[0] for _ in range(2)]
    assert torch.equal(*tables)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    other = Carry(carry.source, carry.source_tokenizer, carry.target_tokenizer, seed=1)
    blend = method.blend(other.task)
    assert torch.equal(other.tables(blend)[0], tables[0]) == (blend.draw is None)


def test_permuting_target_ids_permutes_rows(carry: Carry, method) -> None:
    """Random rows are drawn by their token, not by their place."""

    class Turned:
        def __init__(self, vocabulary, order):
            self.vocabulary, self.order, self.size = vocabulary, order, vocabulary.size

        def identity(self, i):
            return self.vocabulary.identity(int(self.order[i]))

    task = carry.task
    order = np.random.default_rng(0).permutation(len(task.kept))
    turned = Task(task.source, Turned(task.target, order), task.kept[order], task.rows, task.seed)
    table = carry.source.input().float()
    straight = method.blend(task).fill(table)
    assert torch.allclose(method.blend(turned).fill(table), straight[torch.from_numpy(order)], rtol=1e-6, atol=1e-7)


def test_scaling_the_source_scales_the_result(carry: Carry, method) -> None:
    table = carry.source.input().float()
    once, twice = method.blend(carry.task).fill(table), method.blend(carry.task).fill(2 * table)
    assert torch.allclose(twice, 2 * once, rtol=1e-5, atol=1e-6)


def test_rotating_the_source_rotates_the_result(carry: Carry, method) -> None:
    blend, table = method.blend(carry.task), carry.source.input().double()
    turn = torch.linalg.qr(torch.randn(len(table.T), len(table.T), generator=torch.Generator().manual_seed(1), dtype=torch.float64)).Q
    made, turned = blend.fill(table), blend.fill(table @ turn)
    fixed = blend.kind != DRAW
    assert torch.allclose(turned[fixed], (made @ turn)[fixed], rtol=1e-6, atol=1e-6)


def test_a_method_survives_json(carry: Carry, method) -> None:
    step = Transfer(model="demo:en-base", tokenizer="demo:ru-plm", method=method)
    assert from_json(json.loads(json.dumps(to_json(step)))) == step


def test_a_blend_survives_its_file_and_its_terms_add_up_to_the_row(carry: Carry, method, tmp_path: Path) -> None:
    blend = method.blend(carry.task)
    blend.save(tmp_path / "blend.safetensors")
    again = Blend.load(tmp_path / "blend.safetensors")
    table = carry.source.input().float()
    rows = blend.fill(table)
    assert torch.equal(again.fill(table), rows)
    assert torch.equal(again.fill(table, role="output"), blend.fill(table, role="output"))
    for i in carry.task.new:
        terms = again.terms(int(i), limit=10**6)
        if terms:
            assert torch.allclose(sum(w * table[j] for j, w in terms), rows[i], rtol=1e-4, atol=1e-4)


def test_subtokens_is_the_mean_of_the_pieces(carry: Carry) -> None:
    table = carry.source.input().float()
    rows = Subtokens().blend(carry.task).fill(table)
    tokens = carry.target_tokenizer.convert_ids_to_tokens([int(i) for i in carry.task.new])
    for i, token in zip(carry.task.new, tokens, strict=True):
        pieces = [p.id for p in carry.source_tokenizer.backend_tokenizer.model.tokenize(token)]
        assert len(pieces) > 1
        assert torch.allclose(rows[i], table[pieces].mean(0), atol=1e-6)


def test_drawn_rows_have_the_statistics_of_the_source() -> None:
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(4000, 6, generator=generator) @ torch.randn(6, 6, generator=generator) + 3
    from workbench.transfer.draw import Draw, statistics

    rows = torch.from_numpy(Draw("covariance", 0, {i: b"%d" % i for i in range(20_000)}).rows(np.arange(20_000), statistics(table, "covariance"), "input"))
    assert torch.allclose(rows.mean(0), table.double().mean(0), atol=0.1)
    assert torch.allclose(rows.T.cov(), table.double().T.cov(), atol=0.05 * float(table.double().T.cov().abs().max()))


@pytest.mark.parametrize("options", [{}, {"tied": True}, {"shards": True}, {"dtype": "bfloat16"}, {"pad_rows": 5}], ids=str)
def test_a_written_model_opens_generates_and_is_the_source_but_for_its_tables(tmp_path: Path, options) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = tiny.folder(tmp_path / "base", **options)
    save(extend(load(base), tiny.RUSSIAN * 3, Extension(new_tokens=30, script="Cyrillic")).tokenizer, tmp_path / "longer")
    import workbench as wb

    made = wb.run(Transfer(model=base, tokenizer=tmp_path / "longer"))
    assert made.metrics["new"] == 30
    before, after = Checkpoint.open(base), Checkpoint.open(made.path)
    assert set(before.shards) == set(after.shards)
    for name in set(before.shards) - {before.input_name, before.output_name}:
        assert torch.equal(before.tensor(name), after.tensor(name))
    model, tokenizer = AutoModelForCausalLM.from_pretrained(made.path), AutoTokenizer.from_pretrained(made.path)
    assert model.config.vocab_size == after.shape[0] >= len(tokenizer)
    assert model.config.tie_word_embeddings == before.tied
    assert model.dtype == before.input().dtype
    ids = tokenizer("the bear", return_tensors="pt").input_ids
    assert ids.tolist()[0] == load(base)("the bear").input_ids
    old = AutoModelForCausalLM.from_pretrained(base)
    size = load(base).backend_tokenizer.get_vocab_size()
    with torch.inference_mode():
        torch.testing.assert_close(model(ids).logits[..., :size], old(ids).logits[..., :size])  # up to rounding: some processors sum a wider product otherwise
    found = explain(made.id, " медведь"[:2])
    assert found.kind in ("copy", "mix")


def test_preview_writes_nothing_and_counts(tmp_path: Path) -> None:
    from workbench import store

    base = tiny.folder(tmp_path / "base")
    report = Preview(model=base, tokenizer=base).run(tmp_path / "nothing", None)
    assert report["new"] == report["dropped"] == 0
    assert report["kept"] == report["rows_before"] == report["rows_after"]
    assert any("same model" in w for w in report["warnings"])
    assert store.artefacts() == []


def test_bad_input(tmp_path: Path) -> None:
    base = tiny.folder(tmp_path / "base")
    with pytest.raises(WorkbenchError, match=r"holds no config\.json"):
        Carry.open(tiny.tokenizer(tmp_path / "only"), base)
    (tmp_path / "base" / "model.safetensors").rename(tmp_path / "gone")
    with pytest.raises(WorkbenchError, match="holds no weights"):
        Carry.open(base, base)
    small = tiny.folder(tmp_path / "small")
    save(load(tiny.tokenizer(tmp_path / "big", specials=[*tiny.SPECIALS, "<more>"])), small)
    with pytest.raises(WorkbenchError, match="use the tokenizer that came with this model"):
        Carry.open(small, small)
    torch.save({}, tmp_path / "base" / "pytorch_model.bin")
    with pytest.raises(WorkbenchError, match="pickled"):
        Checkpoint.open(base)


def test_nan_in_a_used_source_row_is_an_error(carry: Carry) -> None:
    table = carry.source.input().float().clone()
    table[Subtokens().blend(carry.task).terms(int(carry.task.new[0]))[0][0]] = float("nan")
    with pytest.raises(WorkbenchError, match="repair the source model"):
        Subtokens().blend(carry.task).fill(table)


def test_one_source_token_in_two_roles_fills_both_and_the_configs_follow_the_roles(tmp_path: Path) -> None:
    """GPT-2 and its kin have one token that both begins and ends."""
    import json

    from transformers import PreTrainedTokenizerFast

    source = tiny.tokenizer(tmp_path / "source", specials=["<|endoftext|>"])
    fast = PreTrainedTokenizerFast(tokenizer_object=load(source).backend_tokenizer, bos_token="<|endoftext|>", eos_token="<|endoftext|>")
    tiny.model(save(fast, source))
    for name in ("config.json", "generation_config.json"):
        settings = json.loads((source / name).read_text()) | {"bos_token_id": 0, "eos_token_id": 0}
        (source / name).write_text(json.dumps(settings))
    carry = Carry.open(source, tiny.tokenizer(tmp_path / "target"))
    assert carry.task.kept[:2].tolist() == [0, 0]
    (tmp_path / "made").mkdir()
    carry.write(Mean(), tmp_path / "made")
    config = json.loads((tmp_path / "made" / "config.json").read_text())
    assert (config["bos_token_id"], config["eos_token_id"]) == (0, 1)


def test_explaining_a_copy_asks_for_the_original(tmp_path: Path) -> None:
    import shutil

    import workbench as wb

    base = tiny.folder(tmp_path / "base")
    made = wb.run(Transfer(model=base, tokenizer=base))
    shutil.copytree(made.path, tmp_path / "copy")
    (tmp_path / "copy" / "manifest.json").unlink()
    with pytest.raises(WorkbenchError, match="give the id of the original"):
        explain(tmp_path / "copy", "#5")


def test_a_transfer_reports_what_its_method_is_worth(longer, aids, tmp_path: Path) -> None:
    import workbench as wb

    base = tiny.folder(tmp_path / "base")
    made = wb.run(Transfer(model=base, tokenizer=longer[1], method=EVERY["salt"](aids), pad_to=64))
    assert made.metrics["rows_after"] % 64 != 0  # tokens
    assert Checkpoint.open(made.path).shape[0] % 64 == 0
    assert made.metrics["report"]["filled"] == 30
    assert {row["method"] for row in made.metrics["hidden"]} == {"salt", "mean", "focus", "omp", "global ridge"}
    assert any("shared tokens" in warning for warning in made.metrics["warnings"])
    assert "hidden" not in wb.run(Transfer(model=base, tokenizer=longer[1], method=EVERY["salt"](aids), judge=False)).metrics
    assert "hidden" not in wb.run(Transfer(model=base, tokenizer=longer[1])).metrics  # subtokens know nothing that could be hidden


def test_a_model_with_yet_another_table_is_refused(tmp_path: Path) -> None:
    """Gemma 3n and models that predict several tokens: a new vocabulary would leave that table behind."""
    from safetensors.torch import load_file, save_file

    from workbench.transfer.trio import Trio

    base = tiny.folder(tmp_path / "base")
    weights = load_file(base / "model.safetensors")
    more = torch.zeros(len(weights["model.embed_tokens.weight"]), 2)
    save_file(weights | {"model.embed_tokens_per_layer.weight": more}, base / "model.safetensors", {"format": "pt"})
    for opened in (lambda: Carry.open(base, base), lambda: Trio.open(base, base, base)):
        with pytest.raises(WorkbenchError, match=r"another table .*embed_tokens_per_layer.*use a model"):
            opened()
