"""LEP where the adapted model's layers were trained too: wholly, or by a LoRA adapter as peft saves it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file

from workbench.checkpoint import Checkpoint
from workbench.errors import WorkbenchError
from workbench.progress import Progress
from workbench.tokenizer import load, save
from workbench.transfer import layers
from workbench.transfer.lep import Lep
from workbench.transfer.lora import Adapter

TABLES = ("model.embed_tokens.weight", "lm_head.weight")


def edited(source: Path, change: object) -> Path:
    """The model with `change(name, tensor)` for every tensor."""
    file = source / "model.safetensors"
    save_file({n: change(n, t).contiguous() for n, t in load_file(file).items()}, file, metadata={"format": "pt"})
    return source


def run(out: Path, **knobs: object) -> tuple[Checkpoint, dict]:
    out.mkdir()
    report = Lep(**{k: str(v) if isinstance(v, Path) else v for k, v in knobs.items()}, variant="swap").run(out, Progress())
    return Checkpoint.open(out), report


@pytest.fixture
def models(tmp_path: Path) -> dict[str, Path]:
    return {"base": tiny.folder(tmp_path / "base"), "instruct": tiny.folder(tmp_path / "instruct", seed=5, shards=True)}


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0])
def test_what_the_layers_of_a_full_model_learnt_is_added_with_the_scale(models, tmp_path, scale) -> None:
    trained = {"model.norm.weight", "model.layers.0.mlp.up_proj.weight"}
    adapted = edited(
        tiny.folder(tmp_path / "adapted"), lambda n, t: t + torch.randn(t.shape, generator=torch.Generator().manual_seed(1)) if n in trained else t
    )
    made, report = run(tmp_path / "out", **models, adapted=adapted, layer_scale=scale)
    base, instruct, after = Checkpoint.open(models["base"]), Checkpoint.open(models["instruct"]), Checkpoint.open(adapted)
    assert (report["layers_changed"], report["layers_from"]) == (2, "full model")
    assert any("layers were trained too" in warning for warning in report["warnings"])
    for name in set(instruct.shards) - set(TABLES):
        wanted = instruct.tensor(name)
        if name in trained:
            wanted = wanted + scale * (after.tensor(name) - base.tensor(name))
        assert torch.equal(made.tensor(name), wanted)
    assert (report["shards_rewritten"] > 0) == (scale > 0)  # the tables lie in shards of their own


def test_layers_that_did_not_change_are_passed_through_without_a_word(models, tmp_path) -> None:
    made, report = run(tmp_path / "out", **models, adapted=tiny.folder(tmp_path / "adapted"))
    assert (report["layers_changed"], report["layers_from"], report["warnings"]) == (0, "none", [])
    assert torch.equal(made.tensor("model.norm.weight"), Checkpoint.open(models["instruct"]).tensor("model.norm.weight"))


def test_one_number_in_the_middle_of_a_tensor_is_seen_and_a_linked_file_is_not_read(models, tmp_path, monkeypatch) -> None:
    wide = {"width": 256, "layers": 1}
    base = tiny.folder(tmp_path / "wide", **wide)
    name = "model.layers.0.mlp.down_proj.weight"

    def touch(n: str, t: torch.Tensor) -> torch.Tensor:
        if n == name:
            t.view(-1)[1500] += 1
        return t

    adapted = edited(tiny.folder(tmp_path / "touched", **wide), touch)
    assert layers.changed(Checkpoint.open(base), Checkpoint.open(adapted)) == [name]
    twin = tmp_path / "twin"
    twin.mkdir()
    for file in base.iterdir():
        (twin / file.name).hardlink_to(file)
    monkeypatch.setattr(layers, "_equal_bytes", lambda *a: pytest.fail("a file was compared with itself"))
    assert layers.changed(Checkpoint.open(base), Checkpoint.open(twin)) == []


def test_a_table_alone_may_be_all_that_an_adapted_folder_has(models, tmp_path) -> None:
    adapted = tiny.folder(tmp_path / "adapted")
    file = adapted / "model.safetensors"
    save_file({n: t for n, t in load_file(file).items() if n in TABLES}, file, metadata={"format": "pt"})
    assert run(tmp_path / "out", **models, adapted=adapted)[1]["layers_changed"] == 0


def renamed(model: Path, change: object) -> Path:
    """The model with its tensors under other names; those that `change` calls "" are gone."""
    file = model / "model.safetensors"
    save_file({change(n): t for n, t in load_file(file).items() if change(n)}, file, metadata={"format": "pt"})
    return model


@pytest.mark.parametrize("role", ["base", "adapted", "instruct"])
def test_a_model_saved_without_the_outer_name_loses_nothing(tmp_path, role) -> None:
    """As AutoModel saves it."""
    made = {n: tiny.folder(tmp_path / n, tied=True, seed=5 * (n == "instruct")) for n in ("base", "adapted", "instruct")}
    edited(made["adapted"], lambda n, t: t + 1 if "up_proj" in n else t)
    plain, report = run(tmp_path / "out", **made)
    renamed(made[role], lambda n: n.removeprefix("model."))
    found, again = run(tmp_path / "again", **made)
    assert report["layers_changed"] == again["layers_changed"] == 2
    for name in plain.shards:
        assert torch.equal(found.tensor(name.removeprefix("model.") if role == "instruct" else name), plain.tensor(name))


def test_layers_that_an_adapted_model_lacks_are_named(models, tmp_path) -> None:
    adapted = renamed(tiny.folder(tmp_path / "adapted"), lambda n: n.replace("up_proj", "w3"))
    with pytest.raises(WorkbenchError, match=r"lacks model\.layers\.0\.mlp\.up_proj\.weight of the base model \(2 tensors in all\)"):
        run(tmp_path / "out", **models, adapted=adapted)
    buffered = tiny.folder(tmp_path / "buffered")
    save_file(load_file(buffered / "model.safetensors") | {"model.rotary_emb.inv_freq": torch.ones(2)}, buffered / "model.safetensors", {"format": "pt"})
    assert run(tmp_path / "older", base=buffered, instruct=models["instruct"], adapted=models["base"])[1]["layers_changed"] == 0


ADAPTERS = {
    "layers": {"target_modules": ["q_proj", "up_proj"]},
    "rslora and patterns": {"target_modules": ["q_proj"], "use_rslora": True, "rank_pattern": {"layers.0.self_attn.q_proj": 2}, "alpha_pattern": {"q_proj": 3}},
    "tables saved whole": {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens", "lm_head"]},
    "tables with factors": {"target_modules": ["q_proj", "embed_tokens", "lm_head"]},
    "some tokens": {"target_modules": ["q_proj"], "trainable_token_indices": {"embed_tokens": [5, 70, 7]}},
    "a norm saved whole": {"target_modules": ["q_proj"], "modules_to_save": ["norm"]},
}


def adapter(model: Path, folder: Path, tokenizer: bool = True, **options: object) -> tuple[Path, dict[str, torch.Tensor]]:
    """A peft folder whose every trained weight is random, and what peft itself merges it into."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(3)
        wrapped = get_peft_model(AutoModelForCausalLM.from_pretrained(model), LoraConfig(r=4, lora_alpha=8, task_type="CAUSAL_LM", **options))
        for weight in (p for p in wrapped.parameters() if p.requires_grad):
            weight.data = torch.randn(weight.shape)
    wrapped.save_pretrained(folder)
    if tokenizer:
        save(load(model), folder)
    return folder, {n: t.clone() for n, t in wrapped.merge_and_unload().state_dict().items()}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ADAPTERS)
@pytest.mark.parametrize("tied", [False, True])
def test_an_adapter_folder_is_what_peft_merges_it_into(tmp_path, kind, tied) -> None:
    options = dict(ADAPTERS[kind])
    if tied and kind in ("tables saved whole", "tables with factors"):
        options = {key: [n for n in value if n != "lm_head"] if isinstance(value, list) else value for key, value in options.items()}
        options["ensure_weight_tying"] = kind == "tables saved whole"
    base, instruct = tiny.folder(tmp_path / "base", tied=tied), tiny.folder(tmp_path / "instruct", tied=tied, seed=5)
    folder, merged = adapter(base, tmp_path / "lora", **options)
    made, report = run(tmp_path / "out", base=base, instruct=instruct, adapted=folder)
    assert report["layers_from"] == "adapter"
    before, after = Checkpoint.open(base), Checkpoint.open(instruct)
    for name in set(after.shards) - set(TABLES):
        assert torch.allclose(made.tensor(name) - after.tensor(name), merged[name] - before.tensor(name), atol=1e-5)
    ids = [i for i in range(before.shape[0]) if i not in load(instruct).added_tokens_decoder]
    assert torch.allclose(made.input()[ids], merged[TABLES[0]][ids], atol=1e-5)
    assert torch.allclose(made.output()[ids], merged[TABLES[1]][ids], atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_an_adapter_over_a_model_with_a_new_vocabulary_takes_its_tables_from_there(tmp_path) -> None:
    base, under = tiny.folder(tmp_path / "base"), tiny.folder(tmp_path / "under", seed=8)
    folder, _ = adapter(under, tmp_path / "lora", tokenizer=False, target_modules=["q_proj"])
    made, _ = run(tmp_path / "out", base=base, instruct=base, adapted=folder)
    assert torch.equal(made.input()[50:], Checkpoint.open(under).input()[50:])


@pytest.mark.filterwarnings("ignore")
def test_adapters_that_are_no_sum_say_so(models, tmp_path) -> None:
    dora, _ = adapter(models["base"], tmp_path / "dora", target_modules=["q_proj"], use_dora=True)
    with pytest.raises(WorkbenchError, match="use_dora True, which cannot be added up here; merge it"):
        run(tmp_path / "out", **models, adapted=dora)
    foreign, _ = adapter(tiny.folder(tmp_path / "deep", layers=3), tmp_path / "foreign", target_modules=["q_proj"])
    (tmp_path / "deep" / "config.json").unlink()
    with pytest.raises(WorkbenchError, match=r"changes model\.layers\.2\.self_attn\.q_proj, which .* lacks"):
        run(tmp_path / "out2", **models, adapted=foreign)


@pytest.mark.filterwarnings("ignore")
def test_an_adapter_that_names_no_model_is_over_the_base_whatever_the_current_folder_holds(models, tmp_path, monkeypatch) -> None:
    folder, _ = adapter(models["base"], tmp_path / "lora", target_modules=["q_proj"])
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": ""}))
    monkeypatch.chdir(models["instruct"])
    base = Checkpoint.open(models["base"])
    assert Adapter.open(folder, base).under is base


@pytest.mark.filterwarnings("ignore")
def test_what_an_adapter_learnt_joins_the_tensors_of_a_base_saved_without_the_outer_name(tmp_path) -> None:
    base, under = tiny.folder(tmp_path / "base"), edited(tiny.folder(tmp_path / "under"), lambda n, t: t + 1 if "q_proj" in n else t)
    folder, merged = adapter(under, tmp_path / "lora", target_modules=["q_proj"])
    before = Checkpoint.open(base)
    wanted = {n: merged[n] - before.tensor(n) for n in before.shards if "q_proj" in n}
    renamed(base, lambda n: n.removeprefix("model."))
    instruct = tiny.folder(tmp_path / "instruct", seed=5)
    made, report = run(tmp_path / "out", base=base, instruct=instruct, adapted=folder)
    assert report["layers_changed"] == len(wanted) == 2
    for name, delta in wanted.items():
        assert torch.allclose(made.tensor(name) - Checkpoint.open(instruct).tensor(name), delta, atol=1e-5)
