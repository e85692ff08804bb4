"""Methods that describe new tokens by shared ones: what they compute, and what they refuse."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from aids import Aids
from safetensors.torch import save_file

from workbench.errors import WorkbenchError
from workbench.tokenizer import load, save
from workbench.transfer import Clp, Focus, Ofa, Omp, Salt, Wechsel
from workbench.transfer.base import MIX, Task
from workbench.transfer.combining import combine_rows
from workbench.transfer.hidden import GlobalRidge, hidden_overlap
from workbench.transfer.similar import Support, sparsemax, unit
from workbench.transfer.space import text_of
from workbench.vocab import Vocabulary

WIDTH, DONOR = 20, 48
Make = Callable[[np.ndarray], str]


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """From one small vocabulary to another that shares some tokens."""
    place = tmp_path_factory.mktemp("task")
    source = Vocabulary(load(tiny.tokenizer(place / "source")))
    target = Vocabulary(load(tiny.tokenizer(place / "target", merges=150, texts=tiny.RUSSIAN + tiny.ENGLISH[:3])))
    kept = np.full(target.size, -1, dtype=np.int64)
    for theirs, mine in source.overlap(target):
        kept[mine] = theirs
    generator = torch.Generator().manual_seed(0)
    tables = {role: torch.randn(source.size, WIDTH, generator=generator, dtype=torch.float64) for role in ("input", "output")}
    return Task(source, target, kept, source.size, tables=tables.__getitem__)


@pytest.fixture
def donor(task: Task, tmp_path: Path) -> Make:
    """Writes a table as the donor that goes with the target tokenizer."""

    def make(table: np.ndarray, place: Path = tmp_path / "donor") -> str:
        place.mkdir(exist_ok=True)
        save(task.target.tokenizer, place)
        (place / "config.json").write_text(json.dumps({"model_type": "bert"}))
        save_file({"bert.embeddings.word_embeddings.weight": torch.from_numpy(np.ascontiguousarray(table, dtype=np.float32))}, place / "model.safetensors")
        return str(place)

    return make


def test_vectors_of_another_language_are_warned_of(task: Task, tmp_path: Path) -> None:
    """They know shared tokens, and of the new ones next to nothing."""
    shared = [text for _, mine in task.anchors if (text := text_of(task.target.identity(int(mine)))).isalpha()][:5]
    unlike = [text for mine in task.new if (text := text_of(task.target.identity(int(mine)))).isalpha()]
    for known, said in ((shared, True), ([*shared, *unlike], False)):
        file = tmp_path / f"{said}.vec"
        file.write_text(f"{len(known)} 3\n" + "".join(f"{word} {n} 1 {n % 7}\n" for n, word in enumerate(known)), encoding="utf-8")
        report = Focus(vectors=str(file)).blend(task).report
        assert ("tokens' language" in " ".join(report.get("warnings", []))) == said


def numbers(task: Task, seed: int = 1, width: int = DONOR) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((task.target.size, width)).astype(np.float32)


def test_salt_is_the_literal_pseudo_inverse(task: Task, donor: Make) -> None:
    """E_new[t] = E_donor[t]·(A⁺B), both tables, in fp64 (METHODS: SALT, steps 1 to 4)."""
    table = numbers(task)
    blend = Salt(donor=donor(table)).blend(task)
    made = {role: blend.fill(task.tables(role), role=role).numpy() for role in ("input", "output")}
    anchors = task.anchors
    support = sparsemax(table[task.new], table[anchors[:, 1]])
    e = table.astype(np.float64)
    for row, token in enumerate(task.new):
        chosen = anchors[support.anchors[support.ends[row] : support.ends[row + 1]]]
        for role in ("input", "output"):
            wanted = e[token] @ (np.linalg.pinv(e[chosen[:, 1]]) @ task.tables(role).numpy()[chosen[:, 0]])
            assert np.allclose(made[role][token], wanted, rtol=1e-9, atol=1e-11)
    assert blend.report["filled"] == len(task.new)
    assert blend.report["k_median"] == int(np.median(support.sizes))
    assert sum(bar["tokens"] for bar in blend.report["k_histogram"]) == len(task.new)


@pytest.mark.parametrize("method", [Salt, partial(Omp, k=12)], ids=["salt", "omp"])
def test_scaling_or_rotating_the_donor_changes_nothing(task: Task, donor: Make, method) -> None:
    table = numbers(task)
    turn = np.linalg.qr(np.random.default_rng(4).standard_normal((DONOR, DONOR)))[0].astype(np.float32)
    made = [method(donor=donor(t)).blend(task).fill(task.tables("input")) for t in (table, 1000 * table, table @ turn)]
    assert torch.allclose(made[0], made[1], rtol=1e-5, atol=1e-6)
    assert torch.allclose(made[0], made[2], rtol=1e-3, atol=1e-4)  # the turned table is rounded to fp32


@pytest.mark.parametrize("method", [Salt, Omp], ids=["salt", "omp"])
def test_a_donor_vector_equal_to_a_shared_one_returns_that_source_row(task: Task, donor: Make, method) -> None:
    table = numbers(task)
    token, (source, twin) = task.new[3], task.anchors[5]
    table[token] = table[twin]
    made = method(donor=donor(table)).blend(task).fill(task.tables("input"))
    assert torch.allclose(made[token], task.tables("input")[source], atol=1e-9)


def test_two_equal_donor_rows_count_half_each(task: Task, donor: Make) -> None:
    table = numbers(task)
    token, first, second = task.new[3], task.anchors[5], task.anchors[6]
    table[token] = table[second[1]] = table[first[1]]
    made = Salt(donor=donor(table)).blend(task).fill(task.tables("input"))
    assert torch.allclose(made[token], task.tables("input")[[first[0], second[0]]].mean(0), atol=1e-9)


def test_a_linear_relation_between_the_models_is_found(task: Task, donor: Make) -> None:
    """E_src = E_donor·W and rows that span the donor's space: every new row is e·W."""
    table = numbers(task, width=5)
    table += 4 * table[:1]  # all alike, so that the supports are longer than the space is wide
    w = np.random.default_rng(9).standard_normal((5, WIDTH))
    tables = torch.zeros(task.rows, WIDTH, dtype=torch.float64)
    tables[task.anchors[:, 0]] = torch.from_numpy(table[task.anchors[:, 1]].astype(np.float64) @ w)
    blend = Salt(donor=donor(table)).blend(task)
    spans = np.diff(blend.mix.indptr)[task.new] >= 5
    assert spans.mean() > 0.5
    made = blend.fill(tables).numpy()[task.new[spans]]
    assert np.allclose(made, table[task.new[spans]].astype(np.float64) @ w, rtol=1e-6, atol=1e-8)


def test_norm_match_gives_the_median_length_of_the_source(task: Task, donor: Make) -> None:
    blend = Salt(donor=donor(numbers(task)), norm="match").blend(task)
    for role in ("input", "output"):
        made, table = blend.fill(task.tables(role), role=role), task.tables(role)
        assert np.allclose(made[task.new].norm(dim=1), np.median(table.norm(dim=1)), rtol=1e-4)


def test_focus_is_convex_and_keeps_the_nearest(task: Task, donor: Make) -> None:
    blend = Focus(donor=donor(numbers(task))).blend(task)
    weights = blend.mix[task.new].toarray()
    assert (weights >= 0).all()
    assert np.allclose(weights.sum(1), 1)
    assert (blend.kind[task.new] == MIX).all()


def test_clp_weighs_all_shared_tokens_by_their_cosine(task: Task, donor: Make) -> None:
    table = numbers(task) + 1.0  # a common direction, so that cosines do not cancel
    blend = Clp(donor=donor(table)).blend(task)
    cosines = unit(table[task.new]) @ unit(table[task.anchors[:, 1]]).T
    wanted = (cosines / cosines.sum(1, keepdims=True)) @ task.tables("input").numpy()[task.anchors[:, 0]]
    assert np.allclose(blend.fill(task.tables("input")).numpy()[task.new], wanted, rtol=1e-4, atol=1e-5)


def test_wechsel_undoes_a_rotation_between_two_languages(task: Task, tmp_path: Path) -> None:
    """Target words are source words turned: with the dictionary each leans on its own translation most."""
    words = sorted({w for i in range(task.source.size) if (w := text_of(task.source.identity(i))).isalpha()})
    rng = np.random.default_rng(0)
    vectors, turn = rng.standard_normal((len(words), 12)), np.linalg.qr(rng.standard_normal((12, 12)))[0]
    for name, rows in (("source.vec", vectors), ("target.vec", vectors @ turn)):
        lines = [f"{len(words)} 12", *(" ".join([w, *map(str, row)]) for w, row in zip(words, rows, strict=True))]
        (tmp_path / name).write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "pairs.tsv").write_text("en\txx\n" + "".join(f"{w}\t{w}\n" for w in words), encoding="utf-8")
    method = Wechsel(source_vectors=str(tmp_path / "source.vec"), target_vectors=str(tmp_path / "target.vec"), dictionary=str(tmp_path / "pairs.tsv"))
    blend = method.blend(task)
    assert blend.report["dictionary"] == len(words)
    known = [i for i in range(task.target.size) if text_of(task.target.identity(i)) in words]
    assert known
    for i in known:
        best = max(blend.terms(i), key=lambda term: term[1])[0]
        assert text_of(task.source.identity(best)) == text_of(task.target.identity(i))


def test_hidden_tokens_are_found_again_where_there_is_something_to_find(task: Task, donor: Make, aids: Aids) -> None:
    table = numbers(task, width=8)
    w = np.random.default_rng(2).standard_normal((8, WIDTH))
    source = torch.randn(task.rows, WIDTH, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    source[task.anchors[:, 0]] = torch.from_numpy(table[task.anchors[:, 1]].astype(np.float64) @ w)
    known = Task(task.source, task.target, task.kept, task.rows, tables={"input": source}.__getitem__)
    place = donor(table)
    found = hidden_overlap(
        known, {"ridge": GlobalRidge(donor=place), "salt": Salt(donor=place), "focus": Focus(donor=place), "ofa": Ofa(multilingual=str(aids.vectors))}
    )
    score = {row["method"]: row for row in found if (row["script"], row["band"]) == ("all", "all")}
    assert score["ridge"]["cosine"] > 0.99
    assert score["ridge"]["mrr"] > 0.95
    assert score["salt"]["cosine"] > score["focus"]["cosine"] > score["ofa"]["cosine"]
    assert score["salt"]["low"] <= score["salt"]["cosine"] <= score["salt"]["high"]
    assert {row["script"] for row in found} > {"all"}
    for one in ("script", "band"):
        assert sum(row["tokens"] for row in found if row["method"] == "salt" and row[one] != "all") == score["salt"]["tokens"]


def test_a_hidden_token_is_not_told(task: Task, donor: Make, aids: Aids) -> None:
    """Neither as its own pieces nor as a twin that copies the same source row."""
    table = numbers(task)
    bare = np.where(np.arange(len(table))[:, None] % 3 == 0, 0, table)  # a third of the tokens is unknown to the donor
    found = hidden_overlap(task, {"salt": Salt(donor=donor(bare), fallback="subtokens")})
    assert found[0]["cosine"] < 0.5
    chosen = task.anchors[:4, 1]
    twin = task.new[0]
    kept = task.kept.copy()
    kept[twin] = kept[chosen[0]]
    twins = Task(task.source, task.target, kept, task.rows).hiding(chosen)
    assert not set(twins.anchors[:, 0]) & set(twins.off_limits)
    assert twin not in twins.anchors[:, 1]


def test_more_support_than_the_donor_is_wide() -> None:
    rng = np.random.default_rng(0)
    queries, anchors = rng.standard_normal((3, 10)), rng.standard_normal((40, 10))
    support = Support(np.array([0, 40, 80, 120]), np.tile(np.arange(40), 3), np.zeros(120))
    found = combine_rows(queries, anchors, support)
    assert found.by_svd == 0
    assert np.allclose(found.coefficients.reshape(3, 40), queries @ np.linalg.pinv(anchors), atol=1e-10)
    anchors[:, 9] = anchors[:, 8]
    flat = combine_rows(queries, anchors, support)
    assert flat.by_svd == 3
    assert np.allclose(flat.coefficients.reshape(3, 40), queries @ np.linalg.pinv(anchors), atol=1e-8)


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (Salt(), "salt needs a donor"),
        (Omp(), "omp needs a donor"),
        (Clp(), "clp needs a donor"),
        (Focus(), "focus needs word vectors or a donor"),
        (Ofa(), "ofa needs multilingual vectors"),
        (Wechsel(), "wechsel needs source vectors"),
        (Wechsel(source_vectors="a.vec", target_vectors="b.vec"), "wechsel needs dictionary"),
        (Focus(vectors="nowhere.vec"), "no file nowhere.vec"),
        (Salt(donor="demo:ru-plmm"), "Did you mean"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_unmet_need_is_one_error_that_names_it(task: Task, method, said: str) -> None:
    with pytest.raises(WorkbenchError, match=said):
        method.blend(task)


def test_bad_donors_and_vectors(task: Task, donor: Make, aids: Aids, tmp_path: Path) -> None:
    spoilt = numbers(task)
    spoilt[7] = np.nan
    with pytest.raises(WorkbenchError, match="hold NaN"):
        Salt(donor=donor(spoilt)).blend(task)
    none = Task(task.source, task.target, np.full(len(task.kept), -1), task.rows)
    with pytest.raises(WorkbenchError, match="share no token"):
        Salt(donor=donor(numbers(task))).blend(none)
    (tmp_path / "foreign.vec").write_text("2 3\nqqqq 1 2 3\nwwww 1 2 4\n")
    with pytest.raises(WorkbenchError, match="know none of the tokens"):
        Focus(vectors=str(tmp_path / "foreign.vec")).blend(task)
    (tmp_path / "cut.vec").write_text("2 3\na 1 2 3\nb 1\n")
    with pytest.raises(WorkbenchError, match="Line 3"):
        Focus(vectors=str(tmp_path / "cut.vec")).blend(task)
    (tmp_path / "short.vec").write_text("9 3\na 1 2 3\n")
    with pytest.raises(WorkbenchError, match="ends after 1 of 9 words"):
        Focus(vectors=str(tmp_path / "short.vec")).blend(task)
    packed = gzip.compress(b"2 3\na 1 2 3\nb 1 2 3\n")
    for name, raw in (("cut.vec.gz", packed[:-6]), ("plain.vec.gz", b"2 3\na 1 2 3\n"), ("spoilt.vec.gz", packed[:12] + b"\xff" * 8 + packed[20:])):
        (tmp_path / name).write_bytes(raw)
        with pytest.raises(WorkbenchError, match="cannot be read to its end"):
            Focus(vectors=str(tmp_path / name)).blend(task)
    (tmp_path / "nan.vec").write_text("1 3\na 1 2 nan\n")
    with pytest.raises(WorkbenchError, match="no number"):
        Focus(vectors=str(tmp_path / "nan.vec")).blend(task)
    (tmp_path / "wide.vec").write_text("3 2\na 1 2\nb 3 4\nt 1 1\n")
    (tmp_path / "pairs.tsv").write_text("x\ty\na\ta\nb\tb\n")
    with pytest.raises(WorkbenchError, match="7 and 2 dimensions"):
        Wechsel(source_vectors=str(aids.vectors), target_vectors=str(tmp_path / "wide.vec"), dictionary=str(tmp_path / "pairs.tsv")).blend(task)
    (tmp_path / "donor" / "model.safetensors").unlink()
    with pytest.raises(WorkbenchError, match="holds no weights"):
        Salt(donor=str(tmp_path / "donor")).blend(task)
