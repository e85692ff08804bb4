"""The race of transfer methods: the same course for all, the same results each time, the control always beside."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
import torch

import workbench as wb
from workbench.errors import WorkbenchError
from workbench.evaluation import Race
from workbench.evaluation.racing import put_in, summarise
from workbench.tokenizer import Extension, extend, load, save
from workbench.transfer.assemble import Carry


@pytest.fixture(scope="module", params=[False, True], ids=["untied", "tied"])
def course(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    place = tmp_path_factory.mktemp("race")
    base = tiny.folder(place / "base", tied=request.param)
    longer = save(extend(load(base), tiny.RUSSIAN * 3, Extension(new_tokens=20, script="Cyrillic")).tokenizer, place / "longer")
    lines = [f"{line} {n}" for n in range(40) for line in tiny.RUSSIAN]
    (place / "text.txt").write_text("\n".join(lines), encoding="utf-8")
    return {"model": base, "tokenizer": longer, "text": place / "text.txt", "seeds": 2, "steps": (0, 2, 4), "block": 16, "documents": 8, "device": "cpu"}


def test_all_run_the_same_course_and_the_control_always_runs(course: dict[str, object], tmp_path: Path) -> None:
    made = Race(**course, methods=("subtokens",)).run(tmp_path, wb.progress.Progress())
    of = {(row["method"], row["seed"], row["step"]): row["bits_per_byte"] for row in made["rows"]}
    assert set(of) == {("original", 0, 0)} | {(m, s, n) for m in ("subtokens", "random") for s in (0, 1) for n in (0, 2, 4)}
    assert of["subtokens", 0, 0] == of["subtokens", 1, 0]  # nothing is drawn
    assert of["random", 0, 0] != of["random", 1, 0]
    assert of["subtokens", 0, 4] != of["subtokens", 1, 4]  # another order of the text
    assert of["subtokens", 0, 4] < of["subtokens", 0, 0]
    again = Race(**course, methods=("random", "subtokens")).run(tmp_path, wb.progress.Progress())
    key = lambda row: (row["method"], row["seed"], row["step"])  # noqa: E731 - a sort key
    assert sorted(again["rows"], key=key) == sorted(made["rows"], key=key)
    assert [row["method"] for row in made["summary"]] == ["original", "subtokens", "random"]


def test_a_short_race_is_the_beginning_of_a_long_one(course: dict[str, object], tmp_path: Path) -> None:
    """A method's value at a step says nothing of where the race ends, and so may be set against another's at another step."""
    long, short = (Race(**course | {"steps": steps, "seeds": 1}, methods=("mean",)).run(tmp_path, wb.progress.Progress()) for steps in ((0, 12, 24), (0, 12)))
    assert short["rows"] == [row for row in long["rows"] if row["step"] <= 12]  # twelve: the rate rises for ten


def phi(place: Path) -> Path:
    """A model whose head has a bias."""
    from transformers import PhiConfig, PhiForCausalLM

    tiny.tokenizer(place)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "pad_token_id": 2}
        made = PhiForCausalLM(PhiConfig(vocab_size=len(load(place)), bos_token_id=0, eos_token_id=1, **sizes))
        made.lm_head.bias.data.normal_()
    made.save_pretrained(place)
    return place


@pytest.mark.parametrize("other", [False, True], ids=["extended", "another tokenizer and a head bias"])
def test_the_first_score_is_that_of_the_model_the_transfer_writes(course: dict[str, object], other: bool, tmp_path: Path) -> None:
    from workbench.evaluation.bits import bits_per_byte
    from workbench.models import open_model

    if other:
        course = course | {"model": phi(tmp_path / "phi"), "tokenizer": tiny.tokenizer(tmp_path / "other", texts=tiny.RUSSIAN)}
    raced = Race(**course | {"steps": (0,), "seeds": 1}, methods=("mean",)).run(tmp_path, wb.progress.Progress())
    written = wb.run(wb.transfer.Transfer(model=course["model"], tokenizer=course["tokenizer"], method={"method": "mean"}))
    model, tokenizer = open_model(written.path, "cpu", "fp32")
    held_out = wb.corpus.open(course["text"]).held_out.take(8)
    wanted = bits_per_byte(model, tokenizer, held_out, context=16).bits_per_byte
    assert next(r for r in raced["rows"] if r["method"] == "mean")["bits_per_byte"] == pytest.approx(wanted, rel=1e-6)


def test_a_method_whose_needs_are_not_met_says_so_and_the_others_run(course: dict[str, object], tmp_path: Path) -> None:
    made = Race(**course | {"steps": (0,), "seeds": 1}, methods=("salt", "mean")).run(tmp_path, wb.progress.Progress())
    assert made["notes"] == ["salt did not run: salt needs a donor; give a model of the target language, such as demo:ru-plm."]
    assert {row["method"] for row in made["rows"]} == {"original", "mean", "random"}
    with pytest.raises(WorkbenchError, match="negative number"):
        Race(**course | {"steps": (-1,)}).run(tmp_path, wb.progress.Progress())


def test_tables_are_put_into_a_model(course: dict[str, object]) -> None:
    carry = Carry.open(course["model"], course["tokenizer"])
    first, second = carry.tables(wb.transfer.Mean().blend(carry.task))
    model, _ = wb.models.open_model(course["model"], "cpu", "fp32")
    model.resize_token_embeddings(len(first), mean_resizing=False)
    put_in(model, first, second)
    assert torch.equal(model.get_input_embeddings().weight, first)
    assert torch.equal(model.get_output_embeddings().weight, first if second is None else second)


def test_the_summary_says_when_random_is_caught_up_with() -> None:
    def rows(name: str, seed: int, *values: float) -> list[dict[str, object]]:
        return [{"method": name, "seed": seed, "step": step, "bits_per_byte": value} for step, value in zip((0, 10, 20), values, strict=True)]

    found = {row["method"]: row for row in summarise([*rows("a", 0, 3, 2, 1), *rows("a", 1, 3, 1, 1.5), *rows("random", 0, 5, 3, 2), *rows("b", 0, 5, 4, 3)])}
    assert found["a"] == {"method": "a", "at_start": 3, "at_end": 1.25, "low": 1, "high": 1.5, "steps_to_random": 10, "seeds": 2}
    assert found["random"]["steps_to_random"] == 20
    assert found["b"]["steps_to_random"] is None


def test_every_row_may_learn(course: dict[str, object]) -> None:
    """The source's padding id is another token's now, whose row must not stay frozen."""
    from workbench.evaluation.racing import Course, _opened
    from workbench.training.fitting import Settings

    carry = Carry.open(course["model"], course["tokenizer"])
    model, _ = _opened(carry, Course([], ["the bear"], [0], [0], Settings(1), 16), "cpu")
    ids = torch.arange(len(carry.task.kept))[None, :60]
    model.train()
    model(input_ids=ids, labels=ids).loss.backward()
    assert model.get_input_embeddings().weight.grad[:59].abs().sum(1).min() > 0
