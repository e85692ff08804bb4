"""What a model is asked, and what happens to questions that it cannot be asked."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny

from workbench import chat
from workbench.chat import Sampling
from workbench.errors import WorkbenchError

QUESTION = [{"role": "user", "content": "who lives in the house"}]
SYSTEM = {"role": "system", "content": "Be brief."}


@pytest.fixture(scope="module")
def talker(tmp_path_factory: pytest.TempPathFactory) -> chat.Chatter:
    return chat.load(tiny.folder(tmp_path_factory.mktemp("talker"), chat=True, seed=3))


def templated(place: Path, template: str) -> chat.Chatter:
    from workbench.tokenizer import load, save

    tokenizer = load(tiny.folder(place, chat=True))
    tokenizer.chat_template = template
    save(tokenizer, place)
    return chat.load(place)


def text(chatter: chat.Chatter, messages, **options) -> str:
    return chatter.tokenizer.decode(chat.prompt(chatter, messages, **options).ids)


def test_the_models_own_template_is_used(talker) -> None:
    assert text(talker, QUESTION) == "<|user|>who lives in the house</s><|assistant|>"
    assert text(talker, [*QUESTION, {"role": "assistant", "content": "a fox"}, {"role": "user", "content": "why"}]).count("</s>") == 3
    assert chat.prompt(talker, QUESTION).notes == ()


def test_a_base_model_continues_the_plain_text_and_says_so(tmp_path) -> None:
    plain = chat.load(tiny.folder(tmp_path / "base"))
    made = chat.prompt(plain, QUESTION)
    assert made.ids == plain.tokenizer(QUESTION[0]["content"]).input_ids
    assert "has no chat template: the text is continued as it stands" in made.notes[0]
    *_, reply = chat.reply(plain, QUESTION, Sampling(max_tokens=2))
    assert reply.notes == made.notes


def test_raw_continues_the_plain_text_of_a_chat_model(talker) -> None:
    assert text(talker, QUESTION, raw=True) == "who lives in the house"


def test_a_template_that_fails_is_said_and_the_text_is_continued(tmp_path) -> None:
    picky = templated(tmp_path / "picky", "{{ raise_exception('roles must alternate') }}")
    made = chat.prompt(picky, QUESTION)
    assert "fails (roles must alternate): the text is continued as it stands instead" in made.notes[0]
    assert picky.tokenizer.decode(made.ids) == "who lives in the house"
    broken = templated(tmp_path / "broken", "{{ messages[0]['content'] + 1 }}")
    assert "fails (" in chat.prompt(broken, QUESTION).notes[0]


def test_a_system_message(talker, tmp_path) -> None:
    assert text(talker, [SYSTEM, *QUESTION]).startswith("<|system|>Be brief.</s><|user|>who")
    refusing = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}" + tiny.TEMPLATE
    deaf = tiny.TEMPLATE.replace("{% for m in messages %}", "{% for m in messages if m['role'] != 'system' %}")
    for name, template in (("refusing", refusing), ("deaf", deaf)):
        chatter = templated(tmp_path / name, template)
        made = chat.prompt(chatter, [SYSTEM, *QUESTION])
        assert chatter.tokenizer.decode(made.ids) == "<|user|>Be brief.\n\nwho lives in the house</s><|assistant|>"
        assert "takes no system message: it stands before the first question" in made.notes[0]
    *_, reply = chat.reply(talker, QUESTION, Sampling(max_tokens=1, system="Be brief."))
    assert reply.prompt_tokens == len(chat.prompt(talker, [SYSTEM, *QUESTION]).ids)


def test_an_empty_prompt(talker) -> None:
    for messages in ([], [{"role": "user", "content": "  "}]):
        with pytest.raises(WorkbenchError, match="prompt is empty"):
            chat.prompt(talker, messages)


def test_a_prompt_longer_than_the_context_is_refused_with_both_numbers(talker) -> None:
    with pytest.raises(WorkbenchError, match=r"has \d{3} tokens but .* reads only 64"):
        next(chat.reply(talker, [{"role": "user", "content": "bear " * 200}]))


def test_a_long_conversation_forgets_its_oldest_turns_only_if_asked_and_says_so(talker) -> None:
    turns = [m for n in range(6) for m in ({"role": "user", "content": f"the bear {n} lives"}, {"role": "assistant", "content": "a red ball"})]
    long = [SYSTEM, *turns, *QUESTION]
    with pytest.raises(WorkbenchError, match="edit an earlier question"):
        chat.prompt(talker, long)
    made = chat.prompt(talker, long, overflow="forget")
    assert len(made.ids) < talker.context
    assert "turns are left out" in made.notes[0]
    left_out = int(made.notes[0].split("oldest ")[1].split(" ")[0])
    assert left_out % 2 == 0, "a question goes with its answer"
    assert made.ids == chat.prompt(talker, [SYSTEM, *turns[left_out:], *QUESTION]).ids


def test_a_reply_that_fills_the_context_says_so(talker) -> None:
    ids = len(chat.prompt(talker, QUESTION).ids)
    talker.model.generation_config.eos_token_id, before = None, talker.model.generation_config.eos_token_id
    try:
        silent = chat.Chatter(talker.name, talker.model, talker.tokenizer, talker.fingerprint, talker.vocabulary)
        object.__setattr__(silent, "eos_ids", frozenset())
        *_, full = chat.reply(silent, QUESTION, Sampling(max_tokens=200))
    finally:
        talker.model.generation_config.eos_token_id = before
    assert full.finish == "context"
    assert full.prompt_tokens + full.tokens == 64
    assert full.prompt_tokens == ids
    assert "names no token that ends a text" in full.notes[0]


def test_a_model_that_gives_no_numbers_says_so(tmp_path) -> None:
    chatter = chat.load(tiny.folder(tmp_path / "m", chat=True))
    chatter.model.model.norm.weight.data = chatter.model.model.norm.weight.data * float("nan")
    with pytest.raises(WorkbenchError, match=r"\(NaN\) at token 1 of its reply.*try fp32"):
        list(chat.reply(chatter, QUESTION))
    assert chatter.turns.waiting == 0
