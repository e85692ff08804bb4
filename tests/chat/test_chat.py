"""Replies: streamed, sampled by their own seed, stoppable, stamped."""

from __future__ import annotations

import json
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
import tiny
import torch

from workbench import chat
from workbench.chat import Sampling, turns
from workbench.chat.steps import Chat
from workbench.errors import WorkbenchError

QUESTION = [{"role": "user", "content": "who lives in the house"}]


@pytest.fixture(scope="module")
def talker(tmp_path_factory: pytest.TempPathFactory) -> chat.Chatter:
    return chat.load(tiny.folder(tmp_path_factory.mktemp("talker"), chat=True, seed=3))


def last(chatter: chat.Chatter, messages=QUESTION, **options) -> chat.Reply:
    *_, end = chat.reply(chatter, messages, Sampling(**options))
    return end


def test_greedy_reply_is_what_generate_gives(talker) -> None:
    ids = talker.tokenizer.apply_chat_template(QUESTION, add_generation_prompt=True, return_tensors="pt", return_dict=True)["input_ids"]
    wanted = talker.model.generate(ids, max_new_tokens=12, do_sample=False, pad_token_id=2)[0, ids.shape[1] :]
    reply = last(talker, max_tokens=12)
    assert reply.text == talker.tokenizer.decode(wanted, skip_special_tokens=True).rstrip("\ufffd").strip()
    assert [c.id for c in reply.choices] == wanted.tolist()
    assert reply.tokens == len(wanted)
    assert reply.prompt_tokens == ids.shape[1]
    assert reply.finish in ("eos", "length")


def test_a_stream_grows_and_says_when_it_is_done(talker) -> None:
    replies = list(chat.reply(talker, QUESTION, Sampling(max_tokens=8), every=0))
    assert len(replies) == replies[-1].tokens + 1
    assert [r.finish for r in replies[:-1]] == [""] * (len(replies) - 1)
    assert all(a.tokens <= b.tokens for a, b in pairwise(replies))
    assert replies[-1].first_seconds <= replies[-1].seconds
    assert "\ufffd" not in "".join(r.text for r in replies[:-1])


def test_a_stream_shows_the_first_token_at_once_and_then_no_more_than_asked(talker) -> None:
    replies = list(chat.reply(talker, QUESTION, Sampling(max_tokens=20), every=60))
    assert [r.tokens for r in replies] == [1, replies[-1].tokens]


def test_sampling_follows_its_own_seed_and_leaves_the_global_generator_alone(talker) -> None:
    before = torch.get_rng_state()
    same = [last(talker, max_tokens=12, temperature=1.5, seed=1).text for _ in range(2)]
    other = [last(talker, max_tokens=12, temperature=1.5, seed=seed).text for seed in range(2, 6)]
    assert same[0] == same[1]
    assert len({same[0], *other}) > 1
    assert torch.equal(torch.get_rng_state(), before)


def test_gumbel_noise_samples_the_softmax() -> None:
    from workbench.chat.generating import Gumbel

    scores = torch.tensor([[0.0, 1.0, 2.0]]).repeat(60_000, 1)
    drawn = Gumbel(0)(None, scores).argmax(-1).bincount(minlength=3) / 60_000
    assert torch.allclose(drawn, scores[0].softmax(-1), atol=0.01)


@pytest.mark.parametrize("cut", [{"top_k": 1}, {"top_p": 1e-6}, {"min_p": 0.999}])
def test_each_cut_leaves_the_likeliest_token_alone(talker, cut) -> None:
    greedy = [c.id for c in last(talker, max_tokens=8).choices]
    assert [c.id for c in last(talker, max_tokens=8, temperature=2.0, seed=4, **cut).choices] == greedy


def test_a_penalty_changes_what_repeats(talker) -> None:
    ids = [c.id for c in last(talker, max_tokens=30, repetition_penalty=5.0).choices]
    assert len(set(ids)) > len({c.id for c in last(talker, max_tokens=30).choices}) or ids == [c.id for c in last(talker, max_tokens=30).choices]


def test_choices_are_the_models_own_probabilities(talker) -> None:
    reply = last(talker, max_tokens=6)
    ids = talker.tokenizer.apply_chat_template(QUESTION, add_generation_prompt=True, return_dict=True)["input_ids"]
    with torch.inference_mode():
        logits = talker.model(torch.tensor([ids + [c.id for c in reply.choices]])).logits[0, len(ids) - 1 : -1]
    for row, choice in zip(logits.log_softmax(-1), reply.choices, strict=True):
        assert choice.log == pytest.approx(float(row[choice.id]), abs=1e-4)
        assert choice.best[0] == (int(row.argmax()), pytest.approx(float(row.max()), abs=1e-4))
    shown = chat.chosen(talker.tokenizer, reply.choices)
    assert [c.id for c in shown] == [c.id for c in reply.choices]
    assert all(c.probability == pytest.approx(math.exp(r.log)) for c, r in zip(shown, reply.choices, strict=True))
    assert all("\ufffd" not in text for c in shown for text, _ in c.alternatives)


def test_choices_survive_being_packed(talker) -> None:
    from workbench.chat.choices import packed, unpacked

    choices = last(talker, max_tokens=4).choices
    assert [(c.id, round(c.log, 4)) for c in choices] == [(c.id, c.log) for c in unpacked(packed(choices))]


def test_a_stop_ends_it_and_a_closed_stream_lets_go_of_its_model(talker) -> None:
    stop = threading.Event()
    stream = chat.reply(talker, QUESTION, Sampling(max_tokens=40, temperature=1.0), stop)
    next(stream)
    stop.set()
    assert [(r.tokens, r.finish) for r in stream] == [(1, "stopped")]
    stream = chat.reply(talker, QUESTION, Sampling(max_tokens=40))
    next(stream)
    assert talker.use.count == 1
    stream.close()
    assert talker.use.count == 0


def ended(stream, seconds: float = 30) -> list[chat.Reply]:
    """Read to its end in a thread: one that waits for ever fails instead of hanging."""
    got: list[chat.Reply] = []
    reader = threading.Thread(target=lambda: got.extend(stream), daemon=True)
    reader.start()
    reader.join(seconds)
    assert not reader.is_alive()
    return got


@pytest.mark.parametrize("every", [0.0, 60.0])
def test_a_reader_who_takes_long_keeps_nobody_from_a_turn(talker, every) -> None:
    """Neither after the first token nor after the last, where the stream may be left unread."""
    slow = chat.reply(talker, QUESTION, Sampling(max_tokens=8), every=every)
    while True:
        shown = next(slow)
        assert [r.text for r in ended(chat.reply(talker, QUESTION, Sampling(max_tokens=8), every=60))][-1] == last(talker, max_tokens=8).text
        if shown.finish:
            break


def test_what_the_reader_takes_is_none_of_the_models_seconds(talker) -> None:
    stop = threading.Event()
    stream = chat.reply(talker, QUESTION, Sampling(max_tokens=8), stop)
    next(stream)
    time.sleep(0.5)
    stop.set()
    end = next(stream)
    assert end.waited >= 0.5  # and `seconds` are what is left of the whole
    assert end.first_seconds <= end.seconds


def test_an_interrupt_while_it_waits_leaves_no_place_in_the_line() -> None:
    def interrupted() -> bool:
        raise KeyboardInterrupt

    line = turns.Turns()
    held = line.take(lambda: False)
    with pytest.raises(KeyboardInterrupt):
        line.take(interrupted)
    held.leave()
    assert line.waiting == 0


@pytest.mark.parametrize("kept", [{"use_cache": False}, {"repetition_penalty": 3.0}, {"num_beams": 2}], ids=str)
def test_what_a_models_generation_config_says_holds(tmp_path, kept) -> None:
    """The same tokens as the library's own greedy loop: without a cache, with a penalty of the model's own; beams are not for a stream."""
    place = tiny.folder(tmp_path / "m", chat=True, seed=3)
    (place / "generation_config.json").write_text(json.dumps({"eos_token_id": 0} | kept))
    chatter = chat.load(place)
    ids = torch.tensor([chat.prompt(chatter, QUESTION).ids])
    wanted = chatter.model.generate(ids, max_new_tokens=10, do_sample=False, num_beams=1, pad_token_id=0)[0, ids.shape[1] :]
    assert [c.id for c in last(chatter, max_tokens=10).choices] == wanted.tolist()


def test_a_stop_is_heard_while_another_reply_has_its_turn(talker) -> None:
    stop, got = threading.Event(), []
    held = talker.turns.take(lambda: False)
    reader = threading.Thread(target=lambda: got.extend(chat.reply(talker, QUESTION, Sampling(max_tokens=4), stop)))
    reader.start()
    stop.set()
    reader.join(timeout=5)
    assert not reader.is_alive()
    held.leave()
    assert got[-1].finish == "stopped"


def test_a_finished_reply_does_not_stop_others_that_share_its_event(talker) -> None:
    stop = threading.Event()
    for _ in range(2):
        *_, end = chat.reply(talker, QUESTION, Sampling(max_tokens=6), stop)
        assert end.finish != "stopped"


def test_turns_go_round_and_devices_do_not_wait_for_one_another() -> None:
    line, order = turns.Turns(), []
    first, second = line.take(lambda: False), None

    def other() -> None:
        nonlocal second
        second = line.take(lambda: False)
        for _ in range(3):
            order.append("second")
            second.pass_on()
        second.leave()

    thread = threading.Thread(target=other)
    thread.start()
    while line.waiting < 2:
        pass
    for _ in range(3):
        order.append("first")
        first.pass_on()
    first.leave()
    thread.join(5)
    assert order == ["first", "second"] * 3
    assert line.waiting == 0
    assert turns.of("cuda:0") is not turns.of("cuda:1")


def test_many_replies_at_once_are_each_what_it_is_alone(talker) -> None:
    questions = [[{"role": "user", "content": text}] for text in tiny.ENGLISH]
    alone = [last(talker, q, max_tokens=12).text for q in questions]
    with ThreadPoolExecutor(len(questions)) as pool:
        assert list(pool.map(lambda q: last(talker, q, max_tokens=12).text, questions)) == alone


def test_facts_of_a_reply(talker) -> None:
    reply = last(talker, max_tokens=12)
    facts = reply.facts()
    assert facts["characters"] == len(reply.text)
    assert facts["tokens_per_second"] == pytest.approx(reply.tokens / reply.seconds)
    assert facts["tokenizer"].startswith(f"{len(talker.tokenizer):,} tokens")
    assert facts["context"] == 64
    assert "choices" not in facts


def test_side_by_side_asks_both_and_fingerprints_tell_them_apart(tmp_path) -> None:
    one, two = tiny.folder(tmp_path / "one", chat=True), tiny.folder(tmp_path / "two", chat=True, seed=5)
    result = chat.side_by_side("who", Sampling(max_tokens=5), original=one, adapted=two, again=one)
    prints = {side: reply.fingerprint for side, reply in result.replies.items()}
    assert prints["original"] == prints["again"] != prints["adapted"]
    assert [row["side"] for row in result.rows()] == ["original", "adapted", "again"]
    assert "original and again have identical weights" in result.note
    assert chat.side_by_side("who", Sampling(max_tokens=2), original=one, adapted=two).note == ""
    with pytest.raises(WorkbenchError, match="one to 4 models"):
        chat.side_by_side("who")
    with pytest.raises(WorkbenchError, match="one for each"):
        chat.side_by_side("who", device=["cpu"], a=one, b=two)
    again = chat.side_by_side("who", Sampling(max_tokens=5), device=["cpu", "cpu"], original=one, adapted=two)
    assert again.replies["original"].text == result.replies["original"].text


def test_the_step_gives_a_row_per_model(tmp_path) -> None:
    import workbench as wb

    places = [tiny.folder(tmp_path / name, chat=True, seed=n) for n, name in enumerate("ab")]
    rows = wb.run(Chat(models=places, prompt="who", max_tokens=4)).metrics["rows"]
    assert [row["model"] for row in rows] == [str(p) for p in places]
    assert rows[0]["fingerprint"] != rows[1]["fingerprint"]
    twice = wb.run(Chat(models=places[:1] * 2, prompt="who", max_tokens=4)).metrics["rows"]
    assert [row["text"] for row in twice] == [rows[0]["text"]] * 2


def test_a_side_in_another_script_and_one_that_repeats_are_badged(tmp_path: Path) -> None:
    from workbench.training.answering import looped

    assert looped("the bear the bear the bear the bear the bear") == "the bear"
    assert looped("the bear lives in the forest") == ""
    constant = tiny.folder(tmp_path / "m", chat=True)
    chatter = chat.load(constant)
    with torch.no_grad():  # whatever is asked, one letter over and over
        chatter.model.lm_head.weight.data = torch.zeros_like(chatter.model.lm_head.weight)
        letter = chatter.tokenizer.convert_tokens_to_ids("a")
        chatter.model.model.norm.weight.data = torch.zeros_like(chatter.model.model.norm.weight)
        chatter.model.lm_head.bias = torch.nn.Parameter(torch.nn.functional.one_hot(torch.tensor(letter), len(chatter.tokenizer)).float())
    reply = last(chatter, max_tokens=30)
    assert reply.text == "a" * 30
    assert reply.repeated == "a"
    assert (reply.script, reply.script_share) == ("Latin", 1.0)
