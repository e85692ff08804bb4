"""Tables in and out; every other tensor passed through."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from workbench import checkpoint, shards, store
from workbench.checkpoint import Checkpoint, carried_ids
from workbench.errors import WorkbenchError
from workbench.shards import Rows


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


@pytest.mark.parametrize("name", ["model.norm.weight", "model.embed_tokens.weight"])
def test_an_index_that_names_the_wrong_shard_is_refused(tmp_path: Path, name: str) -> None:
    place = tiny.folder(tmp_path / "m", shards=True)
    index = json.loads((place / checkpoint.INDEX).read_text())
    index["weight_map"][name] = next(f for f in sorted(index["weight_map"].values()) if f != index["weight_map"][name])
    (place / checkpoint.INDEX).write_text(json.dumps(index))
    with pytest.raises(WorkbenchError, match=rf"places {name} in {index['weight_map'][name]}, which does not hold it"):
        Checkpoint.open(place)


def test_broken_folders_say_what_is_broken(tmp_path: Path) -> None:
    place = tiny.folder(tmp_path / "m", shards=True)
    source = Checkpoint.open(place)
    shard = source.shards["model.norm.weight"]
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WorkbenchError, match="download it again"):
        shards.write(tmp_path / "part", {}, shard)
    shard.write_bytes(b"\xff" * 100)
    with pytest.raises(WorkbenchError, match="no whole safetensors file"):
        shards.write(tmp_path / "part", {}, shard)
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


def llama(tmp_path: Path, **options: object) -> Checkpoint:
    return Checkpoint.open(tiny.folder(tmp_path / "m", **options))


@given(st.integers(1, 40), st.integers(1, 16), st.integers(1, 9))
def test_rows_made_in_blocks_are_those_of_the_whole_table_padded(rows: int, step: int, multiple: int) -> None:
    import tempfile

    table = torch.randn(rows, 3).bfloat16()
    made = Rows((rows, 3), table.dtype, lambda: table.split(step))
    with tempfile.TemporaryDirectory() as place:
        shards.write(Path(place) / "f.safetensors", {"t": made.padded(multiple), "u": Rows.of(table[:, 0])})
        found = load_file(Path(place) / "f.safetensors")
    assert torch.equal(found["t"][:rows], table)
    assert torch.equal(found["u"], table[:, 0])
    assert 0 <= len(found["t"]) - rows < multiple
    assert len(found["t"]) % multiple == 0
    assert not found["t"][rows:].any()


def test_a_row_that_is_not_finite_is_named_and_nothing_that_looks_like_a_model_stays(tmp_path: Path) -> None:
    source = llama(tmp_path, shards=True)
    bad = source.input().clone()
    bad[37, 5] = float("inf")
    with pytest.raises(WorkbenchError, match=r"Row 37 of model\.embed_tokens\.weight is not finite"):
        checkpoint.write(source, tmp_path / "out", Rows(tuple(bad.shape), bad.dtype, lambda: bad.split(10)), source.output())
    assert list((tmp_path / "out").iterdir()) == []


def test_a_write_that_is_interrupted_opens_as_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = llama(tmp_path)

    def pull_the_plug(path: Path, value: object) -> None:
        if path.name == "config.json":
            raise KeyboardInterrupt
        store_write(path, value)

    store_write = store.write_json
    monkeypatch.setattr(store, "write_json", pull_the_plug)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.write(source, tmp_path / "out", source.input(), source.output())
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(WorkbenchError, match="holds no config"):
        Checkpoint.open(tmp_path / "out")


@pytest.mark.parametrize("how", ["link", "copy", "rewrite"])
@pytest.mark.parametrize("left", [Path.hardlink_to, Path.symlink_to])
def test_links_that_a_killed_write_left_never_lead_into_the_source(tmp_path: Path, how: str, left: Callable[[Path, Path], None]) -> None:
    source = llama(tmp_path, shards=True)
    before = {p.name: p.read_bytes() for p in source.path.iterdir()}
    (tmp_path / "out").mkdir()
    for shard in {*source.shards.values(), source.path / "config.json"}:
        left(tmp_path / "out" / ("generation_config.json" if shard.name == "config.json" else shard.name), shard)
    left(tmp_path / "out" / checkpoint.TABLES, source.shards[source.input_name])
    replaced = {n: 2 * source.tensor(n) for n in source.shards if "layers" in n} if how == "rewrite" else {}
    checkpoint.write(source, tmp_path / "out", source.input(), source.output(), replaced=replaced, link=how == "link")
    assert {p.name: p.read_bytes() for p in source.path.iterdir()} == before
    made = Checkpoint.open(tmp_path / "out")
    assert all(torch.equal(made.tensor(n), replaced.get(n, source.tensor(n))) for n in source.shards)


def test_a_folder_that_holds_a_model_is_left_alone(tmp_path: Path) -> None:
    source = llama(tmp_path)
    before = {p.name: p.read_bytes() for p in source.path.iterdir()}
    with pytest.raises(WorkbenchError, match="holds a model already"):
        checkpoint.write(source, source.path, source.input(), source.output())
    assert {p.name: p.read_bytes() for p in source.path.iterdir()} == before


def test_the_plan_knows_what_will_be_written_and_that_the_disk_lacks_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    source = llama(tmp_path, shards=True)
    tables = source.input(), source.output()
    for link in (False, True):
        out = tmp_path / f"out-{link}"
        said = checkpoint.write(source, out, *tables, link=link)
        written = [f for f in out.glob("*.safetensors") if f.stat().st_nlink == 1]
        assert 0 <= sum(f.stat().st_size for f in written) - said["bytes_written"] < 2000 * len(written)  # the headers
        assert (said["shards_linked"] > 0, said["shards_copied"] > 0) == (link, not link)
        assert said["shards_rewritten"] == 0  # at this shard size each table has one of its own
    made = checkpoint.plan(source, tmp_path / "more", *tables)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(0, 0, made.bytes - 1))
    with pytest.raises(WorkbenchError, match=f"needs {made.bytes:,} bytes on the disk of .*more, which has {made.bytes - 1:,} free"):
        checkpoint.write(source, tmp_path / "more", *tables)
    assert not (tmp_path / "more").exists()


def test_a_copy_that_differs_from_its_source_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib

    source = llama(tmp_path, shards=True)
    monkeypatch.setattr(shards, "_cloned", lambda *a: False)
    real = hashlib.file_digest

    def spoilt(stream: object, name: str) -> object:
        with Path(stream.name).open("r+b") as file:
            file.seek(200)
            file.write(b"\xff")
        return real(stream, name)

    monkeypatch.setattr(hashlib, "file_digest", spoilt)
    with pytest.raises(WorkbenchError, match="differs from it; check the disk"):
        checkpoint.write(source, tmp_path / "out", source.input(), source.output())
    assert list((tmp_path / "out").iterdir()) == []


def test_a_result_that_is_not_as_planned_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = llama(tmp_path)
    real = shards.write
    monkeypatch.setattr(shards, "write", lambda target, tensors, *rest: real(target, {n: Rows.of(t) for n, t in list(load(tensors))[:1]}, *rest))

    def load(tensors: dict[str, Rows]) -> list[tuple[str, torch.Tensor]]:
        return [(n, torch.cat(list(rows.blocks()))) for n, rows in tensors.items()]

    with pytest.raises(WorkbenchError, match=r"does not hold lm_head\.weight as it should"):
        checkpoint.write(source, tmp_path / "out", source.input(), source.output())


def test_other_tensors_may_be_replaced_and_their_shard_alone_is_rewritten(tmp_path: Path) -> None:
    source = llama(tmp_path, shards=True)
    name = "model.layers.0.mlp.up_proj.weight"
    said = checkpoint.write(source, tmp_path / "out", source.input(), source.output(), replaced={name: 2 * source.tensor(name)}, link=True)
    made = Checkpoint.open(tmp_path / "out")
    assert said["shards_rewritten"] == 1
    for other in source.shards:
        assert torch.equal(made.tensor(other), source.tensor(other) * (2 if other == name else 1))


def test_a_config_with_a_text_part_is_resized_there(tmp_path: Path) -> None:
    source = llama(tmp_path)
    parts = {"model_type": "gemma3", "text_config": {"vocab_size": 5, "hidden_size": 16}, "tie_word_embeddings": False}
    source = Checkpoint(source.path, parts, source.shards, source.input_name, source.output_name)
    checkpoint.write(source, tmp_path / "out", source.input())
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config == {**parts, "text_config": {"vocab_size": source.shape[0], "hidden_size": 16}, "tie_word_embeddings": True}
