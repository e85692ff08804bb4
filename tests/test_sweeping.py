"""Vocabulary-size sweep: truncation is learning less, more tokens never cost more, and the knee is where a curve bends."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import ENGLISH, RUSSIAN, SPECIALS, tokenizer

from workbench.errors import WorkbenchError
from workbench.fertility import Sweeping, knee, sweep
from workbench.fertility.sweeping import BEND, _learn, cut_down
from workbench.progress import Progress
from workbench.tokenizer import Extension, extend, load

TRAIN = RUSSIAN * 3
OTHER = ["медведь видит дом в лесу", "кто видит красный дом", "лиса живёт в доме", "синий мяч в лесу"]
SIZES = (0, 1, 4, 9, 16, 25)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory):
    return load(tokenizer(tmp_path_factory.mktemp("base")))


def test_cutting_down_is_learning_less(base) -> None:
    largest = extend(base, TRAIN, Extension(new_tokens=25, script="Cyrillic"))
    for k, cut in zip(SIZES, cut_down(largest.tokenizer.backend_tokenizer, largest.new_ids, SIZES), strict=True):
        learned = extend(base, TRAIN, Extension(new_tokens=k, script="Cyrillic")).tokenizer.backend_tokenizer
        assert json.loads(cut.to_str())["model"] == json.loads(learned.to_str())["model"]
        for text in (*TRAIN, *OTHER, *ENGLISH):
            assert cut.encode(text).ids == learned.encode(text).ids


def test_cutting_down_to_nothing_gives_the_base(base) -> None:
    largest = extend(base, TRAIN, Extension(new_tokens=10))
    (cut,) = cut_down(largest.tokenizer.backend_tokenizer, largest.new_ids, [0])
    assert cut.get_vocab() == base.get_vocab()


def test_cutting_down_a_fresh_bpe_is_training_a_smaller_one(base) -> None:
    options = Sweeping(strategy="bpe")
    largest, new_ids = _learn(base, TRAIN, options, 25, Progress())
    assert len(new_ids) >= 25
    for k in (1, 4, 9, 16, 25):
        (cut,) = cut_down(largest, new_ids, [k])
        made, ids = _learn(base, TRAIN, options, k, Progress())
        (made,) = cut_down(made, ids, [k])
        assert cut.get_vocab() == made.get_vocab()
        assert [cut.encode(text).ids for text in (*TRAIN, *OTHER)] == [made.encode(text).ids for text in (*TRAIN, *OTHER)]


@pytest.mark.parametrize("strategy", ["extend", "bpe"])
@pytest.mark.parametrize("held_out", [TRAIN, OTHER])
def test_more_tokens_never_cost_more(base, strategy: str, held_out: list[str]) -> None:
    found = sweep(base, TRAIN, held_out, Sweeping(strategy=strategy, sizes=SIZES, script="Cyrillic" if strategy == "extend" else None))
    costs = [row["tokens_per_word"] for row in found.rows]
    assert [row["new"] for row in found.rows] == list(SIZES)
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < costs[0]
    assert found.rows[0]["size"] == (len(base) if strategy == "extend" else 256 + len(SPECIALS))
    assert [row["size"] - row["new"] for row in found.rows] == [found.rows[0]["size"]] * len(SIZES)
    assert all(row["low"] <= row["tokens_per_word"] <= row["high"] for row in found.rows)


def test_rows_by_hand(base) -> None:
    found = sweep(base, TRAIN, OTHER, Sweeping(sizes=(0, 20), width=100, script="Cyrillic"))
    first, last = found.rows
    assert (first["size"], last["size"]) == (len(base), len(base) + 20)
    assert last["table_mb"] == pytest.approx((len(base) + 20) * 100 * 2 * 2 / 1e6)
    assert first["utilisation_new"] is None
    largest = extend(base, TRAIN, Extension(new_tokens=20, script="Cyrillic"))
    used = {i for text in OTHER for i in largest.tokenizer(text)["input_ids"]}
    assert last["utilisation_new"] == pytest.approx(len(used & set(largest.new_ids)) / 20)
    assert last["tokens_per_word"] == sum(len(largest.tokenizer.tokenize(t)) for t in OTHER) / sum(len(t.split()) for t in OTHER)
    assert sweep(base, TRAIN, OTHER, Sweeping(sizes=(20,), tied=True, width=100, script="Cyrillic")).rows[0]["table_mb"] == last["table_mb"] / 2


def test_a_text_that_gives_fewer_tokens_ends_the_curve(base) -> None:
    found = sweep(base, RUSSIAN, RUSSIAN, Sweeping(new_tokens=5_000))
    assert 125 < found.rows[-1]["new"] < 5_000 or [row["new"] for row in found.rows] == sorted({0, found.rows[-1]["new"]})
    assert any("gave only" in note for note in found.notes)


def test_scripts_without_spaces_are_judged_by_bytes_per_token(base) -> None:
    chinese = ["我们在北京学习中文", "北京在中国", "学习中文在北京", "我们在中国学习"] * 3
    found = sweep(base, chinese, chinese, Sweeping(sizes=(0, 5, 10, 40), script="Han"))
    assert all(row["tokens_per_word"] is None for row in found.rows)
    assert [row["bytes_per_token"] for row in found.rows] == sorted(row["bytes_per_token"] for row in found.rows)


def test_bad_sizes_are_one_sentence(base) -> None:
    with pytest.raises(WorkbenchError, match="-1 is no number of new tokens"):
        sweep(base, TRAIN, OTHER, Sweeping(sizes=(0, -1)))
    with pytest.raises(WorkbenchError, match="sizes has 2,000,000 new tokens, and a sweep learns 1,000,000 at most"):
        sweep(base, TRAIN, OTHER, Sweeping(sizes=(0, 2_000_000)))
    with pytest.raises(WorkbenchError, match=r"With bpe 1,000,000 new tokens .* give new_tokens or sizes up to 999,7"):
        sweep(base, TRAIN, OTHER, Sweeping(strategy="bpe", new_tokens=1_000_000))
    with pytest.raises(WorkbenchError, match="leave script out with bpe"):
        sweep(base, TRAIN, OTHER, Sweeping(strategy="bpe", script="Cyrillic"))


shapes = st.tuples(st.integers(1, 9), st.integers(1, 9), st.floats(0.1, 50), st.floats(0.0, 5.0), st.floats(0.5, 20))


@given(shapes)
def test_the_knee_of_a_bent_line_is_its_corner(shape: tuple[int, int, float, float, float]) -> None:
    left, right, steep, flat, start = shape
    sizes = [100.0 * i for i in range(left + right + 1)]
    costs = [start - steep * min(i, left) - steep * flat * max(i - left, 0) for i in range(left + right + 1)]
    lift = left * steep / (costs[0] - costs[-1]) - left / (left + right)
    assert knee(sizes, costs) == (left if lift > BEND else None)
    assert knee(sizes, [-cost for cost in costs]) == knee(sizes, costs)


@given(st.floats(-5, 5), st.floats(-5, 5), st.integers(0, 12))
def test_a_straight_line_has_no_knee(start: float, slope: float, points: int) -> None:
    assert knee(list(range(points)), [start + slope * i for i in range(points)]) is None


@given(st.lists(st.floats(0.01, 10), min_size=3, max_size=12), st.floats(0.1, 1e4), st.floats(0.1, 1e3))
def test_the_knee_does_not_depend_on_the_units(drops: list[float], wide: float, high: float) -> None:
    costs = [sum(sorted(drops)[: len(drops) - i]) for i in range(len(drops) + 1)]
    sizes = list(range(len(costs)))
    found = knee(sizes, costs)
    gains = [(costs[0] - c) / (costs[0] - costs[-1]) - s / sizes[-1] for s, c in zip(sizes, costs, strict=True)]
    if abs(max(gains) - BEND) > 1e-6 and sum(abs(g - max(gains)) < 1e-6 for g in gains) == 1:
        assert knee([wide * s for s in sizes], [7 + high * c for c in costs]) == found


def test_the_step_learns_from_train_and_measures_held_out(tmp_path) -> None:
    from workbench import store
    from workbench.steps import from_flat

    text = tmp_path / "a.txt"
    text.write_text("\n".join(f"Медведь номер {n} живёт в лесу у реки." for n in range(400)), encoding="utf-8")
    folder = tokenizer(tmp_path / "base")
    step = from_flat("fertility.sweep", {"base": str(folder), "text": str(text), "sizes": (0, 10, 30), "script": "Cyrillic"})
    made = store.run(step)
    assert [row["new"] for row in made.metrics["rows"]] == [0, 10, 30]
    assert made.metrics["knee"] is None or made.metrics["knee"] in made.metrics["rows"]


@pytest.mark.real
def test_a_real_tokenizer_cut_down_is_the_smaller_extension(real_data) -> None:
    head, *rows = (line.split("\t") for line in (real_data / "parallel/flores_sib200.tsv").read_text(encoding="utf-8").rstrip("\n").split("\n"))
    texts = {name: [row[head.index(name)] for row in rows] for name in ("ru", "en", "kk")}
    llama = load(real_data / "tokenizers/llama2.model")
    largest, smaller = (extend(llama, texts["ru"], Extension(new_tokens=n, script="Cyrillic")) for n in (600, 250))
    (cut,) = cut_down(largest.tokenizer.backend_tokenizer, largest.new_ids, [250])
    assert cut.to_str() == smaller.tokenizer.backend_tokenizer.to_str()
    found = sweep(llama, texts["ru"], texts["kk"], Sweeping(sizes=(0, 250, 600), script="Cyrillic"))
    costs = [row["tokens_per_word"] for row in found.rows]
    assert costs == sorted(costs, reverse=True)
