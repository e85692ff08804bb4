"""What a transfer would do before it does it, and what it warns of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench import store
from workbench.checkpoint import Checkpoint
from workbench.errors import WorkbenchError
from workbench.tokenizer import load, save
from workbench.tokenizer.loading import wrap
from workbench.transfer import Carry, Mean, Subtokens
from workbench.transfer.roundtrip import losses


def test_a_text_that_does_not_come_back_is_told_of(bert: Path, chat: Path) -> None:
    lost = losses(load(bert), ["The bear  sleeps.\nThe fox", "дом"])
    assert lost.what[:3] == ("case", "spaces", "line breaks")
    assert 0 < lost.share < 1
    assert "loses case, spaces, line breaks" in str(lost)
    fine = losses(load(chat))
    assert (fine.share, fine.what, str(fine)) == (0.0, (), "")


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=30), max_size=4))
def test_a_byte_level_tokenizer_loses_nothing(chat: Path, texts: list[str]) -> None:
    assert losses(load(chat), texts).share == 0


def test_a_preview_counts_by_kind_and_script_and_writes_nothing(chat: Path, bert: Path) -> None:
    found = Carry.open(chat, bert).preview()
    assert store.artefacts() == []
    for table in ("by_kind", "by_script"):
        sums = {name: sum(row[name] for row in found[table]) for name in ("kept", "new", "dropped")}
        assert sums == {name: found[name] for name in sums}
    kinds = {row["kind"]: row for row in found["by_kind"]}
    assert kinds["special"]["kept"] == 5  # <s> </s> <pad> <|user|> <|assistant|>
    assert {"Latin", "Cyrillic"} <= {row["script"] for row in found["by_script"]}
    assert 0 < found["anchors"] == kinds["text"]["kept"]
    assert found["table_bytes_after"] == found["rows_after"] * 16 * 4 * 2
    assert found["disk_bytes"] > found["table_bytes_after"]
    assert found["losses"]["share"] > 0
    assert any("loses" in warning for warning in found["warnings"])
    assert json.loads(json.dumps(found)) == found


def test_what_is_written_takes_the_disk_that_the_preview_said(chat: Path, bert: Path, tmp_path: Path) -> None:
    carry = Carry.open(chat, bert)
    said = carry.preview()["disk_bytes"]
    assert carry.write(Mean(), tmp_path / "made")["bytes_written"] == said
    on_disk = sum(file.stat().st_size for file in (tmp_path / "made").glob("*.safetensors") if file.name != "blend.safetensors")
    assert on_disk == pytest.approx(said, rel=0.2)  # headers are not counted


def strangers(place: Path) -> tuple[Path, Path]:
    """Two tokenizers without a text token in common."""
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers

    made = []
    for n, letters in enumerate(("abcdefg", "абвгдеё")):
        words = {token: i for i, token in enumerate(["<s>", "</s>", *letters])}
        backend = tokenizers.Tokenizer(models.BPE(words, []))
        backend.pre_tokenizer, backend.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
        made.append(save(wrap(backend, {"bos_token": "<s>", "eos_token": "</s>"}), place / str(n)))
    return tuple(made)


def test_no_shared_token_is_one_plain_error_for_those_who_lean_on_them(tmp_path: Path) -> None:
    first, second = strangers(tmp_path)
    carry = Carry.open(tiny.model(first), second)
    with pytest.raises(WorkbenchError, match="share no token that is text"):
        carry.anchors()
    assert any("Only 0 text tokens are shared" in warning for warning in carry.preview()["warnings"])
    carry.write(Mean(), tmp_path / "made")  # those that lean on none go on
    assert np.isfinite(Checkpoint.open(tmp_path / "made").input().numpy()).all()


def test_warnings_say_what_is_wrong(chat: Path, tmp_path: Path) -> None:
    same = Carry.open(chat, chat).preview()
    assert any("same model" in warning for warning in same["warnings"])
    many = Carry.open(chat, tiny.tokenizer(tmp_path / "many", 600, [f"{a}{b}{c}{d}" for a in "абвг" for b in "деёж" for c in "зикл" for d in "мноп"]))
    assert (many.preview()["table_bytes_after"] > 2 * many.preview()["table_bytes_before"]) == any("double" in w for w in many.preview()["warnings"])


def test_looser_matching_adds_copies_and_says_by_which_rule(chat: Path, tmp_path: Path) -> None:
    capitals = tiny.tokenizer(tmp_path / "capitals", texts=[text.title() for text in tiny.ENGLISH])
    exact, loose = Carry.open(chat, capitals), Carry.open(chat, capitals, match="case")
    assert exact.overlap.by_rule == {"exact": len(exact.overlap)}
    assert loose.overlap.by_rule["case"] > 5
    assert loose.counts()["kept"] == exact.counts()["kept"] + loose.overlap.by_rule["case"]
    loose.write(Subtokens(), tmp_path / "made")
    made = Checkpoint.open(tmp_path / "made").input()
    for mine, theirs in loose.overlap.loose["case"]:
        assert torch.equal(made[theirs], loose.source.input()[mine])
        a, b = loose.source_vocabulary.identity(int(mine)), loose.target_vocabulary.identity(int(theirs))
        assert a.bytes.decode().casefold() == b.bytes.decode().casefold()
        assert a != b
    with pytest.raises(WorkbenchError, match=r"no rule 'cases'.*case"):
        _ = Carry.open(chat, capitals, match="cases").task
