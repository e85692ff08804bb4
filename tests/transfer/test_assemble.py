"""The tokenizer a result gets, its configs, and what a transfer would do before it does it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from aids import around

from workbench.checkpoint import Checkpoint
from workbench.errors import WorkbenchError
from workbench.tokenizer import Extension, Optimization, extend, load, optimize, save
from workbench.tokenizer.loading import wrap
from workbench.transfer import Carry, Mean, Subtokens
from workbench.transfer.adopting import adopt

TALK = [{"role": "user", "content": "the bear"}, {"role": "assistant", "content": "the fox"}]


def carried(chat: Path, tokenizer: Path, out: Path, method: Any = None) -> tuple[dict[str, Any], Any]:
    report = Carry.open(chat, tokenizer).write(method or Subtokens(), out)
    return report, load(out)


def test_a_donors_template_gives_way_to_the_models_own(chat: Path, bert: Path, tmp_path: Path) -> None:
    report, made = carried(chat, bert, tmp_path / "made")
    ids = made("the bear " * 30).input_ids  # longer than the encoder could read
    assert made.decode(ids) == "<s> " + " ".join(["the bear"] * 30)
    assert made.backend_tokenizer.encode("the", "bear").tokens.count("<s>") == 2
    assert any("<s> …" in change and "[CLS] … [SEP]" in change for change in report["changes"])
    assert any("Appended <s>, </s>" in change for change in report["changes"])
    assert made.model_input_names == load(chat).model_input_names
    assert made.model_max_length == load(chat).model_max_length


def test_chat_tokens_keep_the_models_rows_and_the_template_writes_them(chat: Path, bert: Path, tmp_path: Path) -> None:
    _, made = carried(chat, bert, tmp_path / "made")
    before, after = Checkpoint.open(chat), Checkpoint.open(tmp_path / "made")
    old, new = load(chat).get_vocab(), made.get_vocab()
    for name in ("<s>", "</s>", "<|user|>", "<|assistant|>"):
        assert torch.equal(after.input()[new[name]], before.input()[old[name]])
        assert torch.equal(after.output()[new[name]], before.output()[old[name]])
    wanted = load(chat).apply_chat_template(TALK, tokenize=False, add_generation_prompt=True)
    assert made.apply_chat_template(TALK, tokenize=False, add_generation_prompt=True) == wanted
    tokens = made.convert_ids_to_tokens(made.apply_chat_template(TALK, add_generation_prompt=True, return_dict=False))
    assert [t for t in tokens if t in old and t.startswith("<")] == ["<|user|>", "</s>", "<|assistant|>", "</s>", "<|assistant|>"]
    assert json.loads((tmp_path / "made" / "generation_config.json").read_text())["eos_token_id"] == [new["</s>"], new["<|user|>"]]


def test_a_role_that_the_target_has_under_another_name_is_that_role(chat: Path, tmp_path: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    target = Tokenizer(models.BPE())
    target.pre_tokenizer, target.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    target.train_from_iterator(tiny.RUSSIAN, trainers.BpeTrainer(special_tokens=["<begin>", "<end>"], vocab_size=300, show_progress=False))
    save(wrap(target, {"bos_token": "<begin>", "eos_token": "<end>"}), tmp_path / "target")
    _, made = carried(chat, tmp_path / "target", tmp_path / "made")
    before, after = Checkpoint.open(chat), Checkpoint.open(tmp_path / "made")
    assert (made.bos_token, made.eos_token, made.pad_token) == ("<begin>", "<end>", "<pad>")
    assert "<s>" not in made.get_vocab()
    for mine, theirs in ((0, made.bos_token_id), (1, made.eos_token_id), (2, made.pad_token_id)):
        assert torch.equal(after.input()[theirs], before.input()[mine])
    assert made.apply_chat_template(TALK, tokenize=False) == "<|user|>the bear<end><|assistant|>the fox<end>"
    assert made("кто").tokens()[0] == "<begin>"


def test_one_source_token_that_begins_ends_and_fills_is_all_of_these_in_the_result(tmp_path: Path, bert: Path) -> None:
    """GPT-2 and its kin."""
    source = load(tiny.tokenizer(tmp_path / "source", specials=["<|endoftext|>"])).backend_tokenizer
    roles = {f"{role}_token": "<|endoftext|>" for role in ("bos", "eos", "unk")}
    place = tiny.model(save(wrap(source, roles), tmp_path / "gpt"))
    for name in ("config.json", "generation_config.json"):
        stated = json.loads((place / name).read_text()) | {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": None}
        (place / name).write_text(json.dumps(stated))
    _, made = carried(place, bert, tmp_path / "made")
    assert made.bos_token == made.eos_token == "<|endoftext|>"
    assert made.pad_token == "[PAD]"
    end = made.eos_token_id
    for name in ("config.json", "generation_config.json"):
        stated = json.loads((tmp_path / "made" / name).read_text())
        assert (stated["bos_token_id"], stated["eos_token_id"], stated["pad_token_id"]) == (end, end, None)
    assert torch.equal(Checkpoint.open(tmp_path / "made").input()[end], Checkpoint.open(place).input()[0])


@pytest.mark.parametrize("after", ["", "</s>"])
def test_what_the_source_puts_around_a_text_is_put_around_it_by_any_target(tmp_path: Path, bert: Path, after: str) -> None:
    source = load(tiny.tokenizer(tmp_path / "source"))
    source.backend_tokenizer.post_processor = around("<s>", after)
    made = adopt(source, load(bert)).tokenizer
    tokens = made("the bear").tokens()
    assert (tokens[0], tokens[-1] == "</s>") == ("<s>", bool(after))
    again = adopt(source, made)
    assert again.tokenizer is made
    assert again.changes == ()


def test_extended_and_optimised_tokenizers_stay_as_they_are(chat: Path, tmp_path: Path) -> None:
    base = load(chat)
    texts = (tiny.ENGLISH + tiny.RUSSIAN) * 3
    longer = extend(base, texts, Extension(new_tokens=20, script="Cyrillic")).tokenizer
    shorter = optimize(base, texts, texts, Optimization(keep=290, new_tokens=10, script="Cyrillic")).tokenizer
    for n, tokenizer in enumerate((base, longer, shorter)):
        place = save(tokenizer, tmp_path / f"given-{n}")
        report, _ = carried(chat, place, tmp_path / f"made-{n}")
        assert report["changes"] == []
        for file in ("tokenizer.json", "tokenizer_config.json"):
            assert (tmp_path / f"made-{n}" / file).read_bytes() == (place / file).read_bytes()


def test_neither_tokenizer_is_changed(chat: Path, bert: Path) -> None:
    source, target = load(chat), load(bert)
    before = [t.backend_tokenizer.to_str() for t in (source, target)]
    assert adopt(source, target).tokenizer is not target
    assert [t.backend_tokenizer.to_str() for t in (source, target)] == before
    assert target.bos_token is None


def test_byte_pieces_that_are_marked_special_are_read_and_written(chat: Path) -> None:
    made = Carry.open(chat, "demo:ru-plm")
    text = "медведь & bear"
    assert made.target_tokenizer.decode(made.target_tokenizer(text).input_ids, skip_special_tokens=True) == text
    assert any("byte pieces" in change for change in made.changes)
    assert made.overlap.by_kind["byte"] > 100


def test_ids_with_holes_are_refused_rather_than_used_twice(chat: Path, tmp_path: Path) -> None:
    import tokenizers
    from tokenizers import models

    holed = wrap(tokenizers.Tokenizer(models.BPE({"a": 0, "b": 9}, [])), {})
    with pytest.raises(WorkbenchError, match="ids have holes"):
        adopt(load(chat), holed)


def test_the_tables_are_written_as_they_are_filled(chat: Path, bert: Path, tmp_path: Path) -> None:
    carry = Carry.open(chat, bert)
    report = carry.write(Subtokens(), tmp_path / "made")
    first, second = carry.tables(Subtokens().blend(carry.task))
    made = Checkpoint.open(tmp_path / "made")
    assert torch.equal(made.input(), first)
    assert torch.equal(made.output(), second)
    lengths, new = first.norm(dim=1), torch.from_numpy(carry.task.kept < 0)
    assert report["norm_ratio"] == pytest.approx(np.median(lengths[new]) / np.median(lengths[~new]), abs=1e-4)


def test_a_token_with_several_roles_takes_the_row_of_the_first(tmp_path: Path) -> None:
    """The mirror of one source token with two roles: here <|endoftext|> begins, ends and fills, and the source has a token for each."""
    source = tiny.folder(tmp_path / "source")
    place = tiny.tokenizer(tmp_path / "target", specials=["<|endoftext|>"])
    save(wrap(load(place).backend_tokenizer, {f"{role}_token": "<|endoftext|>" for role in ("bos", "eos", "pad", "unk")}), place)
    carry = Carry.open(source, place)
    end = carry.target_vocabulary.roles["eos"]
    assert carry.task.kept[end] == carry.source_vocabulary.roles["bos"]


def test_a_full_disk_is_noticed_before_any_work_and_what_opens_is_whole(chat: Path, bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    class Never(Mean):
        def blend(self, task: Any) -> Any:
            raise AssertionError("worked before looking at the disk")

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**6, 10**6, 0))
        with pytest.raises(WorkbenchError, match="free"):
            Carry.open(chat, bert).write(Never(), tmp_path)
    monkeypatch.setattr("workbench.transfer.blends.Blend.save", lambda *_: (_ for _ in ()).throw(OSError("gone")))
    with pytest.raises(OSError, match="gone"):
        Carry.open(chat, bert).write(Mean(), tmp_path)
    assert not list(tmp_path.glob("*.safetensors"))
    assert not (tmp_path / "config.json").exists()
