"""Real tokenizers on real text."""

from __future__ import annotations

from pathlib import Path

import pytest
import sentencepiece
import tiktoken

from workbench.tokenizer import Extension, convert_tiktoken, extend, load, save

pytestmark = pytest.mark.real
FILES = {"llama2": "llama2.model", "mistral": "mistral-v3.model", "darulm-bpe": "darulm-ru-32k-bpe.model", "darulm-unigram": "darulm-ru-32k-unigram.model"}
CODE = [
    "def f(x):\n    return [i ** 2 for i in range(10) if x]\n",
    '#include <stdio.h>\nint main(void) {\n\tprintf("%d\\n", 0xFF);\n}\n',
    "SELECT a, b FROM t WHERE c >= 10;",
]


def encode(tokenizer: object, texts: list[str]) -> list[list[int]]:
    return [e.ids for e in tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False)]


def per_word(tokenizer: object, texts: list[str]) -> float:
    return sum(map(len, encode(tokenizer, texts))) / sum(len(t.split()) for t in texts)


@pytest.fixture(scope="session")
def novel(real_data: Path) -> list[str]:
    return (real_data / "mono/ru_war_and_peace.txt").read_text(encoding="utf-8").split("\n")


@pytest.fixture(scope="session")
def english(real_data: Path, flores: dict) -> list[str]:
    novels = [(real_data / f"mono/en_{name}.txt").read_text(encoding="utf-8").split("\n") for name in ("war_and_peace", "great_expectations")]
    return [*novels[0], *novels[1], *flores["en"], *CODE]


@pytest.mark.parametrize("name", FILES)
def test_sentencepiece_ids_in_twelve_languages(real_data: Path, real_tokenizers: dict, flores: dict, name: str) -> None:
    original = sentencepiece.SentencePieceProcessor(model_file=str(real_data / "tokenizers" / FILES[name]))
    for texts in flores.values():
        assert encode(real_tokenizers[name], texts) == original.encode(texts)


@pytest.mark.parametrize("name", ["llama3", "qwen"])
def test_tiktoken_ids_in_twelve_languages(real_data: Path, real_tokenizers: dict, flores: dict, name: str) -> None:
    family = convert_tiktoken.FAMILIES[name]
    ranks = convert_tiktoken.read(real_data / f"tokenizers/{name}.tiktoken")
    original = tiktoken.Encoding(name, pat_str=family.regex, mergeable_ranks=ranks, special_tokens={})
    for texts in flores.values():
        normal = [real_tokenizers[name].backend_tokenizer.normalizer.normalize_str(t) for t in texts] if family.nfc else texts
        assert encode(real_tokenizers[name], texts) == original.encode_ordinary_batch(normal, num_threads=1)


def test_llama3_is_the_published_one(real_tokenizers: dict) -> None:
    tokenizer = real_tokenizers["llama3"]
    assert len(tokenizer) == 128_256
    assert tokenizer.convert_tokens_to_ids(["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|eot_id|>"]) == [128000, 128001, 128006, 128009]


@pytest.mark.parametrize(
    ("name", "new", "at_most"),
    [
        ("llama2", 8000, 2.14),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in (("mistral", 2000, 2.5), ("gpt2", 2000, 2.9), ("llama3", 4000, 2.1), ("qwen", 2000, 2.3))),
    ],
)
def test_russian_is_added_and_english_stays(
    real_tokenizers: dict, flores: dict, novel: list[str], english: list[str], name: str, new: int, at_most: float, tmp_path: Path
) -> None:
    base = real_tokenizers[name]
    made = extend(base, novel, Extension(new_tokens=new, script="Cyrillic"))
    print(name, made.report.tokens_per_word_before, made.report.tokens_per_word_after, per_word(made.tokenizer, flores["ru"]))
    assert (made.report.new, made.report.dead) == (new, 0)
    again = load(save(made.tokenizer, tmp_path))
    assert encode(again, english) == encode(base, english)
    assert base.get_vocab().items() <= again.get_vocab().items()
    assert again.get_vocab() == made.tokenizer.get_vocab()
    assert per_word(again, flores["ru"]) <= at_most
    longer = [t for t, a, b in zip(flores["kk"], encode(base, flores["kk"]), encode(again, flores["kk"]), strict=True) if len(b) > len(a)]
    assert not longer


@pytest.mark.parametrize(
    ("name", "language", "script"),
    [
        ("llama2", "fa", "Arabic"),
        ("gpt2", "ko", "Hangul"),
        pytest.param("llama2", "hi", "Devanagari", marks=pytest.mark.slow),
        pytest.param("mistral", "kk", "Cyrillic", marks=pytest.mark.slow),
    ],
)
def test_other_scripts(real_tokenizers: dict, flores: dict, name: str, language: str, script: str) -> None:
    base = real_tokenizers[name]
    made = extend(base, flores[language], Extension(new_tokens=1000, script=script))
    assert made.report.dead == 0
    assert per_word(made.tokenizer, flores[language]) < 0.6 * per_word(base, flores[language])
    for other in ("en", "fi", "zh"):
        assert encode(made.tokenizer, flores[other]) == encode(base, flores[other])
    texts = flores[language][:50]
    assert [made.tokenizer.decode(ids) for ids in encode(made.tokenizer, texts)] == texts


@pytest.mark.slow
def test_learning_in_two_goes_on_a_novel(real_tokenizers: dict, novel: list[str], tmp_path: Path) -> None:
    for name in ("llama2", "llama3"):
        half = extend(real_tokenizers[name], novel, Extension(new_tokens=900, script="Cyrillic")).tokenizer
        parts = save(extend(half, novel, Extension(new_tokens=1100, script="Cyrillic")).tokenizer, tmp_path / "parts")
        whole = save(extend(real_tokenizers[name], novel, Extension(new_tokens=2000, script="Cyrillic")).tokenizer, tmp_path / "whole")
        assert (parts / "tokenizer.json").read_bytes() == (whole / "tokenizer.json").read_bytes()
