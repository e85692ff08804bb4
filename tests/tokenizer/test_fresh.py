"""The laws that every trained tokenizer obeys, from nothing and in the place of a base."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from workbench.errors import Stopped, WorkbenchError
from workbench.progress import Progress
from workbench.tokenizer import Extension, Train, Trained, Training, extend, load, save, train
from workbench.tokenizer.alphabet import BYTES, Spelling, byte_piece
from workbench.tokenizer.reporting import dead
from workbench.vocab import Vocabulary

from .conftest import CHAT, ENGLISH, KOREAN, PERSIAN, RUSSIAN
from .test_extension import encode, spec

TEXTS = (RUSSIAN + ENGLISH + PERSIAN) * 3
KINDS = [(algorithm, alphabet) for algorithm in ("bpe", "unigram") for alphabet in ("byte-level", "sentencepiece")]
BASES = [None, "byte-level", "sentencepiece"]
SIZE = 560
TRICKY = [
    "", " ", "  ", "\n", "\r\n", "a\r\n b", "\u00a0", "می\u200cخواهم", "e\u0301", "👩\u200d👩\u200d👧 🏳️\u200d🌈", "\t x", "й и\u0306", "<0x0A>",
    "x<0xD0><0x9F>", "a    b", "   a ", "يك یک", "ﬁ ½ Ａ", "\u202eabc\u2066", "\0", "▅", "don't l’été", "1812 12345",
]  # fmt: skip
ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="▁"), max_size=40) | st.sampled_from(TRICKY + RUSSIAN + PERSIAN + KOREAN + ENGLISH)
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors])


@pytest.fixture(scope="module")
def made(bases: dict) -> dict:
    """(algorithm, alphabet, base's name) → (base or None, what was trained)."""
    return {
        (*kind, name): (bases.get(name), train(TEXTS, options(*kind), base=bases.get(name), reference=ENGLISH))
        for kind in KINDS for name in BASES
    }  # fmt: skip


@pytest.fixture(scope="module", params=[(*kind, name) for kind in KINDS for name in BASES], ids=lambda p: "-".join(map(str, p)))
def case(request: pytest.FixtureRequest, made: dict) -> tuple[object, Trained, str]:
    return (*made[request.param], request.param[1])


def options(algorithm: str, alphabet: str, **more: object) -> Training:
    return Training(**({"vocab_size": SIZE, "algorithm": algorithm, "alphabet": alphabet} | more))


@quick
@given(text=ANY)
def test_p1_any_text_comes_back(case: tuple, text: str) -> None:
    _, result, _ = case
    if not any(name in text for name in result.tokenizer.get_added_vocab()):
        assert result.tokenizer.decode(encode(result.tokenizer, text)) == text


@quick
@given(text=ANY)
def test_nothing_is_unknown(case: tuple, text: str) -> None:
    _, result, _ = case
    unknown = result.tokenizer.unk_token
    if unknown and unknown not in text:
        assert result.tokenizer.unk_token_id not in encode(result.tokenizer, text)


def test_p3_no_token_is_dead(case: tuple) -> None:
    _, result, _ = case
    assert dead(result.tokenizer.backend_tokenizer) == []
    assert result.report.dead == 0


def test_p4_merges_join_tokens_to_tokens_and_none_is_there_twice(case: tuple) -> None:
    _, result, _ = case
    model = spec(result.tokenizer)["model"]
    if model["type"] == "BPE":
        pairs = [tuple(m) for m in model["merges"]]
        assert len(set(pairs)) == len(pairs) > 50
        assert all({left, right, left + right} <= model["vocab"].keys() for left, right in pairs)
    names = result.tokenizer.get_vocab()
    assert sorted(names.values()) == list(range(len(names)))


def test_the_vocabulary_is_specials_then_bytes_then_the_rest_and_as_large_as_asked(case: tuple) -> None:
    _, result, alphabet = case
    vocab, report = result.tokenizer.get_vocab(), result.report
    assert len(vocab) == report.size == report.rows_after
    assert report.size == SIZE or (report.exhausted and report.size < SIZE)
    assert sorted(result.tokenizer.get_added_vocab().values()) == list(range(report.specials))
    bytes_ = [vocab[byte_piece(b)] for b in range(256)] if alphabet == "sentencepiece" else [vocab[letter] for letter in BYTES]
    assert min(bytes_) >= report.specials
    if alphabet == "sentencepiece":
        assert bytes_ == list(range(report.specials, report.specials + 256))


def test_p6_specials_roles_template_and_front_are_those_of_the_base(case: tuple, tmp_path: Path) -> None:
    base, result, _ = case
    again = load(save(result.tokenizer, tmp_path))
    if base is None:
        assert [again.unk_token_id, again.bos_token_id, again.eos_token_id] == [0, 1, 2]
        assert again("да")["input_ids"][0] == 1
        assert again("да", "нет")["input_ids"].count(1) == 2
        return
    old, new = (t.backend_tokenizer.get_added_tokens_decoder() for t in (base, again))
    carried = [token for _, token in sorted(old.items())]
    assert [token.content for _, token in sorted(new.items())][: len(carried)] == [token.content for token in carried]
    assert [(t.special, t.lstrip, t.rstrip) for _, t in sorted(new.items())][: len(carried)] == [(t.special, t.lstrip, t.rstrip) for t in carried]
    assert (again.bos_token, again.eos_token, again.pad_token) == (base.bos_token, base.eos_token, base.pad_token)
    assert (again.padding_side, again.model_max_length) == (base.padding_side, base.model_max_length)
    for token in carried:
        assert encode(again, f"a{token.content}b").count(again.convert_tokens_to_ids(token.content)) == 1
    front = [base.convert_ids_to_tokens(i) for i in base.backend_tokenizer.encode("a", "b").ids if i in old]
    assert [again.convert_ids_to_tokens(i) for i in again.backend_tokenizer.encode("a", "b").ids if i in new] == front != []
    if base.chat_template:
        chat = [{"role": "user", "content": "привет"}, {"role": "assistant", "content": "hi"}]
        assert again.chat_template == CHAT
        assert again.apply_chat_template(chat, tokenize=False) == base.apply_chat_template(chat, tokenize=False)


def test_p7_the_folder_loads_by_the_libraries_alone(case: tuple, tmp_path: Path) -> None:
    _, result, _ = case
    save(result.tokenizer, tmp_path)
    again, bare = AutoTokenizer.from_pretrained(tmp_path), Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for text in RUSSIAN + ENGLISH + PERSIAN + TRICKY:
        assert again(text)["input_ids"] == result.tokenizer(text)["input_ids"] == bare.encode(text).ids
        assert again.decode(encode(again, text)) == text


def test_bpe_can_be_extended(case: tuple) -> None:
    _, result, _ = case
    if spec(result.tokenizer)["model"]["type"] != "BPE":
        with pytest.raises(WorkbenchError, match=r"Unigram.*only BPE"):
            extend(result.tokenizer, KOREAN)
        return
    more = extend(result.tokenizer, [*KOREAN * 3, "  - —то,--то"], Extension(new_tokens=40, script="Hangul"))
    assert more.report.new == 40
    assert more.report.dead == 0
    for text in RUSSIAN + ENGLISH:
        assert encode(more.tokenizer, text) == encode(result.tokenizer, text)


def test_the_report_counts_what_the_base_had(case: tuple) -> None:
    base, result, _ = case
    report = result.report
    if base is None:
        assert report.kept is report.tokens_per_word_before is report.resplit is None
        return
    old, new = Vocabulary(base), Vocabulary(result.tokenizer)
    assert report.kept + report.dropped == len(old)
    assert report.kept + report.new == len(new) == report.size
    text = (RUSSIAN + ENGLISH + PERSIAN) * 3
    words = sum(len(t.split()) for t in text)
    assert report.words == words
    assert report.tokens_per_word_after == pytest.approx(sum(len(encode(result.tokenizer, t)) for t in text) / words)
    assert report.tokens_per_word_before == pytest.approx(sum(len(encode(base, t)) for t in text) / words)
    assert report.tokens_per_word_after < report.tokens_per_word_before
    assert 0 < report.resplit <= 1


SCRIPT = """
import hashlib, sys
from tests.tokenizer.conftest import ENGLISH, PERSIAN, RUSSIAN
from workbench.tokenizer import Training, train
from workbench.demo.world import stories
from itertools import islice
texts = RUSSIAN + ENGLISH + PERSIAN + list(islice(stories("ru", "train", 0), 60))
for kind in {kinds}:
    made = train(texts, Training(vocab_size=900, algorithm=kind[0], alphabet=kind[1])).tokenizer
    print(kind, hashlib.sha256(made.backend_tokenizer.to_str().encode()).hexdigest())
"""


def test_equal_texts_give_equal_bytes_in_every_process() -> None:
    root = Path(__file__).parents[2]
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT.format(kinds=KINDS)], cwd=root, stdout=subprocess.PIPE, text=True,
            env={"PATH": "/usr/bin:/bin", "PYTHONHASHSEED": seed, "RAYON_NUM_THREADS": threads, "HOME": str(Path.home())},
        )
        for seed, threads in (("1", "1"), ("2", "2"))
    ]  # fmt: skip
    first, second = (run.communicate()[0] for run in runs)
    assert first == second
    assert len(first.split("\n")) == len(KINDS) + 1


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_order_of_documents_does_not_matter(kind: tuple[str, str]) -> None:
    made = [train(texts, options(*kind)).tokenizer.backend_tokenizer.to_str() for texts in (TEXTS, TEXTS[::-1])]
    assert made[0] == made[1]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_tokens_are_as_long_and_as_frequent_as_asked(kind: tuple[str, str]) -> None:
    made = train([*TEXTS, "ааааааааааааааааа " * 5], options(*kind, max_length=4, min_frequency=3))
    spelling = Spelling.of(made.tokenizer.backend_tokenizer)
    for token, i in made.tokenizer.get_vocab().items():
        kind_, _, raw = spelling.identity(i, token)
        assert kind_ != "text" or len(raw.decode(errors="ignore")) <= 4
    assert made.report.dead == 0
    assert made.report.size > 400 or kind[0] == "unigram"


def test_a_rare_letter_is_left_to_the_bytes() -> None:
    made = train([*TEXTS, "龘"], options("bpe", "sentencepiece")).tokenizer
    assert "龘" not in made.get_vocab()
    assert "ж" in made.get_vocab()
    assert made.decode(encode(made, "龘龘")) == "龘龘"


@pytest.mark.parametrize("alphabet", ["byte-level", "sentencepiece"])
def test_digits_alone_joiners_and_marks_inside_words(alphabet: str) -> None:
    texts = ["1812 год می\u200cخواهم हिन्दी don't"] * 9
    made = train(texts, options("bpe", alphabet, vocab_size=460, single_digits=True)).tokenizer
    assert len([t for t in made.tokenize("1812") if any(c.isdigit() for c in t)]) == 4
    whole = train(texts, options("bpe", alphabet, vocab_size=460)).tokenizer
    for word in (" می\u200cخواهم", " हिन्दी", " don't"):
        assert len(encode(whole, "год" + word)) - len(encode(whole, "год")) == 1


def test_nfkc_unifies_and_none_does_not() -> None:
    made = train(TEXTS, options("bpe", "byte-level", normalizer="nfkc")).tokenizer
    assert made.decode(encode(made, "ﬁ")) == "fi"
    assert made.decode(encode(made, "ي ک\u200c")) == "ي ک\u200c"


@pytest.mark.parametrize("texts", [[], ["", "  \n"]])
def test_no_text_is_one_sentence(texts: list[str]) -> None:
    with pytest.raises(WorkbenchError, match="no text to learn from"):
        train(texts, Training(vocab_size=600))


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_stop_is_noticed_while_the_library_works(kind: tuple[str, str]) -> None:
    seen: list[str] = []
    with pytest.raises(Stopped):
        train(TEXTS, options(*kind), Progress(lambda event: seen.append(event.message), stop=lambda: any(m.startswith("training") for m in seen)))
    assert any(m.endswith("documents read") for m in seen)


def test_the_step_mixes_texts_saves_and_warns(tmp_path: Path) -> None:
    warned: list[str] = []
    step = Train(text=("demo:ru", "demo:en"), weights=(3, 1), limit=200, vocab_size=4000, base="demo:en-base", alphabet="sentencepiece")
    metrics = step.run(tmp_path, Progress(lambda event: warned.append(event.message) if event.kind == "warning" else None))
    assert json.loads(json.dumps(metrics))["exhausted"] is True
    assert "gave only" in warned[0]
    made = load(tmp_path)
    assert made.bos_token == "<bos>"
    assert len(made) == metrics["size"]


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_novel_in_the_place_of_llama2(kind: tuple[str, str], real_data: Path, real_tokenizers: dict, flores: dict) -> None:
    from workbench import corpus

    text = corpus.open(real_data / "mono/ru_war_and_peace.txt").train
    made = [train(text, Training(algorithm=kind[0], alphabet=kind[1]), base=real_tokenizers["llama2"], reference=flores["en"]) for _ in range(2)]
    assert len({hashlib.sha256(m.tokenizer.backend_tokenizer.to_str().encode()).digest() for m in made}) == 1
    assert (made[0].report.size, made[0].report.dead) == (32_000, 0)
    tokenizer = made[0].tokenizer
    assert (tokenizer.unk_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id) == (0, 1, 2)
    words = sum(len(t.split()) for t in flores["ru"])
    assert sum(len(encode(tokenizer, t)) for t in flores["ru"]) / words < (2.0 if kind[0] == "bpe" else 2.3)
    for language in flores.values():
        for sentence in language[:100]:
            assert tokenizer.decode(encode(tokenizer, sentence)) == sentence
