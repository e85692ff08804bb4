"""Tables in and out; every other tensor passed through."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st

from workbench import checkpoint, store
from workbench.checkpoint import Checkpoint, carried_ids
from workbench.errors import WorkbenchError


@pytest.fixture(scope="module", params=[(False, False), (False, True), (True, False), (True, True)], ids=["untied", "untied-shards", "tied", "tied-shards"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    tied, shards = request.param
    return Checkpoint.open(tiny.folder(tmp_path_factory.mktemp("source"), tied=tied, shards=shards, dtype="bfloat16"))


def test_tables_are_read_as_transformers_reads_them(source: Checkpoint) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(source.path)
    assert torch.equal(source.input(), model.get_input_embeddings().weight)
    assert torch.equal(source.output(), model.get_output_embeddings().weight)
    assert source.shape == tuple(source.input().shape)
    assert source.tied == model.config.tie_word_embeddings


@pytest.mark.parametrize("tie", [False, True])
def test_other_tables_same_rest(source: Checkpoint, tmp_path: Path, tie: bool) -> None:
    from transformers import AutoModelForCausalLM

    rows = source.shape[0] + 9
    first, second = torch.randn(rows, 16).bfloat16(), None if tie else torch.randn(rows, 16).bfloat16()
    checkpoint.write(source, tmp_path / "new", first, second, config={"bos_token_id": 4})
    made = Checkpoint.open(tmp_path / "new")
    assert made.tied == tie
    assert torch.equal(made.input(), first)
    assert torch.equal(made.output(), first if tie else second)
    assert set(made.shards) - {"lm_head.weight"} == set(source.shards) - {"lm_head.weight"}
    for name in set(source.shards) - {source.input_name, "lm_head.weight"}:
        assert torch.equal(made.tensor(name), source.tensor(name))
    model, report = AutoModelForCausalLM.from_pretrained(tmp_path / "new", output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert (model.config.vocab_size, model.config.bos_token_id) == (rows, 4)
    assert model.generation_config.eos_token_id == [1, 3]
    index = json.loads((tmp_path / "new" / checkpoint.INDEX).read_text())
    stored = {
        f: sum(t.numel() * t.element_size() for n, t in ((n, made.tensor(n)) for n, w in index["weight_map"].items() if w == f))
        for f in index["weight_map"].values()
    }
    assert index["metadata"]["total_size"] == sum(stored.values())


def test_a_shard_without_a_table_is_linked_inside_the_home_and_copied_from_elsewhere(tmp_path: Path) -> None:
    import shutil

    outside = tiny.folder(tmp_path / "outside", shards=True)
    inside = store.folder() / "inside"
    shutil.copytree(outside, inside)
    for place, linked in ((inside, True), (outside, False)):
        source = Checkpoint.open(place)
        checkpoint.write(source, store.folder() / f"out-{linked}", source.input(), source.output())
        whole = [
            p for p in set(source.shards.values()) if not {"model.embed_tokens.weight", "lm_head.weight"} & {n for n, f in source.shards.items() if f == p}
        ]
        assert whole
        for shard in whole:
            assert (shard.stat().st_ino == (store.folder() / f"out-{linked}" / shard.name).stat().st_ino) == linked


@given(st.dictionaries(st.integers(0, 50), st.integers(0, 99)))
def test_every_id_in_a_config_follows_its_token(moved: dict[int, int]) -> None:
    settings = {
        "bos_token_id": 1,
        "eos_token_id": [1, 2],
        "pad_token_id": None,
        "suppress_tokens": [3],
        "hidden_size": 5,
        "use_cache": True,
        "forced_eos_token_id": 4,
    }
    found = carried_ids(settings, moved)
    assert set(found) == {"bos_token_id", "eos_token_id", "suppress_tokens", "forced_eos_token_id"}
    assert found["bos_token_id"] == moved.get(1)
    assert found["eos_token_id"] == ([moved[i] for i in (1, 2) if i in moved] or None)


def test_a_banned_sequence_that_lost_a_token_is_dropped_whole() -> None:
    assert carried_ids({"bad_words_ids": [[1, 2], [3]]}, {1: 11, 3: 13}) == {"bad_words_ids": [[13]]}


@pytest.mark.parametrize("name", ["/etc/hostname", "../secret.safetensors", "part.bin"])
def test_an_index_that_points_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    place = tiny.folder(tmp_path / "m", shards=True)
    index = json.loads((place / checkpoint.INDEX).read_text())
    index["weight_map"]["model.norm.weight"] = name
    (place / checkpoint.INDEX).write_text(json.dumps(index))
    with pytest.raises(WorkbenchError, match="no safetensors file beside it"):
        Checkpoint.open(place)


def test_broken_folders_say_what_is_broken(tmp_path: Path) -> None:
    place = tiny.folder(tmp_path / "m", shards=True)
    source = Checkpoint.open(place)
    shard = source.shards["model.norm.weight"]
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WorkbenchError, match="download it again"):
        checkpoint._copy_without(shard, tmp_path / "part", set())
    shard.write_bytes(b"\xff" * 100)
    with pytest.raises(WorkbenchError, match="no whole safetensors file"):
        checkpoint._copy_without(shard, tmp_path / "part", set())
    shard.unlink()
    with pytest.raises(WorkbenchError, match=f"lacks {shard.name}"):
        Checkpoint.open(place)
    config = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps(config | {"quantization_config": {"bits": 4}}))
    with pytest.raises(WorkbenchError, match="quantised"):
        Checkpoint.open(place)
    (place / "config.json").write_text("{")
    with pytest.raises(WorkbenchError, match="cannot be read as JSON"):
        Checkpoint.open(place)
