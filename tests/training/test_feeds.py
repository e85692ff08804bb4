"""What a stage reads: pairs in both directions, shares that are heeded, passes that are counted, batches one can look at."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench.__main__ import main
from workbench.corpus import open_parallel
from workbench.errors import WorkbenchError
from workbench.tokenizer import load
from workbench.training import Align, Instruct, first_batch
from workbench.training.data import IGNORE
from workbench.training.feeds import PAIR, endless, paired, pairs_feed, passes, text_feed
from workbench.training.running import opened, reading

PAIRS = [(f"{n} {a}", f"{n} {b}") for n in range(30) for a, b in zip(tiny.ENGLISH, tiny.RUSSIAN, strict=True)]
QUICK = {"steps": 4, "batch_size": 3, "block": 64, "warmup_steps": 1, "eval_every": 2, "eval_documents": 5, "device": "cpu", "dtype": "fp32"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.folder(tmp_path_factory.mktemp("model"), chat=True)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "pairs.tsv").write_text("en\tru\n" + "\n".join("\t".join(pair) for pair in PAIRS), encoding="utf-8")
    (tmp_path / "ru.txt").write_text("\n".join(b for _, b in PAIRS), encoding="utf-8")
    (tmp_path / "en.txt").write_text("\n".join(a for a, _ in PAIRS), encoding="utf-8")
    return {"pairs": str(tmp_path / "pairs.tsv"), "text": str(tmp_path / "ru.txt"), "source_text": str(tmp_path / "en.txt")}


@given(st.text(), st.text())
def test_a_pair_is_written_as_the_template_says_whatever_is_in_it(first: str, second: str) -> None:
    assert paired(PAIR, ("en", first), ("ru", second)) == f"en: {first}\nru: {second}"


def test_pairs_are_whole_ended_and_in_both_directions_by_the_seed(place: Path, files: dict[str, str]) -> None:
    tokens = load(place)
    pairs = open_parallel(files["pairs"])
    feed = pairs_feed(tokens, pairs, PAIR, seed=1)
    found = [tokens.decode(d.ids) for d in feed.documents(0)]
    train = list(pairs.train)
    both = {f"<s>en: {a}\nru: {b}</s>" for a, b in train} | {f"<s>ru: {b}\nen: {a}</s>" for a, b in train}
    assert set(found) <= both
    assert len(found) == len(set(found)) == len(train)
    forward = sum(text.startswith("<s>en") for text in found)
    assert 0.3 < forward / len(found) < 0.7
    assert all(d.whole and d.ids == d.labels for d in feed.documents(0))
    assert found == [tokens.decode(d.ids) for d in feed.documents(0)]
    assert found != [tokens.decode(d.ids) for d in feed.documents(1)]
    assert found != [tokens.decode(d.ids) for d in pairs_feed(tokens, pairs, PAIR, seed=2).documents(0)]


def test_alignment_takes_pairs_alone_and_measures_both_sides(place: Path, files: dict[str, str]) -> None:
    made = wb.run(Align(model=str(place), pairs=files["pairs"], **QUICK))
    assert set(made.metrics["bits_per_byte"]) == {"target", "source"}
    sides = open_parallel(files["pairs"]).held_out.take(5)
    ready = opened(Align(model=str(place), pairs=files["pairs"], **QUICK))
    assert ready.data.held_out == {"target": [b for _, b in sides], "source": [a for a, _ in sides]}


def test_text_pairs_and_source_text_have_their_shares(place: Path, files: dict[str, str]) -> None:
    ready = opened(Align(model=str(place), **files, **QUICK, source_share=0.2, pairs_share=0.25))
    assert [feed.share for feed in ready.data.feeds] == pytest.approx([0.6, 0.2, 0.2])
    assert "ru.txt" in ready.data.feeds[0].name
    with pytest.raises(WorkbenchError, match="needs 'text' or 'pairs'"):
        opened(Align(model=str(place), **QUICK))
    with pytest.raises(WorkbenchError, match=r"needs \{first\} and \{second\}"):
        Align(model=str(place), pairs=files["pairs"], pair_template="{first} is")


def test_passes_are_those_of_the_first_source(place: Path) -> None:
    tokens = load(place)
    texts = [[line for line, _ in PAIRS], [line for _, line in PAIRS]]
    made = [text_feed(tokens, text, n, 0, share) for n, (text, share) in enumerate(zip(texts, (0.75, 0.25), strict=True))]
    one = len(list(made[0].blocks(32, 0)))
    assert passes(made[0], 32, 0, 1, 1.0) == -(-one * 4 // 3)
    assert passes(made[0], 32, 0, 4, 0.5) == -(-one * 4 // 3 // 2 // 4)
    assert passes(made[0], 32, 0, 10**9, 1.0) == 1


@settings(deadline=None, max_examples=20)
@given(st.integers(8, 64), st.integers(0, 5))
def test_the_order_is_the_seed_s(place: Path, block: int, seed: int) -> None:
    tokens = load(place)

    def first(seed: int) -> list[dict]:
        return list(islice(endless([text_feed(tokens, [line for line, _ in PAIRS], 0, seed)], block, 2, seed), 5))

    assert first(seed) == first(seed) != first(seed + 1)


@pytest.mark.parametrize("stage", ["align", "instruct"])
def test_the_first_batch_is_what_is_trained_on(place: Path, files: dict[str, str], tmp_path: Path, stage: str) -> None:
    rows = [{"instruction": a, "output": b} for a, b in PAIRS]
    (tmp_path / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    align = Align(model=str(place), text=files["text"], **QUICK)
    step = align if stage == "align" else Instruct(model=str(place), instructions=str(tmp_path / "rows.json"), **QUICK)
    batch, blocks = first_batch(step), list(islice(reading(step, opened(step))(), step.batch_size))
    assert batch.tokens == 3 * 64
    for n, block in enumerate(blocks):
        mine = [seen for seen in batch.documents if seen.block == n]
        ids = [i for seen in mine for i in seen.ids]
        assert block["input_ids"][: len(ids)] == ids
        assert set(block["labels"][len(ids) :]) <= {IGNORE}
        assert [label != IGNORE for label in block["labels"][: len(ids)]] == [counts for seen in mine for counts in seen.learnt]
        assert all(not seen.learnt[0] and len(seen.tokens) == len(seen.ids) for seen in mine)
    assert batch.padding == batch.tokens - sum(len(seen.ids) for seen in batch.documents)
    assert batch.learnt == sum(label != IGNORE for block in blocks for label in block["labels"])


def test_the_preview_is_a_command_that_makes_nothing(place: Path, files: dict[str, str], capsys: pytest.CaptureFixture) -> None:
    before = wb.store.artefacts()
    assert main(["train", "preview", "--model", str(place), "--pairs", files["pairs"], "--block", "64", "--batch-size", "2", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["id"] is None
    assert made["metrics"]["tokens"] == 128
    assert made["metrics"]["rows"][0]["sees"].endswith("</s>")
    assert wb.store.artefacts() == before
