"""Replies: streamed, sampled by their own seed, stoppable, stamped."""

from __future__ import annotations

import threading
from itertools import pairwise

import pytest
import tiny
import torch

from workbench import chat
from workbench.chat import Sampling
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
    assert reply.tokens == len(wanted)
    assert reply.finish in ("eos", "length")


def test_a_stream_grows_and_says_when_it_is_done(talker) -> None:
    replies = list(chat.reply(talker, QUESTION, Sampling(max_tokens=8)))
    assert [r.finish for r in replies[:-1]] == [""] * (len(replies) - 1)
    assert all(a.tokens <= b.tokens for a, b in pairwise(replies))
    assert replies[-1].first_seconds <= replies[-1].seconds
    assert "\ufffd" not in "".join(r.text for r in replies[:-1])


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


def test_a_stop_ends_it_and_a_closed_stream_leaves_no_thread(talker) -> None:
    stop = threading.Event()
    stream = chat.reply(talker, QUESTION, Sampling(max_tokens=40, temperature=1.0), stop)
    next(stream)
    stop.set()
    *_, end = stream
    assert end.tokens < 40
    assert end.finish in ("stopped", "eos")
    before = threading.active_count()
    stream = chat.reply(talker, QUESTION, Sampling(max_tokens=40))
    next(stream)
    stream.close()
    assert threading.active_count() <= before
    assert not talker.lock.locked()


def test_a_stop_is_heard_while_another_reply_holds_the_model(talker) -> None:
    stop, got = threading.Event(), []
    with talker.lock:
        reader = threading.Thread(target=lambda: got.extend(chat.reply(talker, QUESTION, Sampling(max_tokens=4), stop)))
        reader.start()
        stop.set()
        reader.join(timeout=5)
        assert not reader.is_alive()
    assert got[-1].finish == "stopped"


def test_a_finished_reply_does_not_stop_others_that_share_its_event(talker) -> None:
    stop = threading.Event()
    for _ in range(2):
        *_, end = chat.reply(talker, QUESTION, Sampling(max_tokens=6), stop)
        assert end.finish != "stopped"


def test_two_threads_share_one_model(tmp_path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    place = tiny.folder(tmp_path / "m")
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: chat.load(place), range(2))
    assert first.model is second.model


def test_a_template_that_refuses_says_so(tmp_path) -> None:
    picky = tiny.folder(tmp_path / "picky", chat=True)
    from workbench.tokenizer import load, save

    tokenizer = load(picky)
    tokenizer.chat_template = "{{ raise_exception('roles must alternate') }}"
    save(tokenizer, picky)
    with pytest.raises(WorkbenchError, match="roles must alternate"):
        chat.load(picky).prompt(QUESTION)


def test_side_by_side_asks_both_and_fingerprints_tell_them_apart(talker, tmp_path) -> None:
    one, two = tiny.folder(tmp_path / "one", chat=True), tiny.folder(tmp_path / "two", chat=True, seed=5)
    result = chat.side_by_side("who", Sampling(max_tokens=5), original=one, adapted=two, again=one)
    prints = {side: reply.fingerprint for side, reply in result.replies.items()}
    assert prints["original"] == prints["again"] != prints["adapted"]
    assert [row["side"] for row in result.rows()] == ["original", "adapted", "again"]
    assert chat.load(one).model is chat.load(one).model, "a model is loaded once and shared"


def test_a_changed_model_is_loaded_anew(tmp_path) -> None:
    import os

    place = tiny.folder(tmp_path / "m")
    first = chat.load(place).fingerprint
    tiny.model(place, seed=8)
    os.utime(place / "model.safetensors", (2e9, 2e9))
    assert chat.load(place).fingerprint != first


def test_a_base_model_continues_the_plain_text(tmp_path) -> None:
    plain = chat.load(tiny.folder(tmp_path / "base"))
    assert plain.prompt(QUESTION) == plain.tokenizer(QUESTION[0]["content"]).input_ids


def test_bad_prompts(talker) -> None:
    with pytest.raises(WorkbenchError, match="prompt is empty"):
        last(talker, [{"role": "user", "content": "  "}])
    with pytest.raises(WorkbenchError, match="reads only 64"):
        last(talker, [{"role": "user", "content": "bear " * 200}])


def test_the_step_gives_a_row_per_model(tmp_path) -> None:
    import workbench as wb

    places = [tiny.folder(tmp_path / name, chat=True, seed=n) for n, name in enumerate("ab")]
    rows = wb.run(Chat(models=places, prompt="who", max_tokens=4)).metrics["rows"]
    assert [row["model"] for row in rows] == [str(p) for p in places]
    assert rows[0]["fingerprint"] != rows[1]["fingerprint"]


def test_script_of() -> None:
    assert [chat.script_of(t) for t in ("bear", "медведь a", "خرس", "12!")] == ["Latin", "Cyrillic", "Arabic", ""]
