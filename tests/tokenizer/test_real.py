"""Real tokenizers on real text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sentencepiece
import tiktoken

from workbench.tokenizer import Extension, convert_tiktoken, extend, load, save, splice
from workbench.tokenizer.alphabet import from_letters

pytestmark = pytest.mark.real
FILES = {"llama2": "llama2.model", "mistral": "mistral-v3.model", "darulm-bpe": "darulm-ru-32k-bpe.model", "darulm-unigram": "darulm-ru-32k-unigram.model"}
BASES = ("llama2", "mistral", "llama3", "qwen", "gpt2")
SCRIPTS = {"ru": "Cyrillic", "fa": "Arabic", "ko": "Hangul"}
OTHERS = {"Cyrillic": ("en", "fa", "ko", "tr", "fi", "ja", "ar", "zh", "de", "hi"), "Arabic": ("en", "ru", "ko", "tr", "fi", "ja", "zh", "de", "kk", "hi"),
          "Hangul": ("en", "ru", "fa", "tr", "fi", "ja", "ar", "zh", "de", "kk", "hi")}  # fmt: skip
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
def mono(real_data: Path) -> dict[str, list[str]]:
    """Language → lines to learn from: a novel, classical verse, film reviews."""
    read = {language: (real_data / "mono" / file).read_text(encoding="utf-8").split("\n") for language, file in
            (("ru", "ru_war_and_peace.txt"), ("fa", "fa_classical_verse.txt"), ("ko", "ko_nsmc_reviews.tsv"))}  # fmt: skip
    return read | {"ko": [line.partition("\t")[2] for line in read["ko"][1:]]}


@pytest.fixture(scope="session")
def english(real_data: Path, flores: dict) -> list[str]:
    novels = [(real_data / f"mono/en_{name}.txt").read_text(encoding="utf-8").split("\n") for name in ("war_and_peace", "great_expectations")]
    return [*novels[0][::4], *novels[1][::4], *flores["en"], *CODE]


@pytest.mark.parametrize("name", FILES)
def test_sentencepiece_ids_in_twelve_languages(real_data: Path, real_tokenizers: dict, flores: dict, name: str) -> None:
    original = sentencepiece.SentencePieceProcessor(model_file=str(real_data / "tokenizers" / FILES[name]))
    assert len(flores) == 12
    for texts in flores.values():
        assert encode(real_tokenizers[name], texts) == original.encode(texts)


@pytest.mark.parametrize("name", ["llama3", "qwen", "gpt2"])
def test_tiktoken_ids_in_twelve_languages(real_data: Path, real_tokenizers: dict, flores: dict, name: str) -> None:
    family = convert_tiktoken.FAMILIES[name]
    if name == "gpt2":
        vocab = json.loads((real_data / "tokenizers/gpt2-vocab.json").read_text(encoding="utf-8"))
        ranks = {from_letters(token): i for token, i in vocab.items() if token not in family.specials}
    else:
        ranks = convert_tiktoken.read(real_data / f"tokenizers/{name}.tiktoken")
    original = tiktoken.Encoding(name, pat_str=family.regex, mergeable_ranks=ranks, special_tokens={})
    for texts in flores.values():
        normal = [real_tokenizers[name].backend_tokenizer.normalizer.normalize_str(t) for t in texts] if family.nfc else texts
        assert encode(real_tokenizers[name], texts) == original.encode_ordinary_batch(normal, num_threads=1)


def test_llama3_is_the_published_one(real_tokenizers: dict) -> None:
    tokenizer = real_tokenizers["llama3"]
    assert len(tokenizer) == 128_256
    assert tokenizer.convert_tokens_to_ids(["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|eot_id|>"]) == [128000, 128001, 128006, 128009]


QUICK = {("llama2", "ru")}


@pytest.mark.parametrize(
    ("name", "language"),
    [pytest.param(base, language, marks=() if (base, language) in QUICK else pytest.mark.slow) for base in BASES for language in SCRIPTS],
)
def test_a_language_is_added_and_all_else_stays(
    real_tokenizers: dict, flores: dict, mono: dict, english: list[str], name: str, language: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    base, script = real_tokenizers[name], SCRIPTS[language]
    made = extend(base, mono[language], Extension(new_tokens=4000, script=script), reference=english)
    again = load(save(made.tokenizer, tmp_path))
    before, after = per_word(base, flores[language]), per_word(again, flores[language])
    with capsys.disabled():
        print(f"\n{name} + 4000 {language}: {before:.2f} → {after:.2f} tokens/word on FLORES, dead {made.report.dead}, re-split {made.report.resplit}")
    assert (made.report.new, made.report.dead, made.report.resplit) == (4000, 0, 0.0)
    for texts in (english, *(flores[other] for other in OTHERS[script])):
        assert encode(again, texts) == encode(base, texts)
    assert after < 0.95 * before
    assert base.get_vocab().items() <= again.get_vocab().items()
    assert again.get_vocab() == made.tokenizer.get_vocab()
    assert again.all_special_ids == base.all_special_ids
    assert all(len(b) <= len(a) for a, b in zip(encode(base, flores[language]), encode(again, flores[language]), strict=True))
    assert [again.decode(ids) for ids in encode(again, flores[language])] == [base.decode(ids) for ids in encode(base, flores[language])]


@pytest.mark.parametrize(
    ("name", "new", "at_most"),
    [
        ("llama2", 8000, 2.14),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in (("llama2", 20_000, 1.97), ("llama3", 20_000, 1.91), ("gpt2", 20_000, 2.03))),
    ],
)
def test_a_novel_gives_russian(real_tokenizers: dict, flores: dict, mono: dict, name: str, new: int, at_most: float, tmp_path: Path) -> None:
    made = extend(real_tokenizers[name], mono["ru"], Extension(new_tokens=new, script="Cyrillic"))
    again = load(save(made.tokenizer, tmp_path))
    assert (made.report.new, made.report.dead) == (new, 0)
    assert per_word(again, flores["ru"]) <= at_most
    assert again.all_special_ids == real_tokenizers[name].all_special_ids


@pytest.mark.parametrize(
    ("donor", "missing", "at_most", "left_out"),
    [
        ("darulm-bpe", "chain", 1.66, 0.0),
        pytest.param("darulm-bpe", "reject", 1.70, 0.035, marks=pytest.mark.slow),
        pytest.param("darulm-unigram", "chain", 1.67, 0.0, marks=pytest.mark.slow),
    ],
)
def test_the_cyrillic_of_a_donor_is_spliced_in(
    real_tokenizers: dict, flores: dict, english: list[str], donor: str, missing: str, at_most: float, left_out: float, tmp_path: Path
) -> None:
    base, options = real_tokenizers["llama2"], Extension(script="Cyrillic", missing=missing)
    made = splice(base, real_tokenizers[donor], options, reference=english)
    again = load(save(made.tokenizer, tmp_path))
    assert made.report.dead == 0
    assert per_word(again, flores["ru"]) <= at_most
    missed = made.report.rejected.get("more than one merge missing", 0)
    assert missed / (missed + made.report.new - made.report.between) <= left_out
    assert set(made.report.rejected) <= {"other script", "more than one merge missing"}
    for texts in (english, *(flores[other] for other in OTHERS["Cyrillic"])):
        assert encode(again, texts) == encode(base, texts)
    assert splice(again, real_tokenizers[donor], options).report.new == 0


@pytest.mark.slow
@pytest.mark.parametrize(("language", "script"), [("tr", "Latin"), ("fi", "Latin"), ("ja", "Han+Hiragana+Katakana"), ("hi", "Devanagari")])
@pytest.mark.parametrize("name", BASES)
def test_other_languages(real_tokenizers: dict, flores: dict, name: str, language: str, script: str, capsys: pytest.CaptureFixture) -> None:
    """Learned on 700 sentences, measured on the 304 others; Latin cannot leave English alone, and the report says how many words it moves."""
    base, seen, unseen = real_tokenizers[name], flores[language][:700], flores[language][700:]
    made = extend(base, seen, Extension(new_tokens=1500, script=script), reference=flores["en"])
    tokens = [sum(map(len, encode(t, unseen))) for t in (base, made.tokenizer)]
    size = sum(len(t.encode()) for t in unseen)
    with capsys.disabled():
        per_token = f"{size / tokens[0]:.2f} → {size / tokens[1]:.2f} bytes/token"
        print(f"\n{name} + {made.report.new} {language}: {per_token}, dead {made.report.dead}, English re-split {made.report.resplit:.4f}")
    assert made.report.dead == 0
    assert tokens[1] < tokens[0]
    assert (made.report.resplit == 0) is (script != "Latin")


@pytest.mark.slow
def test_learning_in_two_goes_on_a_novel(real_tokenizers: dict, mono: dict, tmp_path: Path) -> None:
    for name in ("llama2", "llama3"):
        half = extend(real_tokenizers[name], mono["ru"], Extension(new_tokens=900, script="Cyrillic")).tokenizer
        parts = save(extend(half, mono["ru"], Extension(new_tokens=1100, script="Cyrillic")).tokenizer, tmp_path / "parts")
        whole = save(extend(real_tokenizers[name], mono["ru"], Extension(new_tokens=2000, script="Cyrillic")).tokenizer, tmp_path / "whole")
        assert (parts / "tokenizer.json").read_bytes() == (whole / "tokenizer.json").read_bytes()
