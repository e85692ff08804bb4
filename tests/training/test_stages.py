"""The stages on text: what may move moves, everything else keeps its bits, and the result is a plain model of the same kind."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tiny
import torch

import workbench as wb
from workbench.checkpoint import Checkpoint
from workbench.errors import WorkbenchError
from workbench.models import open_model
from workbench.progress import Event, Progress
from workbench.steps import find, from_json, to_json
from workbench.training import Align, Full, Monolingual, adapters

TABLES = {"model.embed_tokens.weight", "lm_head.weight", "transformer.wte.weight", "gpt_neox.embed_in.weight", "embed_out.weight"}


def folder(place: Path, kind: str, tied: bool) -> Path:
    """A tiny model of one of the kinds whose layers are named, and stored, differently."""
    from transformers import GPT2Config, GPT2LMHeadModel, GPTNeoXConfig, GPTNeoXForCausalLM

    if kind == "llama":
        return tiny.folder(place, tied=tied, layers=3)
    rows = len(wb.tokenizer.load(tiny.tokenizer(place)))
    same = {"vocab_size": rows, "tie_word_embeddings": tied, "bos_token_id": 0, "eos_token_id": 1}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if kind == "gpt2":
            made = GPT2LMHeadModel(GPT2Config(n_embd=16, n_layer=3, n_head=2, n_positions=64, **same))
        else:
            sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "max_position_embeddings": 64}
            made = GPTNeoXForCausalLM(GPTNeoXConfig(**sizes, **same))
    made.save_pretrained(place)
    return place


@pytest.fixture
def texts(tmp_path: Path) -> dict[str, str]:
    made = {}
    for name, lines in (("text", tiny.RUSSIAN), ("source_text", tiny.ENGLISH)):
        (tmp_path / f"{name}.txt").write_text("\n".join(f"{line}, {n}" for n in range(40) for line in lines), encoding="utf-8")
        made[name] = str(tmp_path / f"{name}.txt")
    return made


QUICK = {"steps": 6, "batch_size": 2, "block": 32, "warmup_steps": 1, "eval_every": 0, "eval_documents": 5, "device": "cpu", "dtype": "fp32"}


def moved(before: Path, after: Path) -> set[str]:
    first, second = Checkpoint.open(before), Checkpoint.open(after)
    assert set(first.shards) == set(second.shards)
    assert all(first.tensor(n).dtype == second.tensor(n).dtype for n in first.shards)
    return {name for name in first.shards if not torch.equal(first.tensor(name), second.tensor(name))}


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("kind", ["llama", "gpt2", "neox"])
def test_monolingual_moves_tables_and_linear_layers_of_any_kind_of_model(tmp_path: Path, texts: dict[str, str], kind: str, tied: bool) -> None:
    place = folder(tmp_path / "model", kind, tied)
    made = wb.run(Monolingual(model=str(place), **QUICK | texts | {"lora_dropout": 0.0}))
    linear = set(adapters.linears(open_model(place)[0]))
    changed = moved(place, made.path) - TABLES
    assert changed == {f"{name}.weight" for name in linear}
    assert made.metrics["layers_trained"] == len(linear) == 3 * {"llama": 7, "gpt2": 4, "neox": 4}[kind]
    assert Checkpoint.open(made.path).tied is tied
    # What is written is what was measured: the adapters are merged, none is left out.
    model, tokens = open_model(made.path, "cpu", "fp32")
    texts_held_out = wb.corpus.open(texts["text"]).held_out.take(5)
    again = wb.evaluation.bits_per_byte(model, tokens, texts_held_out, context=32).bits_per_byte
    assert again == pytest.approx(made.metrics["bits_per_byte"]["target"]["after"], rel=1e-5)
    assert again < made.metrics["bits_per_byte"]["target"]["before"]


def test_full_training_moves_norms_too_and_learns(tmp_path: Path, texts: dict[str, str]) -> None:
    place = folder(tmp_path / "model", "gpt2", True)
    made = wb.run(Full(model=str(place), **QUICK | texts))
    assert {re.sub(r"\.h\.\d", "", name) for name in moved(place, made.path)} >= {
        "transformer.ln_1.weight",
        "transformer.attn.c_attn.bias",
        "transformer.wte.weight",
    }
    assert made.metrics["bits_per_byte"]["target"]["after"] < made.metrics["bits_per_byte"]["target"]["before"]


def test_adapters_on_chosen_layers_and_new_rows_leave_all_else_alone(tmp_path: Path, texts: dict[str, str]) -> None:
    place = folder(tmp_path / "model", "llama", False)
    bigger = tiny.tokenizer(tmp_path / "bigger", merges=90, texts=tiny.ENGLISH + tiny.RUSSIAN)
    carried = wb.run(wb.transfer.Transfer(model=str(place), tokenizer=str(bigger)))
    knobs = {"rows": "new", "lora_layers": "ends", "lora_targets": ("q_proj", "down_proj"), "source_text": None}
    made = wb.run(Monolingual(model=carried.id, **QUICK | texts | knobs))
    layers = {f"model.layers.{n}.{name}.weight" for n in (0, 2) for name in ("self_attn.q_proj", "mlp.down_proj")}
    assert moved(carried.path, made.path) - TABLES == layers
    new = set(wb.training.stages.new_rows(carried.id))
    for before, after in zip(*((c.input(), c.output()) for c in map(Checkpoint.open, (carried.path, made.path))), strict=True):
        rows = {n for n in range(len(before)) if not torch.equal(before[n], after[n])}
        assert rows
        assert rows <= new


def test_new_rows_are_known_behind_lep_too(tmp_path: Path) -> None:
    place = tiny.folder(tmp_path / "model", chat=True)
    bigger = tiny.tokenizer(tmp_path / "bigger", merges=90, texts=tiny.ENGLISH + tiny.RUSSIAN)
    carried = wb.run(wb.transfer.Transfer(model=str(place), tokenizer=str(bigger)))
    chat = wb.run(wb.transfer.Lep(base=str(place), adapted=carried.id, instruct=str(place), variant="swap"))
    assert wb.training.stages.new_rows(chat.id) == wb.training.stages.new_rows(carried.id)


def test_a_wrong_target_names_the_right_ones(tmp_path: Path, texts: dict[str, str]) -> None:
    with pytest.raises(WorkbenchError, match=r"no linear layers called 'qproj'\. Did you mean q_proj"):
        wb.run(Monolingual(model=str(tiny.folder(tmp_path / "model")), **QUICK | texts | {"lora_targets": ("qproj",)}))


@pytest.mark.parametrize("tied", [False, True])
def test_every_parameter_that_learns_is_in_one_group(tmp_path: Path, tied: bool) -> None:
    model = open_model(folder(tmp_path, "llama", tied), "cpu", "fp32")[0]
    made = adapters.learner(model, lora=adapters.Lora(2, 4))
    groups = made.groups(1e-2, 1e-3)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            (rate,) = [rate for match, rate in groups if match(name)]
            assert rate == (1e-3 if "lora_" in name else 1e-2)
    assert made.groups(1e-3, 1e-3) == []


def test_the_two_learning_rates_are_heeded(tmp_path: Path, texts: dict[str, str]) -> None:
    place = tiny.folder(tmp_path / "model")
    made = wb.run(Monolingual(model=str(place), **QUICK | texts | {"learning_rate": 1e-12, "body_learning_rate": 1e-2}))
    before, after = Checkpoint.open(place), Checkpoint.open(made.path)
    assert (before.input() - after.input()).abs().max() < 1e-9
    layer = "model.layers.0.mlp.up_proj.weight"
    assert (before.tensor(layer) - after.tensor(layer)).abs().max() > 1e-4


def test_one_pass_ends_it(tmp_path: Path, texts: dict[str, str]) -> None:
    place = tiny.folder(tmp_path / "model")
    step = Align(model=str(place), **QUICK | {"text": texts["text"], "steps": 10_000, "epochs": 1, "batch_size": 16, "accumulate": 2})
    made = wb.run(step)
    tokens = wb.tokenizer.load(place)
    total = sum(len(d.ids) for d in wb.training.plain(tokens, wb.corpus.open(texts["text"]).train))
    assert made.metrics["steps"] == -(-total // 32 // 32)
    assert step.settings(100).steps == 100


def test_source_that_is_lost_and_rates_that_are_absurd_are_said(tmp_path: Path, texts: dict[str, str]) -> None:
    place = tiny.folder(tmp_path / "model")
    wb.run(Align(model=str(place), text=texts["source_text"], **QUICK | {"steps": 60, "learning_rate": 0.02}), name="knows")
    known = wb.store.artefacts("model")[0]
    events: list[Event] = []
    made = wb.run(Align(model=known.id, **QUICK | texts | {"steps": 40, "learning_rate": 0.9, "source_share": 0.0}), Progress(events.append))
    said = [e.message for e in events if e.kind == "warning"]
    assert said == made.metrics["warnings"]
    assert any("learning_rate=0.9 is far above" in word for word in said)
    assert sum("The source language is being lost" in word for word in said) == 1


def test_the_tokenizer_of_another_model_is_noticed(tmp_path: Path, texts: dict[str, str]) -> None:
    place = tiny.folder(tmp_path / "model")
    tiny.tokenizer(place, merges=0, specials=["</s>", "<s>", "<pad>"])
    said = wb.training.running.opened(Align(model=str(place), **QUICK | texts)).cautions
    assert any("ids but the model" in word for word in said)
    assert any("eos token is 0 but the model's config says 1" in word for word in said)
    tiny.tokenizer(place, merges=200, texts=tiny.ENGLISH + tiny.RUSSIAN)
    with pytest.raises(WorkbenchError, match="use the tokenizer that came with this model"):
        wb.run(Align(model=str(place), **QUICK | texts))


@pytest.mark.parametrize("stage", ["align", "monolingual", "instruct", "calibrate", "full"])
def test_every_stage_survives_json(stage: str) -> None:
    needed = {"model": "m", "text": "t"} | ({"instructions": ["a.jsonl", "b.json"]} if stage == "instruct" else {})
    step = find("train", stage)(**needed, steps=7)
    assert from_json(to_json(step)) == step
    assert type(step).model_fields["stage"].default == stage
