"""Identity of tokens across tokenizers."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import tokenizers
from tokenizers import decoders, models, pre_tokenizers

from workbench.errors import WorkbenchError
from workbench.tokenizer import load
from workbench.tokenizer.alphabet import LETTERS, to_letters
from workbench.tokenizer.loading import wrap
from workbench.vocab import Identity, Vocabulary, overlap


def text(word: str, start: bool = True) -> Identity:
    return Identity("text", start, word.encode())


@pytest.fixture(scope="module")
def byte_level() -> Vocabulary:
    merges = [(b" ", b"\xd0"), (b"\xd0", b"\xb8"), (b"a", b"b"), (b" ", b"ab"), (b" ", b" "), (b"\xd0", b"\xbc")]
    tokens = [*LETTERS, *(to_letters(a + b) for a, b in merges[:-1]), "<|end|>"]
    model = models.BPE({t: i for i, t in enumerate(tokens)}, [(to_letters(a), to_letters(b)) for a, b in merges[:-1]])
    backend = tokenizers.Tokenizer(model)
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    backend.add_special_tokens(["<|end|>"])
    backend.add_tokens(["<tool>"])
    return Vocabulary(wrap(backend, {"eos_token": "<|end|>", "bos_token": "<|end|>"}))


@pytest.fixture(scope="module")
def sentencepiece() -> Vocabulary:
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256)), "▁", "a", "b", "ab", "▁ab", "▁▁", "м", "и", "р", "▁м", "▁ми"]
    model = models.BPE(
        {t: i for i, t in enumerate(tokens)}, [("a", "b"), ("▁", "ab"), ("▁", "▁"), ("▁", "м"), ("▁м", "и")],
        unk_token="<unk>", fuse_unk=True, byte_fallback=True
    )  # fmt: skip
    backend = tokenizers.Tokenizer(model)
    backend.normalizer = tokenizers.normalizers.Sequence([tokenizers.normalizers.Prepend("▁"), tokenizers.normalizers.Replace(" ", "▁")])
    backend.add_special_tokens(["<unk>", "<s>", "</s>"])
    return Vocabulary(wrap(backend, {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}))


@pytest.fixture(scope="module")
def wordpiece() -> Vocabulary:
    tokens = ["[PAD]", "[UNK]", "[CLS]", "a", "##b", "ab", "ми", "##р", "##ab"]
    backend = tokenizers.Tokenizer(models.WordPiece({t: i for i, t in enumerate(tokens)}, unk_token="[UNK]"))
    backend.add_special_tokens(["[PAD]", "[UNK]", "[CLS]"])
    return Vocabulary(wrap(backend, {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]"}))


def names(vocabulary: Vocabulary, ids: list[int]) -> list[str]:
    return [vocabulary.token(i) for i in ids]


def test_the_same_token_has_one_identity_in_every_alphabet(byte_level: Vocabulary, sentencepiece: Vocabulary, wordpiece: Vocabulary) -> None:
    assert (
        byte_level.identity(byte_level.find("Ġab"))
        == sentencepiece.identity(sentencepiece.find("▁ab"))
        == wordpiece.identity(wordpiece.find("ab"))
        == text("ab")
    )
    assert byte_level.identity(byte_level.find("ab")) == sentencepiece.identity(sentencepiece.find("ab")) == wordpiece.identity(8) == text("ab", start=False)
    assert byte_level.identity(byte_level.find("ĠĠ")) == sentencepiece.identity(sentencepiece.find("▁▁")) == text(" ")
    assert byte_level.identity(byte_level.find("Ġ")) == sentencepiece.identity(sentencepiece.find("▁")) == text("")
    assert sentencepiece.identity(3 + 0xD0) == Identity("byte", False, b"\xd0")
    assert byte_level.identity(byte_level.find("Ð")) == Identity("text", False, b"\xd0")
    assert byte_level.identity(byte_level.roles["eos"]).kind == "special"
    assert byte_level.identity(byte_level.find("<tool>")) == text("<tool>", start=False)


def test_pieces_are_written_in_the_bases_own_alphabet(byte_level: Vocabulary, sentencepiece: Vocabulary, wordpiece: Vocabulary) -> None:
    mir = text("мир")
    assert names(byte_level, byte_level.pieces(mir)) == ["ĠÐ", "¼", "Ð¸", "Ñ", "Ģ"]
    assert names(sentencepiece, sentencepiece.pieces(mir)) == ["▁ми", "р"]
    assert names(wordpiece, wordpiece.pieces(mir)) == ["ми", "##р"]
    assert names(wordpiece, wordpiece.pieces(text("abb", start=False))) == ["##ab", "##b"]
    assert names(sentencepiece, sentencepiece.pieces(text("ab", start=False))) == ["ab"]
    assert names(sentencepiece, sentencepiece.pieces(text(" "))) == ["▁▁"]
    assert byte_level.pieces("ĠÐ¼Ð¸ÑĢ") == byte_level.pieces(mir)


def test_pieces_fall_back_to_bytes_and_then_to_unknown(byte_level: Vocabulary, sentencepiece: Vocabulary, wordpiece: Vocabulary) -> None:
    assert names(sentencepiece, sentencepiece.pieces(Identity("text", True, b"\xd0"))) == ["▁", "<0xD0>"]
    assert names(sentencepiece, sentencepiece.pieces(Identity("text", False, b"ab" + b"\xd0"))) == ["ab", "<0xD0>"]
    assert names(sentencepiece, sentencepiece.pieces(text("熊", start=False))) == ["<0xE7>", "<0x86>", "<0x8A>"]
    assert names(sentencepiece, sentencepiece.pieces(Identity("byte", False, b"\x41"))) == ["<0x41>"]
    assert names(byte_level, byte_level.pieces(Identity("byte", False, b"\xd0"))) == ["Ð"]
    assert names(wordpiece, wordpiece.pieces(Identity("byte", False, b"\xd0"))) == ["[UNK]"]
    assert sentencepiece.pieces(Identity("special", False, b"<s>")) == [sentencepiece.roles["bos"]]


def test_every_token_is_spelt_by_its_own_vocabulary(byte_level: Vocabulary, sentencepiece: Vocabulary, wordpiece: Vocabulary) -> None:
    for v in (byte_level, sentencepiece, wordpiece):
        for i in v.tokens:
            if v.token(i) != "<tool>":  # an added token is no piece of the bare model
                assert v.pieces(v.identity(i)) == [i]


def test_overlap_by_kind(byte_level: Vocabulary, sentencepiece: Vocabulary, wordpiece: Vocabulary) -> None:
    found = overlap(sentencepiece, byte_level)
    shared = {(sentencepiece.token(i), byte_level.token(j)) for i, j in found.text}
    assert {("ab", "ab"), ("▁ab", "Ġab"), ("▁▁", "ĠĠ"), ("▁", "Ġ"), ("a", "a"), ("b", "b"), ("и", "Ð¸")} == shared
    assert len(found.byte) == 256 - 3  # not the bytes of " ", "a" and "b": text matched their single-byte tokens
    assert found.special.tolist() == [[sentencepiece.roles["bos"], byte_level.roles["bos"]]]
    assert len(set(found.pairs[:, 0])) == len(set(found.pairs[:, 1])) == len(found)
    assert list(found.pairs[:, 1]) == sorted(found.pairs[:, 1])
    back = overlap(byte_level, sentencepiece)
    assert set(back) == {(j, i) for i, j in found}
    assert {wordpiece.token(j) for _, j in sentencepiece.overlap(wordpiece)} == {"[UNK]", "##b", "ab", "ми", "##р", "##ab"}


def test_a_vocabulary_overlaps_itself_wholly(byte_level: Vocabulary, sentencepiece: Vocabulary, wordpiece: Vocabulary) -> None:
    for v in (byte_level, sentencepiece, wordpiece):
        assert v.overlap(v).pairs.tolist() == [[i, i] for i in v.tokens]
        assert not v.collisions


def test_collisions_are_listed() -> None:
    v = Vocabulary(wrap(tokenizers.Tokenizer(models.BPE({"a b": 0, "a▁b": 1, "c": 2}, [])), {}))
    assert v.collisions == {text("a b", start=False): [0, 1]}
    assert v.ids[text("a b", start=False)] == 0


def test_holes_are_nameless(byte_level: Vocabulary) -> None:
    v = Vocabulary(wrap(tokenizers.Tokenizer(models.BPE({"a": 0, "c": 5}, [])), {}))
    assert (v.size, len(v), v.token(3), v.identity(3), v.printable(3)) == (6, 2, "", Identity("special", False, b""), "")
    assert overlap(v, v).pairs.tolist() == [[0, 0], [5, 5]]
    assert not len(overlap(v, byte_level).special)


def test_finding_and_printing(byte_level: Vocabulary, sentencepiece: Vocabulary, wordpiece: Vocabulary) -> None:
    assert sentencepiece.find("ми") == sentencepiece.find("▁ми") == sentencepiece.find(" ми")
    assert sentencepiece.find(5) == 5
    with pytest.raises(WorkbenchError, match=r"No token is 'миру'.*Did you mean ␣ми"):
        sentencepiece.find("миру")
    with pytest.raises(WorkbenchError, match="no token 9999; give an id from 0"):
        sentencepiece.find(9999)
    assert byte_level.printable(byte_level.find("ĠÐ")) == "␣⟨D0⟩"
    assert sentencepiece.printable(3 + 0xD0) == "⟨D0⟩"
    assert wordpiece.printable(wordpiece.find("##b")) == "##b"
    assert sentencepiece.printable(sentencepiece.roles["bos"]) == "<s>"


@pytest.mark.real
def test_real_vocabularies(real_data: Path) -> None:
    v = {name: Vocabulary(load(real_data / "tokenizers" / f"{name}.model")) for name in ("llama2", "darulm-ru-32k-bpe", "darulm-ru-32k-unigram")}
    assert len(set(v["llama2"].identities().values())) == 32000
    found = overlap(v["llama2"], v["darulm-ru-32k-bpe"])
    assert (len(found), len(found.byte), len(found.special)) == (9443, 256, 3)
    found = overlap(v["llama2"], v["darulm-ru-32k-unigram"])
    assert (len(found), len(found.byte), len(found.special)) == (8162, 256, 3)
    gpt2 = Vocabulary(load(real_data / "tokenizers/gpt2-vocab.json"))
    assert names(gpt2, gpt2.pieces("ĠÐ¼Ð¸ÑĢ")) == ["ĠÐ", "¼", "Ð¸", "ÑĢ"]


@pytest.mark.real
def test_large_vocabularies_take_seconds(real_data: Path) -> None:
    llama3, llama2 = Vocabulary(load(real_data / "tokenizers/llama3.tiktoken")), Vocabulary(load(real_data / "tokenizers/llama2.model"))
    started = time.process_time()
    assert len(overlap(llama3, llama2)) > 20_000
    pieces = llama2.pieces_of(llama3.identities().values())
    assert np.mean([len(p) for p in pieces]) > 1
    assert all(pieces)
    assert time.process_time() - started < 30
    assert not any("\ufffd" in llama3.printable(i) for i in llama3.tokens)
