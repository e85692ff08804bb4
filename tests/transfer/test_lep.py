"""LEP: the exact answers, on tiny checkpoints."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file

from workbench.checkpoint import Checkpoint
from workbench.errors import WorkbenchError
from workbench.progress import Progress
from workbench.tokenizer import load, save
from workbench.transfer.lep import Lep, verdict
from workbench.transfer.trio import Trio

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
    made, report = run(world, world["base"], variant, tmp_path / "out")
    ids = ordinary(world)
    tables = 0 if variant == "swap" else 1 if made.tied else 2
    assert [f"so {variant} gives what swap gives" in said for said in report["warnings"]] == [True] * tables
    for which in ("input", "output"):
        result, adapted = getattr(made, which)()[ids], getattr(Checkpoint.open(world["adapted"]), which)()[ids]
        assert torch.equal(result, adapted)


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


@pytest.mark.parametrize("role", ["base", "adapted", "instruct"])
def test_numbers_that_are_none_are_an_error_that_names_the_model(world, tmp_path, role) -> None:
    def spoil(table: torch.Tensor, name: str) -> torch.Tensor:
        return torch.cat([table[:50], torch.full((1, WIDTH), float("nan")), table[51:]]) if name == "model.embed_tokens.weight" else table

    models = {"base": world["base"], "adapted": world["adapted"], "instruct": world["base"]}
    models[role] = retable(models[role], tmp_path / "spoilt", spoil)
    with pytest.raises(WorkbenchError, match=f"Row 50 of the input table of the {role} model holds NaN"):
        Lep(**models, variant="overlap" if role != "adapted" else "swap").run(tmp_path, Progress())


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
@pytest.mark.parametrize("variant", ["overlap", "conversion"])
def test_whatever_the_dtype_the_map_is_that_of_fp64_rounded_once(tmp_path, dtype, variant) -> None:
    base, adapted = tiny.folder(tmp_path / "base", dtype=dtype), tiny.folder(tmp_path / "adapted", dtype=dtype, seed=1)
    rotation = torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(3)))[0]
    instruct = retable(base, tmp_path / "instruct", lambda t, _: (t.float() @ rotation).to(t.dtype))
    made, report = run({"base": base, "adapted": adapted}, instruct, variant, tmp_path / "out")
    ids = ordinary({"adapted": adapted})
    a, b = (Checkpoint.open(m).input()[ids].double() for m in (base, instruct))  # both vocabularies are the same: every ordinary token is its own piece
    wanted = Checkpoint.open(adapted).input()[ids].double() @ torch.linalg.lstsq(a, b).solution
    assert made.input().dtype == getattr(torch, dtype)
    assert report["input"]["precision"] == ("float64" if dtype == "float32" else "float32")
    half_a_step = torch.finfo(made.input().dtype).eps / 2
    assert float((made.input()[ids].double() - wanted).norm() / wanted.norm()) < max(half_a_step, 1e-7)


def test_rows_of_padding_and_zero_rows_stay_out_of_the_fit(world, tmp_path) -> None:
    rotation = torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(3)))[0]
    unused = torch.tensor([40, 41])  # single letters: they are pieces of themselves alone

    def spoil(table: torch.Tensor, name: str) -> torch.Tensor:
        table = table @ rotation
        table[unused] = 0
        return torch.cat([table, torch.randn(7, WIDTH, generator=torch.Generator().manual_seed(1))])

    instruct = retable(world["base"], tmp_path / "instruct", spoil)
    made, report = run(world, instruct, "overlap", tmp_path / "out")
    ids = ordinary(world)
    assert torch.allclose(made.input()[ids], Checkpoint.open(world["adapted"]).input()[ids] @ rotation, atol=1e-4)
    assert report["input"]["r2_map"] > 0.999999
    assert made.shape[0] == len(load(tmp_path / "out"))


@pytest.mark.parametrize("tied", [False, True])
def test_ids_are_contiguous_and_rows_are_padded_as_asked(tmp_path, tied) -> None:
    base = tiny.folder(tmp_path / "base", tied=tied)
    made, report = run({"base": base, "adapted": base}, base, "conversion", tmp_path / "out", pad_to=64)
    tokenizer = load(tmp_path / "out")
    ids = sorted(tokenizer.get_vocab().values())
    assert ids == list(range(len(ids)))
    assert made.shape[0] % 64 == 0
    assert made.shape[0] - len(ids) < 64
    assert made.config["vocab_size"] == made.shape[0] == report["rows"]
    assert not made.input()[len(ids) :].any()
    assert not made.output()[len(ids) :].any()
    assert tokenizer.backend_tokenizer.pre_tokenizer.__getstate__() == load(base).backend_tokenizer.pre_tokenizer.__getstate__()


def test_an_overlap_of_nothing_is_an_error(tmp_path) -> None:
    base = tiny.folder(tmp_path / "base")
    trio = Trio.open(base, base, base)
    trio.__dict__["shared_ids"] = trio.shared_ids[:0]
    for variant in ("overlap", "conversion"):
        with pytest.raises(WorkbenchError, match=f"Only 0 tokens can be used for the {variant} fit"):
            trio.rows(variant)
    with pytest.raises(WorkbenchError, match="share no tokens"):
        trio.check()


def test_too_little_room_is_said_before_the_fit(world, tmp_path, monkeypatch) -> None:
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(10, 9, 1))
    monkeypatch.setattr(Trio, "map", lambda *a, **k: pytest.fail("the fit was begun"))
    with pytest.raises(WorkbenchError, match=r"needs [\d,]+ bytes on the disk of .*, which has 1 free"):
        run(world, world["base"], "conversion", tmp_path / "out")


def test_ridge_is_judged_on_rows_that_did_not_choose_it(world) -> None:
    trio = Trio.open(world["base"], world["adapted"], world["base"])
    rows = trio.rows("conversion")
    parts = trio.grams(rows, "input", torch.float64, 3, Progress())
    assert [p.rows for p in parts] == [sum(i % 10 in which for i in range(rows.shape[0])) for which in (range(8), [8], [9])]
    _, report = trio.map("conversion", "input", auto_ridge=True)
    assert (report["rows"], report["held_out_rows"]) == (rows.shape[0], parts[2].rows)


def test_a_chosen_ridge_in_few_alike_rows_of_16_bits_is_found_in_fp64(tmp_path) -> None:
    """Products in fp32 leave eigenvalues below zero there, by more than the smallest λ of the grid."""
    generator, width = torch.Generator().manual_seed(1), 384
    mean = torch.randn(width, generator=generator)
    base = tiny.folder(tmp_path / "plain", width=width, layers=1, dtype="bfloat16")
    base = retable(base, tmp_path / "base", lambda t, _: (0.02 * (torch.randn(t.shape, generator=generator) + mean)).bfloat16())
    instruct = retable(base, tmp_path / "instruct", lambda t, _: (t.float() * (1 + 0.05 * torch.randn(t.shape, generator=generator))).bfloat16())
    _, report = Trio.open(base, base, instruct).map("conversion", "input", auto_ridge=True)
    assert (report["precision"], report["solver"]) == ("float64", "ridge")


@pytest.mark.parametrize("kept", [0, 9])
def test_rows_that_are_zero_make_no_perfect_fit(tmp_path, kept) -> None:
    base = tiny.folder(tmp_path / "base")
    empty = retable(base, tmp_path / "empty", lambda t, _: torch.cat([t[: 5 + kept], torch.zeros_like(t[5 + kept :])]))  # 5 specials before
    with pytest.raises(WorkbenchError, match=r"Only \d rows of the input table could be used, the others are zero"):
        Trio.open(base, base, empty).map("overlap", "input")
