"""Conversations that are kept, votes on them, and what they are written as."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st

import workbench as wb
from workbench import chat
from workbench.chat import Sampling, log, votes
from workbench.chat.comparisons import Comparison
from workbench.errors import WorkbenchError


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    place = tmp_path_factory.mktemp("models")
    return [str(tiny.folder(place / str(n), chat=True, seed=n)) for n in range(3)]


def answered(made: Comparison, question: str, at: int | None = None, **options: object) -> Comparison:
    made.ask(question, at)
    for side, model in made.models.items():
        *_, last = chat.reply(chat.load(model), made.messages(side), Sampling(max_tokens=4, **options))
        made.answer(side, last)
    return made


def test_an_id_opens_a_conversation_as_it_was(places) -> None:
    made = answered(answered(chat.begin(places[:2]), "who lives in the house"), "the red ball")
    again = chat.open_comparison(made.id)
    assert again == made
    assert [m["role"] for m in again.messages("A")] == ["user", "assistant", "user"]
    assert again.messages("A")[1]["content"] == made.turns[0].replies["A"]["text"]
    for odd in ("chat-0000000000000000", "../etc/passwd", "", "chat-" + "0" * 400):
        with pytest.raises(WorkbenchError, match="no conversation"):
            chat.open_comparison(odd)


def test_edit_takes_the_place_of_a_question_and_of_all_after_it(places) -> None:
    made = answered(answered(chat.begin(places[:2]), "the bear"), "the fox")
    made.judge("A", 1)
    answered(made, "the house", at=0)
    assert [t.question for t in made.turns] == ["the house"]
    assert chat.open_comparison(made.id) == made
    assert made.turns[0].verdict == ""


def test_saying_it_again_takes_the_place_of_a_reply(places) -> None:
    made = answered(chat.begin(places[:1]), "the bear")
    before = made.turns[0].replies["A"]
    *_, last = chat.reply(chat.load(places[0]), made.messages("A"), Sampling(max_tokens=4, temperature=5.0, seed=9))
    made.answer("A", last)
    assert len(made.turns) == 1
    assert chat.open_comparison(made.id).turns[0].replies["A"] != before


def test_half_a_line_that_a_kill_left_costs_that_line_only(places) -> None:
    made = answered(chat.begin(places[:2]), "the bear")
    file = log.folder() / f"{made.id}.jsonl"
    with file.open("ab") as opened:
        opened.write(b'{"kind": "ask", "turn": 1, "quest')
    assert chat.open_comparison(made.id) == made
    answered(made, "the fox")
    assert chat.open_comparison(made.id) == made
    assert all(json.loads(line) for line in file.read_text().splitlines())


@given(lines=st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=8), max_size=2), max_size=5), cut=st.integers(1, 40))
def test_a_log_gives_back_every_whole_line_wherever_it_is_cut(lines, cut, tmp_path_factory) -> None:
    file = tmp_path_factory.mktemp("log") / "log.jsonl"
    for line in lines:
        log.append(file, line)
    whole = log.read(file)
    assert whole == lines
    if lines:
        data = file.read_bytes()
        file.write_bytes(data[:-cut])
        left = log.read(file)
        assert left == lines[: len(left)]
        log.append(file, {"new": "line"})
        assert log.read(file) == [*left, {"new": "line"}]


def test_a_blind_comparison_hides_its_models_until_it_is_revealed(places) -> None:
    orders = {tuple(chat.begin(places[:2], blind=True).models.values()) for _ in range(40)}
    assert orders == {tuple(places[:2]), tuple(places[1::-1])}, "either model on either side"
    made = answered(chat.begin(places[:2], blind=True), "the bear")
    said = json.dumps(made.entries()) + chat.export(made.id, "markdown") + chat.export(made.id, "json") + chat.export(made.id, "csv")
    secrets = [*places[:2], *(r["fingerprint"] for r in made.turns[0].replies.values())]
    assert not any(secret in said for secret in secrets)
    made.reveal()
    assert all(secret in chat.export(made.id, "json") for secret in secrets)
    assert chat.open_comparison(made.id).revealed
    with pytest.raises(WorkbenchError, match="at least two models"):
        chat.begin(places[:1], blind=True)


def test_votes_add_up_to_win_rates_with_wilsons_interval(places) -> None:
    one, two = places[:2]
    for verdict in ["A"] * 7 + ["B"] * 3 + ["tie", "tie", "bad"]:
        answered(chat.begin([one, two]), "the bear").judge(verdict)
    (row,) = wb.run(chat.Votes()).metrics["rows"]
    wins = {row["first"]: row["first_wins"], row["second"]: row["second_wins"]}
    assert (wins, row["ties"], row["both_bad"]) == ({one: 7, two: 3}, 2, 1)
    rate = row["win_rate_of_first"] if row["first"] == one else 1 - row["win_rate_of_first"]
    low, high = (row["low"], row["high"]) if row["first"] == one else (1 - row["high"], 1 - row["low"])
    assert (rate, low, high) == pytest.approx((0.7, 0.39678, 0.89221), abs=1e-5)  # the interval of 7 in 10


def test_the_last_vote_on_a_turn_counts_and_what_is_no_vote_is_refused(places) -> None:
    made = chat.begin(places[:2])
    with pytest.raises(WorkbenchError, match="nothing to vote on"):
        made.judge("A")
    answered(made, "the bear")
    with pytest.raises(WorkbenchError, match="one of A, B, tie, bad"):
        made.judge("C")
    for verdict in ("A", "B", "tie"):
        made.judge(verdict)
    assert [v["verdict"] for v in votes.votes()] == ["tie"]
    assert chat.open_comparison(made.id).turns[0].verdict == "tie"
    with pytest.raises(WorkbenchError, match="needs two sides"):
        answered(chat.begin(places[:1]), "the bear").judge("A")
    assert chat.tally([]) == []


def test_of_three_sides_the_better_one_wins_against_each(places) -> None:
    answered(chat.begin(places), "the bear").judge("B")
    rows = chat.tally()
    assert len(rows) == 2, "of the two others nothing is known"
    won = [name for row in rows for name, n in ((row["first"], row["first_wins"]), (row["second"], row["second_wins"])) for _ in range(n)]
    assert won == [places[1]] * 2


def test_blind_votes_are_counted_for_themselves(places) -> None:
    answered(chat.begin(places[:2], blind=True), "the bear").judge("A")
    answered(chat.begin(places[:2]), "the bear").judge("A")
    assert sorted(row["blind"] for row in chat.tally()) == [False, True]


def test_exports(places, tmp_path: Path) -> None:
    made = answered(answered(chat.begin(places[:2]), '«живёт», "a"\nsecond'), "خرس")
    made.judge("B", 0)
    told = json.loads(chat.export(made.id, "json"))
    assert told["models"] == made.models
    rows = list(csv.DictReader(io.StringIO(chat.export(made.id, "csv"))))
    assert len(rows) == 4
    assert rows[0]["prompt"] == made.turns[0].question
    assert rows[3]["text"] == made.turns[1].replies["B"]["text"]
    page = chat.export(made.id, "markdown")
    assert "Vote: B" in page
    assert "خرس" in page
    theirs = json.loads(chat.export(made.id, "llm-comparator"))
    assert [m["name"] for m in theirs["models"]] == places[:2]
    needed = {"input_text", "tags", "output_text_a", "output_text_b", "score", "individual_rater_scores", "custom_fields"}
    assert all(set(example) == needed for example in theirs["examples"])
    assert [example["score"] for example in theirs["examples"]] == [-1.5, 0.0]
    named = {field["name"] for field in theirs["metadata"]["custom_fields_schema"]}
    assert named == set(theirs["examples"][0]["custom_fields"])
    with pytest.raises(WorkbenchError, match="compares two models"):
        chat.export(answered(chat.begin(places[:1]), "the bear").id, "llm-comparator")
    with pytest.raises(WorkbenchError, match="no format 'pdf'"):
        chat.export(made.id, "pdf")
    wb.run(chat.Export(comparison=made.id, to=str(tmp_path / "chat.md")))
    assert (tmp_path / "chat.md").read_text() == page
    with pytest.raises(WorkbenchError, match="exists already"):
        wb.run(chat.Export(comparison=made.id, to=str(tmp_path / "chat.md")))
