"""The laws of an extended tokenizer, on the five real bases."""

from __future__ import annotations

from pathlib import Path

import pytest
import regex
from hypothesis import HealthCheck, given, settings
from transformers import AutoTokenizer

from workbench.tokenizer import Extension, extend, load, save
from workbench.tokenizer.reporting import dead

from .conftest import ENGLISH, RUSSIAN
from .test_extension import ANY, TRICKY, encode, spec

pytestmark = pytest.mark.real
CHAT = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
TEXTS = TRICKY + RUSSIAN + ENGLISH
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors])


BASES = ["llama2", "gpt2", *(pytest.param(name, marks=pytest.mark.slow) for name in ("mistral", "llama3", "qwen"))]


@pytest.fixture(scope="module", params=BASES)
def case(request: pytest.FixtureRequest, real_tokenizers: dict, flores: dict, tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """(base, 300 Russian tokens added at once, the same added in two goes, the first saved and loaded)"""
    base = load(save(real_tokenizers[request.param], tmp_path_factory.mktemp("base")))
    base.chat_template = CHAT
    once = extend(base, flores["ru"], Extension(new_tokens=300, script="Cyrillic"))
    half = extend(base, flores["ru"], Extension(new_tokens=120, script="Cyrillic"))
    twice = extend(half.tokenizer, flores["ru"], Extension(new_tokens=180, script="Cyrillic"))
    return base, once, twice, load(save(once.tokenizer, tmp_path_factory.mktemp("again")))


@quick
@given(text=ANY)
def test_p1_text_comes_back_as_from_the_base(case: tuple, text: str) -> None:
    base, _, _, again = case
    assert again.decode(encode(again, text)) == base.decode(encode(base, text))


@quick
@given(text=ANY)
def test_p2_text_without_a_letter_of_the_script_keeps_its_encoding(case: tuple, text: str) -> None:
    base, _, _, again = case
    text = regex.sub(r"(?V1)[[\p{L}\p{M}]&&\p{sc=Cyrillic}]", "", text)
    assert encode(again, text) == encode(base, text)


def test_p3_no_token_is_dead_with_and_without_ignore_merges(case: tuple) -> None:
    _, once, _, again = case
    assert len(once.new_ids) == 300
    assert not dead(again.backend_tokenizer, once.new_ids)
    model = again.backend_tokenizer.model
    assert all([piece.id for piece in model.tokenize(again.backend_tokenizer.id_to_token(i))] == [i] for i in once.new_ids)


def test_p4_merges_join_tokens_to_tokens_and_none_is_there_twice(case: tuple) -> None:
    base, _, _, again = case
    model, old = spec(again)["model"], spec(base)["model"]
    merges = [tuple(m) for m in model["merges"]]
    assert len(set(merges)) == len(merges)
    assert all({left, right, left + right} <= model["vocab"].keys() for left, right in merges)
    assert merges[: len(old["merges"])] == [tuple(m) for m in old["merges"]]


@quick
@given(text=ANY)
def test_p5_no_text_gets_longer(case: tuple, text: str) -> None:
    base, _, _, again = case
    assert len(encode(again, text)) <= len(encode(base, text))


def test_p6_specials_ids_and_chat_stay(case: tuple) -> None:
    base, _, _, again = case
    assert base.get_vocab().items() <= again.get_vocab().items()
    assert again.all_special_ids == base.all_special_ids
    for token, i in base.get_added_vocab().items():
        assert encode(again, f"a {token} b").count(i) == 1
    chat = [{"role": "user", "content": "привет"}]
    assert again.apply_chat_template(chat, tokenize=False) == base.apply_chat_template(chat, tokenize=False) == "user: привет\n"


def test_p7_the_folder_loads_by_the_libraries_alone(case: tuple, tmp_path: Path) -> None:
    import tokenizers

    _, once, _, _ = case
    save(once.tokenizer, tmp_path)
    for again in (AutoTokenizer.from_pretrained(tmp_path), tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))):
        backend = getattr(again, "backend_tokenizer", again)
        assert [backend.encode(t).ids for t in TEXTS] == [once.tokenizer.backend_tokenizer.encode(t).ids for t in TEXTS]


def test_p8_in_two_goes_is_at_once(case: tuple) -> None:
    _, once, twice, _ = case
    assert twice.tokenizer.backend_tokenizer.to_str() == once.tokenizer.backend_tokenizer.to_str()
