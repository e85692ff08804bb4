"""Each measure on models and texts whose answer is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch

import workbench as wb
from workbench.evaluation import Choices, Consistency, Continuations, Generation, HiddenOverlap, Positions, Retrieval, Speed, Subject
from workbench.evaluation.measures.checks import begun, in_script
from workbench.evaluation.measures.generation import f1, replies, summaries, tokens, translations
from workbench.evaluation.measures.positions import begun_again, bits_by_position, same_start
from workbench.evaluation.measures.retrieval import matrix, placed
from workbench.evaluation.prompting import answer, prompt
from workbench.progress import Progress

LINES = [f"{line} {n}" for n in range(30) for line in tiny.RUSSIAN]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return Subject(str(tiny.folder(tmp_path_factory.mktemp("base"))), "cpu", "fp32", 4)


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return Subject(str(tiny.folder(tmp_path_factory.mktemp("chat"), chat=True)), "cpu", "fp32", 4)


@pytest.fixture(scope="module")
def far_seeing(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    folder = tiny.folder(tmp_path_factory.mktemp("far"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 512}))
    return Subject(str(folder), "cpu", "fp32", 4)


@pytest.fixture
def text(tmp_path: Path) -> str:
    (tmp_path / "ru.txt").write_text("\n".join(LINES * 3), encoding="utf-8")
    return str(tmp_path / "ru.txt")


def jsonl(path: Path, rows: list[dict]) -> str:
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return str(path)


def test_summaries_of_any_language_are_scored_by_words_and_by_letters_where_there_are_none_between_spaces() -> None:
    scores, _ = summaries(["Медведь живёт в лесу.", "", None], [["Медведь живёт в большом лесу"], ["лиса"], ["дом"]])
    assert {score.name: score.value for score in scores}["rouge_1"] == pytest.approx((2 * 4 / 9 + 0) / 2)
    assert [score.n for score in scores] == [2, 2, 2]
    assert tokens("熊住在森林里。") == list("熊住在森林里")
    assert tokens("Anna's bear, АННА") == ["anna's", "bear", "анна"]


def test_translations_and_answers_are_scored_over_what_could_be_asked() -> None:
    (chrf, bleu), notes = translations(["лиса видит медведя в лесу", None], [["лиса видит медведя в лесу"], ["дом"]])
    assert (chrf.value, bleu.value, chrf.n) == (pytest.approx(100), pytest.approx(100), 1)
    assert "tok:13a" in notes[1]
    assert "tok:char" in translations(["熊"], [["熊住"]])[1][1]
    (exact, overlap), _ = replies(["In the Forest!", "the red fox", None], [["home", "in the forest"], ["a red fox"], ["x"]])
    assert (exact.value, exact.n) == (0.5, 2)
    assert overlap.value == pytest.approx((1 + 2 / 3) / 2)
    assert f1([], []) == 1.0


def test_examples_are_shown_and_not_asked_in_the_template_or_in_plain_text(base: Subject, chat: Subject, tmp_path: Path) -> None:
    shots = [("bear?", "медведь")]
    assert base.tokenizer.decode(prompt(base.tokenizer, "fox?", shots)) == "<s>bear?\nмедведь\n\nfox?\n"
    assert chat.tokenizer.decode(prompt(chat.tokenizer, "fox?", shots)) == "<|user|>bear?</s><|assistant|>медведь</s><|user|>fox?</s><|assistant|>"
    file = jsonl(tmp_path / "pairs.jsonl", [{"source": "a", "target": "б", "instruction": "Say."}] * 4)
    measure = Generation(file=file, count=3, shots=1)
    found = measure.take(base, measure.items(), Progress())
    assert {score.name: len(score.stats) for score in found.scores} == {"chrf": 3, "bleu": 3}
    assert found.examples[0]["question"] == "Say.\n\na"


def test_what_does_not_fit_into_the_context_is_not_asked(base: Subject) -> None:
    said = answer(base, ["a", "the bear " * 60], ["b", "b"])
    assert isinstance(said[0], str)
    assert said[1] is None


def test_choices_with_examples_before_them(tmp_path: Path) -> None:
    file = jsonl(tmp_path / "c.jsonl", [{"prompt": f"{n}? ", "options": ["yes", "no"], "right": n % 2} for n in range(3)])
    assert [item["prompt"] for item in Choices(file=file, shots=1).items()] == ["0? yes\n\n1? ", "0? yes\n\n2? "]


def test_a_choice_that_does_not_fit_into_the_context_does_not_count(base: Subject, tmp_path: Path) -> None:
    long = {"prompt": "the bear " * 60, "options": ["yes", "no"], "right": 0}
    measure = Choices(file=jsonl(tmp_path / "c.jsonl", [long, long | {"prompt": "a"}]))
    (score,) = measure.take(base, measure.items(), Progress()).scores
    assert score.measured.tolist() == [False, True]
    assert measure.take(base, [long], Progress()).scores[0].value is None


def test_translations_are_found_where_the_rows_are_the_same_and_not_where_all_are_alike(tmp_path: Path) -> None:
    from workbench.models import open_model

    folder = tiny.folder(tmp_path / "model")
    model, tokens = open_model(folder, "cpu", "fp32")
    pairs = [(chr(97 + n), chr(1072 + n)) for n in range(8)]  # a–h, а–з
    with torch.no_grad():
        table = model.get_input_embeddings().weight
        table.zero_()
        for n, (one, other) in enumerate(pairs):
            for side in (one, other):
                ids = tokens(side, add_special_tokens=False)["input_ids"]
                table[ids[-1], n] = 1.0  # the first byte of a Cyrillic letter is that of all others
    model.save_pretrained(folder)
    measure, subject = Retrieval(reference="x"), Subject(str(folder))
    assert {s.name: s.value for s in measure.take(subject, pairs, Progress()).scores} == {"hit_1": 1.0, "hit_10": 1.0, "csls_hit_1": 1.0}
    assert np.allclose(matrix(subject, ["a"]) @ matrix(subject, ["а"]).T, 1)
    alike = measure.take(subject, [("a", "б"), ("a", "в"), ("a", "г")], Progress())
    assert {s.name: s.value for s in alike.scores}["hit_1"] == 0.0
    assert placed(np.array([[0.5, 0.5], [0.1, 0.9]])).tolist() == [2, 1]


def test_bits_by_position_add_up_to_those_of_the_whole(base: Subject) -> None:
    from workbench.evaluation.bits import by_document

    texts = ["the bear lives in the forest, the fox sees the bear, who lives in the house"]
    found = bits_by_position(base, texts, Progress())
    bits, size, _ = by_document(base.model, base.tokenizer, texts)
    assert np.nansum(found[..., 0]) == pytest.approx(bits[0], rel=1e-6)
    assert np.nansum(found[..., 1]) == size[0]
    far = bits_by_position(base, ["медведь " * 200], Progress())  # its context ends within the first place
    assert np.isnan(far[0, 2:]).all()


def test_a_sentence_is_begun_again_behind_so_much_other_text(far_seeing: Subject, text: str) -> None:
    given = "Медведь живёт в большом лесу. Лиса видит дом. Кто живёт в доме?"
    shown, rest = begun_again(given, 16)
    assert given.startswith(shown.partition("\n")[0])
    assert f"{shown.rpartition(chr(10))[2]}{rest}" == "Медведь живёт в большом лесу."
    assert begun_again(given, 1000) is None
    assert same_start("abcd", "abxd") == 2
    measure = Positions(reference=text, count=2, reach=256)
    found = measure.take(far_seeing, measure.items(), Progress())
    assert {row["measure"] for row in found.curves} == {"bits_per_byte", "copied"}
    assert all(row["n"] <= 2 and row["low"] is None for row in found.curves)  # too few long texts for an interval


def test_continuations_are_judged_by_script_loop_and_length(base: Subject, text: str) -> None:
    assert in_script("Ab где 12", "Cyrillic") == [3.0, 5.0]
    assert begun("раз два три четыре пять шесть")["begin"] == "раз два три"
    measure = Continuations(reference=text, count=5)
    items = measure.items()
    found = measure.take(base, items, Progress())
    assert [score.name for score in found.scores] == ["script_share", "looping", "length"]
    assert found.scores[2].stats[:, 1].tolist() == [len(item["follows"]) for item in items]


def test_speed_is_characters_over_seconds_of_as_many_tokens(base: Subject, text: str) -> None:
    measure = Speed(reference=text, count=2)
    score = measure.take(base, measure.items(), Progress()).scores[0]
    assert score.n == 2
    assert (score.stats[:, 1] > 0).all()
    assert not measure.kept


def test_the_same_is_asked_again_after_another_question(chat: Subject, tmp_path: Path) -> None:
    asked = [{"messages": [{"role": "user", "content": f"{line}?"}], "answer": "no"} for line in ("bear", "fox", "red")]
    measure = Consistency(file=jsonl(tmp_path / "q.jsonl", asked))
    found = measure.take(chat, measure.items(), Progress())
    assert [(score.name, score.n) for score in found.scores] == [("same_again", 3), ("right_again", 3)]
    for example, same in zip(found.examples, found.scores[0].stats[:, 0], strict=True):
        assert (example["wanted"] == example["reply"]) == bool(same)
    assert measure.unfit(Subject(str(tiny.folder(tmp_path / "base")))) == "it has no chat template"


def test_hidden_rows_are_those_of_the_transfer_that_the_model_descends_from(tmp_path: Path) -> None:
    from aids import METHODS, Aids

    model = tiny.folder(tmp_path / "model")
    donor = tiny.folder(tmp_path / "donor", seed=3, width=12)
    carried = wb.run(wb.transfer.Transfer(model=model, tokenizer=donor, method=METHODS["salt"](Aids(donor, donor, donor))))
    measure, subject = HiddenOverlap(), Subject(carried.id)
    found = measure.take(subject, measure.items(), Progress())
    row = next(r for r in carried.metrics["hidden"] if (r["method"], r["script"], r["band"]) == ("salt", "all", "all"))
    assert [r["value"] for r in found.stated] == [row["cosine"], row["mrr"]]
    assert "no transfer made it" in measure.unfit(Subject(str(model)))
    plain = wb.run(wb.transfer.Transfer(model=model, tokenizer=donor))
    assert "no hidden-overlap score" in measure.take(Subject(plain.id), measure.items(), Progress()).notes[0]
