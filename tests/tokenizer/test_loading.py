"""Reading every kind of file, and giving the ids of the library it came from."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest
import sentencepiece
import tiktoken
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from workbench.errors import WorkbenchError
from workbench.tokenizer import convert_tiktoken, load, save
from workbench.tokenizer.merges import merges_of
from workbench.tokenizer.verify import same_ids

from .conftest import CHAT, ENGLISH, KOREAN, PERSIAN, RUSSIAN, byte_level, train_sentencepiece

ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
quick = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXTS = ENGLISH + RUSSIAN + PERSIAN + KOREAN
KINDS = {
    "bpe": {"model_type": "bpe", "byte_fallback": True},
    "bpe-unknown": {"model_type": "bpe", "normalization_rule_name": "identity", "character_coverage": 0.98},
    "bpe-bare": {
        "model_type": "bpe",
        "byte_fallback": True,
        "add_dummy_prefix": False,
        "remove_extra_whitespaces": False,
        "normalization_rule_name": "identity",
    },
    "bpe-symbols": {"model_type": "bpe", "byte_fallback": True, "user_defined_symbols": ["<sep>", "[X]"], "control_symbols": ["<ctl>"]},
    "unigram": {"model_type": "unigram", "byte_fallback": True},
    "unigram-unknown": {"model_type": "unigram", "normalization_rule_name": "nfkc", "character_coverage": 0.98},
    "unigram-symbols": {"model_type": "unigram", "byte_fallback": True, "user_defined_symbols": ["<sep>"], "normalization_rule_name": "nmt_nfkc_cf"},
}


@pytest.fixture(scope="module", params=list(KINDS))
def pair(request: pytest.FixtureRequest, sp_folder: Path) -> tuple:
    """(converted, original) of a SentencePiece model."""
    path = train_sentencepiece(sp_folder, request.param, TEXTS, vocab_size=700, **KINDS[request.param])
    return load(path).backend_tokenizer, sentencepiece.SentencePieceProcessor(model_file=str(path))


@quick
@given(text=ANY | st.text("ab <sep>[X]  ▁\n", max_size=30) | st.sampled_from(TEXTS))
def test_sentencepiece_gives_the_same_ids(pair: tuple, text: str) -> None:
    converted, original = pair
    if any(symbol in text for symbol in ("<s>", "</s>", "<unk>", "<ctl>", "\u0000")) or text in ("<sep>", "[X]"):
        return  # special tokens are read from text here; a text that is one symbol has no ▁ in front
    assert converted.encode(text, add_special_tokens=False).ids == original.encode(text)


def test_sentencepiece_roles_and_kinds(sp_bpe: Path, sp_folder: Path) -> None:
    tokenizer = load(sp_bpe)
    assert (tokenizer.unk_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id) == (0, 1, 2)
    assert tokenizer("hi")["input_ids"][0] == 1
    assert tokenizer.decode(tokenizer("  The bear, медведь 熊\n", add_special_tokens=False)["input_ids"]) == "  The bear, медведь 熊\n"
    words = train_sentencepiece(sp_folder, "words", ENGLISH, vocab_size=60, model_type="word")
    with pytest.raises(WorkbenchError, match="kind BPE or Unigram"):
        load(words)


def test_a_folder_with_only_a_sentencepiece_model(sp_bpe: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(sp_bpe.read_bytes())
    assert load(tmp_path).get_vocab() == load(sp_bpe).get_vocab()


@quick
@given(text=ANY | st.sampled_from(TEXTS))
def test_tiktoken_gives_the_same_ids(rank_file: Path, text: str) -> None:
    converted, original = tiktoken_pair(rank_file, "llama3")
    if "<|" not in text:
        assert converted.encode(text, add_special_tokens=False).ids == original.encode_ordinary(text)


_loaded: dict = {}


def tiktoken_pair(path: Path, pattern: str) -> tuple:
    if pattern not in _loaded:
        ranks = convert_tiktoken.read(path)
        original = tiktoken.Encoding("tiny", pat_str=convert_tiktoken.FAMILIES[pattern].regex, mergeable_ranks=ranks, special_tokens={})
        _loaded[pattern] = load(path, pattern=pattern).backend_tokenizer, original
    return _loaded[pattern]


def test_tiktoken_families(rank_file: Path, tmp_path: Path) -> None:
    ranks = len(convert_tiktoken.read(rank_file))
    llama = load(rank_file, pattern="llama3")
    assert len(llama) == ranks + 256
    assert llama.convert_tokens_to_ids(["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|reserved_special_token_250|>"]) == [
        ranks,
        ranks + 1,
        ranks + 9,
        ranks + 255,
    ]
    assert llama("a")["input_ids"][0] == ranks
    qwen = load(rank_file, pattern="qwen")
    assert len(qwen) == ranks + 208
    assert qwen.convert_tokens_to_ids(["<|im_end|>", "<|extra_204|>"]) == [ranks + 2, ranks + 207]
    assert qwen.tokenize("e\u0301") == qwen.tokenize("é")
    with pytest.raises(WorkbenchError, match="give pattern= one of gpt2, llama3, qwen"):
        load(rank_file)
    assert len(load(rank_file, pattern=r"\p{L}+|\P{L}")) == ranks
    (tmp_path / "tokenizer.model").write_bytes(rank_file.read_bytes())  # as Meta names it
    assert load(tmp_path, pattern="llama3").get_vocab() == llama.get_vocab()


def test_ranks_that_no_merge_makes_are_kept_whole(tmp_path: Path) -> None:
    tokens = [bytes([b]) for b in range(256)] + [b"th", b"hello", b"the"]
    path = tmp_path / "dead.tiktoken"
    path.write_bytes(b"".join(base64.b64encode(t) + b" %d\n" % i for i, t in enumerate(tokens)))
    assert load(path, pattern="gpt2").tokenize("hello the hello") == ["hello", "Ġ", "the", "Ġ", *"hello"]


def test_merges_of_equal_and_unmakeable_ranks() -> None:
    assert merges_of({"ab": 0, "abc": 1, "abab": 2}) == ([("a", "b"), ("ab", "c"), ("ab", "ab")], [])
    assert merges_of({"aa": 0, "aaa": 0, "a": 0}) == ([("aa", "a"), ("a", "a")], [])
    merges, dead = merges_of({"xyz": 0, **dict.fromkeys("xyz", 9)})
    assert (merges, dead) == ([], ["xyz"])


def test_gpt2_files(tmp_path: Path) -> None:
    model = json.loads(byte_level(False).to_str())["model"]
    (tmp_path / "vocab.json").write_text(json.dumps(model["vocab"]))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(m) for m in model["merges"]))
    tokenizer = load(tmp_path)
    assert tokenizer.eos_token == "<|endoftext|>"
    assert tokenizer.tokenize(ENGLISH[0]) == byte_level(False).encode(ENGLISH[0], add_special_tokens=False).tokens
    (tmp_path / "merges.txt").write_text("no such\n")
    with pytest.raises(WorkbenchError, match="give both files of one tokenizer"):
        load(tmp_path)
    (tmp_path / "merges.txt").unlink()
    with pytest.raises(WorkbenchError, match="give both files"):
        load(tmp_path)


def test_save_is_deterministic_and_keeps_everything(bases: dict, tmp_path: Path) -> None:
    base = bases["ignore_merges"]
    first, second = save(base, tmp_path / "1"), save(load(save(base, tmp_path / "0")), tmp_path / "2")
    for file in ("tokenizer.json", "tokenizer_config.json"):
        assert (first / file).read_bytes() == (second / file).read_bytes()
    again = load(first)
    assert again.chat_template == CHAT
    assert again("The bear")["input_ids"] == base("The bear")["input_ids"]
    assert load(first / "tokenizer.json").get_vocab() == base.get_vocab()


def test_a_folder_of_transformers_own_save(bases: dict, tmp_path: Path) -> None:
    for name, base in bases.items():
        base.save_pretrained(tmp_path / name)
        again = load(tmp_path / name)
        assert again.backend_tokenizer.to_str() == base.backend_tokenizer.to_str()
        assert (again.chat_template, again.bos_token_id, again.eos_token_id) == (base.chat_template, base.bos_token_id, base.eos_token_id)


def test_named_templates_and_extra_specials(bases: dict, tmp_path: Path) -> None:
    from workbench.tokenizer.loading import wrap

    extra = wrap(
        bases["byte-level"].backend_tokenizer,
        {"additional_special_tokens": ["<|user|>"], "chat_template": {"default": CHAT, "tool": "x"}, "model_max_length": 99},
    )
    again = load(save(extra, tmp_path))
    assert (again.chat_template, again.model_max_length) == ({"default": CHAT, "tool": "x"}, 99)
    assert again.extra_special_tokens == ["<|user|>"]


def test_objects(bases: dict) -> None:
    base = bases["byte-level"]
    assert load(base) is base
    assert load(base.backend_tokenizer).get_vocab() == base.get_vocab()
    assert isinstance(base.backend_tokenizer, Tokenizer)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [("tokenizer.json", b"{", "is not JSON"), ("tokenizer.json", b"[1]", "not a JSON object"), ("tokenizer.json", b'{"a": "b"}', "tokenizers library reads"),
     ("x.model", b"\x00\x01junk", "cannot be read as a SentencePiece"), ("x.model", b"", "cannot be read as a SentencePiece"),
     ("x.tiktoken", b"IQ== 0\n???", "Line 2 of"),
     ("x.tiktoken", b"IQ== 0\n", "lacks 255"), ("x.bin", b"", "is not a tokenizer file")],
)  # fmt: skip
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WorkbenchError, match=message):
        load(tmp_path / name)


def test_a_chat_template_that_is_not_utf8_is_one_sentence(bases: dict, tmp_path: Path) -> None:
    save(load(bases["byte-level"]), tmp_path)
    (tmp_path / "chat_template.jinja").write_bytes(b"{{ caf\xe9 }}")
    with pytest.raises(WorkbenchError, match=r"chat_template\.jinja is not UTF-8 at byte 6; save it as UTF-8\."):
        load(tmp_path)


def test_a_pattern_that_is_none_is_one_sentence(rank_file: Path, tmp_path: Path) -> None:
    for pattern in ("(", "[a-", "(?y{g})a"):  # the last is one for tokenizers but not for tiktoken
        with pytest.raises(WorkbenchError, match=r"The pattern '.*' is no regular expression \([^\n]+\); correct it, or give one of gpt2, llama3, qwen"):
            load(rank_file, pattern=pattern)
    (tmp_path / "vocab.json").write_text('{"a": 0}', encoding="utf-8")
    (tmp_path / "merges.txt").write_text("", encoding="utf-8")
    with pytest.raises(WorkbenchError, match=r"The pattern '\(' is no regular expression"):
        load(tmp_path, pattern="(")


def test_a_folder_without_a_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match="give a folder or file that has a tokenizer"):
        load(tmp_path)


def test_a_difference_is_reported_with_its_place() -> None:
    with pytest.raises(WorkbenchError, match=r"token 0 is .* and should be"):
        same_ids(lambda text: [1] * len(text), lambda text: [2] * len(text), "the original")


def test_importing_the_package_loads_nothing_heavy() -> None:
    import sys

    code = (
        "import sys, workbench.tokenizer as t; dir(t); bad = {'torch', 'transformers', 'tokenizers', 'sentencepiece'} & set(sys.modules); assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
