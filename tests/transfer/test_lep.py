"""LEP: the exact answers, on tiny checkpoints."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from workbench.checkpoint import Checkpoint
from workbench.errors import WorkbenchError
from workbench.progress import Progress
from workbench.tokenizer import load, save
from workbench.transfer.fit import Gram, choose_ridge, held_out_fit, solve
from workbench.transfer.lep import Lep, Trio, verdict

VARIANTS = ("swap", "overlap", "conversion")
WIDTH = 16


def retable(source: Path, folder: Path, change: object, tokenizer: Path | None = None) -> Path:
    """A copy of a model with its tables changed by `change(table, name)`, and maybe another tokenizer."""
    import json

    folder.mkdir()
    tensors = load_file(source / "model.safetensors")
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        if name in tensors:
            tensors[name] = change(tensors[name], name).contiguous()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((source / "config.json").read_text()) | {"vocab_size": len(tensors["model.embed_tokens.weight"])}
    (folder / "config.json").write_text(json.dumps(config))
    save(load(tokenizer or source), folder)
    return folder


@pytest.fixture(scope="module", params=[False, True], ids=["untied", "tied"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A base, the same base with 40 more Russian tokens and other tables, and a tokenizer of each."""
    from workbench.tokenizer import Extension, extend

    place = tmp_path_factory.mktemp("lep")
    base = tiny.folder(place / "base", tied=request.param)
    longer = extend(load(base), tiny.RUSSIAN * 3, Extension(new_tokens=40, script="Cyrillic")).tokenizer
    save(longer, place / "longer")
    rows = max(longer.get_vocab().values()) + 1
    generator = torch.Generator().manual_seed(5)
    adapted = retable(base, place / "adapted", lambda t, _: torch.randn(rows, WIDTH, generator=generator), place / "longer")
    return {"base": base, "adapted": adapted, "longer": place / "longer", "place": place}


def run(world: dict[str, Path], instruct: Path, variant: str, out: Path, adapted: Path | None = None, **options: object) -> tuple[Checkpoint, dict]:
    out.mkdir()
    report = Lep(base=world["base"], adapted=adapted or world["adapted"], instruct=instruct, variant=variant, **options).run(out, Progress())
    return Checkpoint.open(out), report


def ordinary(world: dict[str, Path], tokenizer: str = "adapted") -> list[int]:
    """Ids whose rows go through the map: all but the special tokens."""
    specials = set(load(world[tokenizer]).all_special_ids) | set(load(world[tokenizer]).added_tokens_decoder)
    return [i for i in range(Checkpoint.open(world["adapted"]).shape[0]) if i not in specials]


@pytest.mark.parametrize("variant", VARIANTS)
def test_instruct_equal_to_base_leaves_the_adapted_tables(world, tmp_path, variant) -> None:
    made, _ = run(world, world["base"], variant, tmp_path / "out")
    ids = ordinary(world)
    for which in ("input", "output"):
        result, adapted = getattr(made, which)()[ids], getattr(Checkpoint.open(world["adapted"]), which)()[ids]
        assert torch.equal(result, adapted) if variant == "swap" else torch.allclose(result, adapted, atol=1e-5)


@pytest.mark.parametrize("variant", ["overlap", "conversion"])
def test_a_planted_map_is_found(world, tmp_path, variant) -> None:
    maps = {n: torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(i)) for i, n in enumerate(("model.embed_tokens.weight", "lm_head.weight"))}
    instruct = retable(world["base"], tmp_path / "instruct", lambda t, name: t @ maps[name])
    made, report = run(world, instruct, variant, tmp_path / "out")
    ids = ordinary(world)
    adapted = Checkpoint.open(world["adapted"])
    assert torch.allclose(made.input()[ids], adapted.input()[ids] @ maps["model.embed_tokens.weight"], atol=1e-4)
    if not made.tied:
        assert torch.allclose(made.output()[ids], adapted.output()[ids] @ maps["lm_head.weight"], atol=1e-4)
    assert report["input"]["r2_map"] > 0.999999 > report["input"]["r2_swap"]
    assert report["warnings"] == []


def test_adapted_as_pieces_of_base_gives_the_pieces_of_instruct(world, tmp_path) -> None:
    rotation = torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(3)))[0]
    instruct = retable(world["base"], tmp_path / "instruct", lambda t, _: t @ rotation)
    pieces = Trio.open(world["base"], world["adapted"], instruct).pieces
    adapted = retable(world["base"], tmp_path / "adapted", lambda t, _: torch.from_numpy(pieces @ t.double().numpy()).float(), world["longer"])
    made, _ = run(world, instruct, "conversion", tmp_path / "out", adapted)
    ids = ordinary(world)
    wanted = torch.from_numpy(pieces @ Checkpoint.open(instruct).input().double().numpy()).float()
    assert torch.allclose(made.input()[ids], wanted[ids], atol=1e-4)


def test_piece_rows_are_stochastic_and_made_of_bytes(world) -> None:
    trio = Trio.open(world["base"], world["adapted"], world["base"])
    sums = trio.pieces.sum(axis=1)
    assert all(sums[i] == pytest.approx(1) for i in ordinary(world))
    pieces = load(world["base"]).backend_tokenizer.model.tokenize
    new = [(token, i) for token, i in load(world["adapted"]).get_vocab().items() if i >= trio.base.vocabulary.size]
    assert len(new) == 40
    for token, i in new:
        wanted = [piece.id for piece in pieces(token)]
        line = trio.pieces[[i]].toarray()[0]
        assert {j: round(line[j], 9) for j in line.nonzero()[0]} == {j: round(wanted.count(j) / len(wanted), 9) for j in set(wanted)}


@pytest.mark.parametrize("variant", VARIANTS)
def test_everything_but_the_tables_is_the_instruct_models(world, tmp_path, variant) -> None:
    instruct = tiny.folder(tmp_path / "instruct", tied=Checkpoint.open(world["base"]).tied, seed=9, chat=True, shards=True)
    made, _ = run(world, instruct, variant, tmp_path / "out")
    original = Checkpoint.open(instruct)
    for name in original.shards:
        if name not in ("model.embed_tokens.weight", "lm_head.weight"):
            assert torch.equal(made.tensor(name), original.tensor(name))
    specials = load(instruct).added_tokens_decoder
    assert torch.equal(made.input()[list(specials)], original.input()[list(specials)])
    messages = [{"role": "user", "content": "медведь"}]
    result = load(tmp_path / "out")
    assert result.apply_chat_template(messages, tokenize=False) == load(instruct).apply_chat_template(messages, tokenize=False)


def test_the_result_opens_and_generates(world, tmp_path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    instruct = tiny.folder(tmp_path / "instruct", tied=Checkpoint.open(world["base"]).tied, seed=9, chat=True)
    run(world, instruct, "conversion", tmp_path / "out")
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tmp_path / "out"), AutoTokenizer.from_pretrained(tmp_path / "out")
    assert model.config.vocab_size == len(tokenizer)
    ids = tokenizer("медведь живёт", return_tensors="pt").input_ids
    assert model.generate(ids, max_new_tokens=3, do_sample=False).shape[1] > ids.shape[1]


def test_added_tokens_of_instruct_come_behind_and_every_id_in_the_configs_follows_its_token(world, tmp_path) -> None:
    import json

    instruct = tiny.folder(tmp_path / "instruct", tied=Checkpoint.open(world["base"]).tied, seed=4)
    fast = load(instruct)
    fast.add_tokens(["<|turn|>"], special_tokens=True)
    turn = fast.get_vocab()["<|turn|>"]
    save(fast, instruct)
    generator = torch.Generator().manual_seed(8)
    longer = retable(instruct, tmp_path / "longer", lambda t, _: torch.cat([t, torch.randn(1, WIDTH, generator=generator)]))
    (longer / "generation_config.json").write_text(json.dumps({"eos_token_id": [1, turn], "pad_token_id": 2}))
    made, report = run(world, longer, "conversion", tmp_path / "out")
    ids = load(tmp_path / "out").get_vocab()
    assert report["added_tokens"] == 1
    assert ids["<|turn|>"] == Checkpoint.open(world["adapted"]).shape[0]
    assert torch.equal(made.input()[ids["<|turn|>"]], Checkpoint.open(longer).input()[turn])
    assert json.loads((tmp_path / "out" / "generation_config.json").read_text())["eos_token_id"] == [1, ids["<|turn|>"]]


@pytest.mark.parametrize(("adapted_tied", "instruct_tied"), list(itertools.product([True, False], repeat=2)))
def test_tie_flags_may_differ(tmp_path, adapted_tied, instruct_tied) -> None:
    base, adapted = tiny.folder(tmp_path / "base"), tiny.folder(tmp_path / "adapted", tied=adapted_tied, seed=1)
    instruct = tiny.folder(tmp_path / "instruct", tied=instruct_tied, seed=2)
    made, _ = run({"base": base, "adapted": adapted}, instruct, "swap", tmp_path / "out")
    assert made.tied == (adapted_tied and instruct_tied)
    ids = ordinary({"adapted": adapted})
    assert torch.equal(made.output()[ids], Checkpoint.open(adapted).output()[ids])


def test_models_that_do_not_fit_are_named(world, tmp_path) -> None:
    with pytest.raises(WorkbenchError, match="base model has width 16 but the instruct model 32"):
        run(world, tiny.folder(tmp_path / "wide", width=32), "swap", tmp_path / "a")
    with pytest.raises(WorkbenchError, match="number of layers 2 but the instruct model 3"):
        run(world, tiny.folder(tmp_path / "deep", layers=3), "swap", tmp_path / "b")


def test_a_strangers_instruct_model_is_warned_of_with_the_number(world, tmp_path) -> None:
    stranger = tiny.folder(tmp_path / "stranger", tied=Checkpoint.open(world["base"]).tied, seed=77)
    _, report = run(world, stranger, "conversion", tmp_path / "out")
    assert "probably not the one" in report["warnings"][0]
    assert f"{report['input']['r2_map']:.2f}" in report["warnings"][0]
    assert verdict("swap", {"input": {}}) == []


def pairs(rows: int, width: int, seed: int, rank: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    a = torch.randn(rows, width, generator=generator, dtype=torch.float64)
    if rank is not None:
        a = a[:, :rank] @ torch.randn(rank, width, generator=generator, dtype=torch.float64)
    return a, a @ torch.randn(width, width, generator=generator, dtype=torch.float64) + 0.1 * torch.randn(rows, width, generator=generator, dtype=torch.float64)


@settings(deadline=None, max_examples=25)
@given(st.integers(20, 60), st.integers(2, 12), st.integers(0, 10**6), st.integers(1, 60))
def test_the_map_is_the_least_squares_map_whatever_the_chunks(rows: int, width: int, seed: int, chunk: int) -> None:
    a, b = pairs(rows, width, seed)
    gram = Gram.of(((a[s : s + chunk], b[s : s + chunk]) for s in range(0, rows, chunk)), width)
    wanted = torch.linalg.lstsq(a, b, driver="gelsd").solution
    assert torch.allclose(solve(gram).x, wanted, rtol=1e-7, atol=1e-9)
    assert gram.error(wanted) == pytest.approx(float(((a @ wanted - b) ** 2).sum()), rel=1e-6)


@settings(deadline=None, max_examples=25)
@given(st.integers(3, 12), st.integers(0, 10**6))
def test_a_rank_deficient_fit_is_the_solution_nearest_to_the_identity(width: int, seed: int) -> None:
    a, b = pairs(40, width, seed, rank=width - 1)
    gram = Gram.of([(a, b)], width)
    fitted = solve(gram)
    assert fitted.report["rank"] == width - 1
    eye = torch.eye(width, dtype=torch.float64)
    wanted = eye + torch.linalg.pinv(a, rtol=1e-9) @ (b - a)
    assert torch.allclose(fitted.x, wanted, rtol=1e-5, atol=1e-6)
    literal = solve(gram, min_norm=True).x
    assert torch.allclose(literal, torch.linalg.pinv(a, rtol=1e-9) @ b, rtol=1e-5, atol=1e-6)
    assert (fitted.x - eye).norm() <= (literal - eye).norm() + 1e-6


def test_ridge_goes_from_least_squares_to_the_identity_and_helps_when_rows_are_few() -> None:
    a, _ = pairs(200, 40, 1)
    few = a + 3 * torch.randn(200, 40, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    train, held_out = Gram.of([(a[:45], few[:45])], 40), Gram.of([(a[45:], few[45:])], 40)
    ridge = choose_ridge(train, held_out)
    assert ridge > 0
    assert held_out_fit(train, held_out, ridge)["r2_map"] > held_out_fit(train, held_out)["r2_map"]
    eye = torch.eye(40, dtype=torch.float64)
    assert torch.allclose(solve(train, 1e12).x, eye, atol=1e-6)
    assert torch.allclose(solve(train, 1e-9).x, solve(train).x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("role", ["base", "adapted", "instruct"])
def test_numbers_that_are_none_are_an_error_that_names_the_model(world, tmp_path, role) -> None:
    def spoil(table: torch.Tensor, name: str) -> torch.Tensor:
        return torch.cat([table[:50], torch.full((1, WIDTH), float("nan")), table[51:]])

    models = {"base": world["base"], "adapted": world["adapted"], "instruct": world["base"]}
    models[role] = retable(models[role], tmp_path / "spoilt", spoil)
    with pytest.raises(WorkbenchError, match=f"table of the {role} model holds NaN"):
        Lep(**models, variant="overlap" if role != "adapted" else "swap").run(tmp_path, Progress())


def test_layers_that_were_trained_are_said_to_stay_behind(world, tmp_path) -> None:
    changed = retable(world["adapted"], tmp_path / "changed", lambda t, _: t)
    tensors = load_file(changed / "model.safetensors")
    tensors["model.norm.weight"] += 1
    save_file(tensors, changed / "model.safetensors", metadata={"format": "pt"})
    _, report = run(world, world["base"], "swap", tmp_path / "out", changed)
    assert any("layers were trained too" in warning for warning in report["warnings"])
    assert run(world, world["base"], "swap", tmp_path / "out2")[1]["warnings"] == []
