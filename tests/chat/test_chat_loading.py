"""Models in memory: each tensor once, whoever uses it, and no more of them than fit."""

from __future__ import annotations

import gc
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file

from workbench import chat
from workbench.chat import Sampling, building, loading, pool
from workbench.errors import WorkbenchError
from workbench.models import open_model
from workbench.progress import Progress
from workbench.tokenizer import Extension, extend, load, save
from workbench.transfer.lep import Lep

TABLES = ("model.embed_tokens.weight", "lm_head.weight")
QUESTION = [{"role": "user", "content": "who lives in the house"}]


@pytest.fixture(autouse=True)
def _nothing_loaded() -> None:
    chat.forget()


@pytest.fixture(scope="module")
def lep(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A chat model, and what LEP makes of it: the same layers with other tables."""
    place = tmp_path_factory.mktemp("lep")
    base = tiny.folder(place / "base", chat=True)
    tiny.folder(place / "chat", chat=True, seed=7)
    save(extend(load(base), tiny.RUSSIAN * 3, Extension(new_tokens=40, script="Cyrillic")).tokenizer, place / "adapted")
    tensors = load_file(base / "model.safetensors")
    rows, generator = max(load(place / "adapted").get_vocab().values()) + 1, torch.Generator().manual_seed(5)
    tensors |= {name: torch.randn(rows, 16, generator=generator) for name in TABLES}
    save_file(tensors, place / "adapted" / "model.safetensors", metadata={"format": "pt"})
    (place / "adapted" / "config.json").write_text(json.dumps(json.loads((base / "config.json").read_text()) | {"vocab_size": rows}))
    (place / "result").mkdir()
    Lep(base=base, adapted=place / "adapted", instruct=place / "chat").run(place / "result", Progress())
    return {"original": place / "chat", "adapted": place / "result"}


def test_the_lep_pair_shares_its_layers_and_not_its_tables(lep) -> None:
    original, adapted = chat.load(lep["original"]), chat.load(lep["adapted"])
    mine, theirs = original.model.state_dict(), adapted.model.state_dict()
    assert set(mine) == set(theirs)
    for name in mine:
        assert (mine[name].data_ptr() == theirs[name].data_ptr()) is (name not in TABLES), name
        assert mine[name].data_ptr() != theirs[name].data_ptr() or torch.equal(mine[name], theirs[name])
    assert theirs[TABLES[0]].shape[0] > mine[TABLES[0]].shape[0]
    assert original.fingerprint != adapted.fingerprint
    distinct = {t.data_ptr(): t.numel() * 4 for t in mine.values()} | {theirs[name].data_ptr(): theirs[name].numel() * 4 for name in TABLES}
    assert pool.held_bytes("cpu") == sum(distinct.values()), "one body and every distinct table"


def test_both_sides_at_once_say_what_each_says_alone(lep) -> None:
    chatters = [chat.load(lep[side]) for side in ("original", "adapted")] * 3
    ask = lambda chatter: list(chat.reply(chatter, QUESTION, Sampling(max_tokens=15)))[-1].text  # noqa: E731 - used in this test alone
    alone = [ask(chatter) for chatter in chatters]
    with ThreadPoolExecutor(len(chatters)) as threads:
        assert list(threads.map(ask, chatters)) == alone


@pytest.mark.parametrize("options", [{}, {"tied": True}, {"shards": True}, {"dtype": "bfloat16"}, {"pad_rows": 3}], ids=str)
def test_a_model_put_together_is_the_one_that_transformers_loads(tmp_path, options) -> None:
    place = tiny.folder(tmp_path / "m", chat=True, **options)
    theirs, _ = open_model(place)
    made = building._assigned(place, "auto", "auto", lambda needed: None)
    assert made is not None, "the quick way is taken"
    mine, other = made[0].eval(), building._deduplicated(place, "auto", "auto", lambda needed: None)[0].eval()
    ids = torch.arange(20)[None]
    with torch.inference_mode():
        assert torch.equal(mine(ids).logits, theirs(ids).logits)
        assert torch.equal(other(ids).logits, theirs(ids).logits)
    assert mine.generation_config.to_dict() == theirs.generation_config.to_dict()
    assert {n: t.dtype for n, t in mine.state_dict().items()} == {n: t.dtype for n, t in theirs.state_dict().items()}
    if options.get("tied"):
        assert mine.lm_head.weight is mine.model.embed_tokens.weight


def test_names_that_transformers_changes_are_loaded_by_it_and_shared_all_the_same(tmp_path) -> None:
    place = tiny.folder(tmp_path / "m", chat=True)
    tensors = load_file(place / "model.safetensors")
    bare = {name.removeprefix("model."): tensor for name, tensor in tensors.items()}  # as a base model is saved, without its own name in front
    other = tiny.folder(tmp_path / "n", chat=True)
    save_file(bare, other / "model.safetensors", metadata={"format": "pt"})
    assert building._assigned(other, "auto", "auto", lambda needed: None) is None
    one, two = chat.load(place), chat.load(other)
    assert one.fingerprint == two.fingerprint
    assert one.model.lm_head.weight.data_ptr() == two.model.lm_head.weight.data_ptr()


def test_the_fingerprint_is_of_the_weights_in_use(lep) -> None:
    chatter = chat.load(lep["original"])
    assert chatter.fingerprint == pool.fingerprint(chatter.model) == pool.fingerprint(open_model(lep["original"])[0])
    layer = chatter.model.model.layers[0].mlp.up_proj.weight
    layer.data = layer.data + 1e-3
    assert pool.fingerprint(chatter.model, chatter.weights) != chatter.fingerprint


def test_the_same_bytes_in_another_format_or_shape_are_another_tensor() -> None:
    tensor = torch.arange(8, dtype=torch.int16)
    assert len({pool.digest(tensor), pool.digest(tensor.view(torch.float16)), pool.digest(tensor.reshape(2, 4))}) == 3


def test_a_second_visitor_shares_and_what_nobody_uses_is_freed(lep) -> None:
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(lambda _: chat.load(lep["original"]), range(2))
    assert first.model is second.model
    held = pool.held_bytes("cpu")
    assert held > 0
    del first, second
    gc.collect()
    assert pool.held_bytes("cpu") == held, "kept for the next visitor"
    chat.forget()
    assert pool.held_bytes("cpu") == 0


def test_a_changed_model_is_loaded_anew(tmp_path) -> None:
    place = tiny.folder(tmp_path / "m")
    first = chat.load(place).fingerprint
    tiny.model(place, seed=8)
    os.utime(place / "model.safetensors", (2e9, 2e9))
    assert chat.load(place).fingerprint != first
    assert len(loading._loaded) == 1


def test_models_make_room_for_one_another_within_the_budget(tmp_path, monkeypatch) -> None:
    places = [tiny.folder(tmp_path / str(n), chat=True, seed=n) for n in range(3)]
    chat.load(places[0])
    one = pool.held_bytes("cpu")
    monkeypatch.setenv(loading.MEMORY, str(2.5 * one / 2**30))
    chat.load(places[1])
    chat.load(places[0])  # the second is now the one whose last use is longest ago
    chat.load(places[2])
    assert {key[0] for key in loading._loaded} == {places[0], places[2]}
    assert 1.9 * one < pool.held_bytes("cpu") <= 2 * one  # norms of ones are the same in both
    with loading._loaded[next(iter(loading._loaded))].use:  # a reply is under way
        chat.load(places[1])
        assert {key[0] for key in loading._loaded} == {places[0], places[1]}
    monkeypatch.setenv(loading.MEMORY, str(0.5 * one / 2**30))
    with pytest.raises(WorkbenchError, match=f"needs more memory.*set {loading.MEMORY}"):
        chat.load(places[2])
    assert pool.held_bytes("cpu") <= one
    monkeypatch.setenv(loading.MEMORY, "much")
    with pytest.raises(WorkbenchError, match="no number of GiB"):
        chat.load(places[2])


def test_a_pair_that_shares_its_layers_fits_where_two_strangers_would_not(lep, monkeypatch) -> None:
    for side in ("original", "adapted"):
        chat.load(lep[side])
    both = pool.held_bytes("cpu")
    chat.forget()
    monkeypatch.setenv(loading.MEMORY, str((both + 8) / 2**30))
    for side in ("original", "adapted"):
        chat.load(lep[side])
    assert len(loading._loaded) == 2


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(a chat model, a LoRA adapter of it that changes what it says)."""
    from peft import LoraConfig, get_peft_model

    place = tmp_path_factory.mktemp("lora")
    base = tiny.folder(place / "base", chat=True)
    model, _ = open_model(base)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = get_peft_model(model, LoraConfig(r=4, lora_alpha=64, target_modules=["q_proj", "up_proj"], init_lora_weights=False, task_type="CAUSAL_LM"))
        made.peft_config["default"].base_model_name_or_path = str(base)
        made.save_pretrained(place / "adapter")
    return base, place / "adapter"


def test_an_adapter_on_one_side_and_off_on_the_other_run_at_once(adapter) -> None:
    base, lora = adapter
    off, on = chat.load(base), chat.load(lora)
    assert on.model.model.layers[0].mlp.up_proj.base_layer.weight.data_ptr() == off.model.model.layers[0].mlp.up_proj.weight.data_ptr()
    assert on.model.model.embed_tokens.weight.data_ptr() == off.model.model.embed_tokens.weight.data_ptr()
    assert on.fingerprint != off.fingerprint
    ask = lambda chatter: [c.id for c in list(chat.reply(chatter, QUESTION, Sampling(max_tokens=15)))[-1].choices]  # noqa: E731 - used in this test alone
    alone = [ask(off), ask(on)]
    assert alone[0] != alone[1]
    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(ask, [off, on] * 3)) == alone * 3
    plain, _ = open_model(base)
    ids = torch.tensor([chat.prompt(off, QUESTION).ids])
    wanted = plain.generate(ids, max_new_tokens=15, do_sample=False, pad_token_id=2)[0, ids.shape[1] :].tolist()
    assert alone[0] == wanted


def test_loading_an_adapter_leaves_the_global_generator_alone(adapter) -> None:
    before = torch.get_rng_state()
    chat.load(adapter[1])
    assert torch.equal(torch.get_rng_state(), before)


def test_adapters_that_do_not_fit(adapter, tmp_path) -> None:
    import shutil

    def changed(name: str, **settings: object) -> Path:
        place = shutil.copytree(adapter[1], tmp_path / name)
        about = json.loads((place / "adapter_config.json").read_text()) | settings
        (place / "adapter_config.json").write_text(json.dumps(about))
        return place

    wide = tiny.folder(tmp_path / "wide", chat=True, width=32)
    with pytest.raises(WorkbenchError, match="does not fit the model"):
        chat.load(changed("other", base_model_name_or_path=str(wide)))
    with pytest.raises(WorkbenchError, match="does not say which model"):
        chat.load(changed("nameless", base_model_name_or_path=None))
    with pytest.raises(WorkbenchError, match="no LoRA adapter"):
        chat.load(changed("prompts", peft_type="PROMPT_TUNING"))
    with pytest.raises(WorkbenchError, match="belongs to an adapter"):
        chat.load(changed("itself", base_model_name_or_path=str(tmp_path / "itself")))
