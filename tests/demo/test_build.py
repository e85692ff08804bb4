"""The demo builds itself, from nothing, and goes on where it ended."""

from __future__ import annotations

import json
import unicodedata
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

import workbench as wb
from workbench.demo.build import STAGES, Build
from workbench.demo.pairs import DEEP, SHALLOW
from workbench.demo.rows import BLOCK, RETOLD, blend, blocks, retellings
from workbench.demo.tokenizers import MARKS, TEMPLATE, base_tokenizer, plm_tokenizer
from workbench.demo.world import facts
from workbench.errors import Stopped, WorkbenchError
from workbench.progress import Event, Progress

SCALE = 0.001


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole build, of a few steps per model."""
    place = tmp_path_factory.mktemp("demo")
    wb.demo.build.Build(out=str(place), scale=SCALE).run(place, Progress())
    return place


def test_every_model_opens_as_other_tools_open_it(place: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

    assert sorted(p.name for p in place.iterdir()) == sorted(STAGES)
    for name in STAGES:
        model = (AutoModelForMaskedLM if name.endswith("plm") else AutoModelForCausalLM).from_pretrained(place / name)
        assert str(model.dtype) == "torch.float16"
        assert len(AutoTokenizer.from_pretrained(place / name)) == model.config.vocab_size
        about = json.loads((place / name / "build.json").read_text(encoding="utf-8"))
        assert {"name", "seed", "data", "settings", "steps", "tokens", "seconds", "loss", "scores", "versions"} <= set(about)
    tokens = AutoTokenizer.from_pretrained(place / "en-chat")
    generation = json.loads((place / "en-chat" / "generation_config.json").read_text(encoding="utf-8"))
    assert tokens.convert_ids_to_tokens(generation["eos_token_id"]) == ["<|end|>", "<eos>"]
    assert tokens.convert_ids_to_tokens(generation["pad_token_id"]) == "<pad>"
    assert sum(p.stat().st_size for p in place.rglob("*")) < 20e6


def test_what_is_there_is_kept(place: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in place.rglob("*")}
    notes: list[Event] = []
    report = wb.run(Build(out=str(place), scale=SCALE), Progress(notes.append))
    assert {p: p.stat().st_mtime_ns for p in place.rglob("*")} == before
    assert [e.message for e in notes] == [f"{name} is there already and is kept." for name in STAGES]
    assert set(report.metrics["models"]) == set(STAGES)


def _stopped_after(metrics: int, **given: Any) -> None:
    """Run a build until it has reported so many rows of curves."""
    seen: list[Event] = []
    with pytest.raises(Stopped, match="goes on from here"):
        wb.run(Build(**given), Progress(seen.append, lambda: sum(e.kind == "metric" and "loss" in e.data for e in seen) >= metrics))


def _gone_on_with(**given: Any) -> list[str]:
    """Run a build to its end; returns what it says it did not do again."""
    seen: list[Event] = []
    wb.run(Build(**given), Progress(seen.append))
    return [e.message for e in seen if e.kind == "note" and ("before" in e.message or "Going on from step" in e.message)]


def test_a_stopped_model_is_no_model_and_ends_as_one_that_was_not_stopped(place: Path, tmp_path: Path) -> None:
    given = {"out": str(tmp_path), "only": "ru-plm", "scale": SCALE}
    _stopped_after(1, **given)
    assert [p.name for p in tmp_path.iterdir()] == [f".work-ru-plm-0-{SCALE:g}"]
    assert len(_gone_on_with(**given)) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["ru-plm"]
    assert (tmp_path / "ru-plm" / "model.safetensors").read_bytes() == (place / "ru-plm" / "model.safetensors").read_bytes()


def test_the_base_goes_on_in_the_training_in_which_it_was(place: Path, tmp_path: Path) -> None:
    about = json.loads((place / "en-base" / "build.json").read_text(encoding="utf-8"))
    given = {"out": str(tmp_path), "only": "en-base", "scale": SCALE}
    before = len(SHALLOW) + len(DEEP) + len(about["first"]["loss"])  # rows: a made-up language has one step here, and so one row
    _stopped_after(before + 1, **given)
    pairs, first, again = _gone_on_with(**given)
    assert pairs == "The pairs were learnt before."
    assert first.startswith(f"Going on from step {about['first']['steps']},")
    assert again.startswith("Going on from step ")
    assert (tmp_path / "en-base" / "model.safetensors").read_bytes() == (place / "en-base" / "model.safetensors").read_bytes()


def test_chat_needs_its_base(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match="--only en-base first"):
        wb.run(Build(out=str(tmp_path), only="en-chat"))


def test_the_base_tokenizer_is_made_for_english() -> None:
    tokens = base_tokenizer(size=1024, scale=0.1)
    again = base_tokenizer(size=1024, scale=0.1)
    assert tokens.get_vocab() == again.get_vocab()
    counts = {lang: [len(tokens.tokenize(t)) / len(t.split()) for t in wb.corpus.open(f"demo:{lang}").held_out.take(50)] for lang in ("en", "ru", "fa")}
    mean = {lang: sum(c) / len(c) for lang, c in counts.items()}
    assert mean["en"] < 2
    assert min(mean["ru"], mean["fa"]) > 1.5 * mean["en"]
    for text in ("Где живёт Анна?", "می‌خواهد", "  two  spaces\n", "日本 🐻"):
        assert tokens.decode(tokens(text, add_special_tokens=False)["input_ids"]) == text


@pytest.mark.parametrize("lang", ["ru", "fa"])
def test_encoder_tokenizers_lose_nothing(lang: str) -> None:
    tokens = plm_tokenizer(lang, size=600, scale=0.05)
    for text in ("Где живёт Анна?", "می‌خواهد", "  two  spaces\n\tx", " leading", "trailing ", "日本 🐻", "«Да», — сказал он…\r\nНет؟!"):
        assert tokens.decode(tokens(text, add_special_tokens=False)["input_ids"]) == text
    marks = {token: {"P" if c == "\n" else unicodedata.category(c)[0] for c in token} for token in tokens.get_vocab() if token[0] != "<"}
    mixed = [token for token, kinds in marks.items() if kinds >= {"L", "P"}]
    assert not mixed, "words have their punctuation in them, or the line after"


def test_rows_are_decided_by_the_seed_and_of_every_kind() -> None:
    tokens = base_tokenizer(size=1024, scale=0.1)
    phases = [(5, {"retellings": 0.5, "pairs": 0.5}, {"en": 1.0}), (0, {"interviews": 0.5, "chats": 0.5}, {"ru": 0.5, "fa": 0.5})]

    def first(seed: int, count: int = 30) -> list[dict]:
        stream = blend(tokens, phases, seed)()
        return [next(stream) for _ in range(count)]

    assert first(0) == first(0) != first(1)
    assert all(len(b["input_ids"]) == len(b["labels"]) == BLOCK for b in first(0))
    story = next(blocks(tokens, "stories", "ru", 0))
    answered = next(blocks(tokens, "interviews", "ru", 0))
    share = [sum(i >= 0 for i in b["labels"]) / BLOCK for b in (story, answered)]
    assert share[0] > 0.9
    assert 0.1 < share[1] < 0.6


@pytest.mark.parametrize("lang", ["en", "ru", "fa"])
def test_what_is_told_again_was_told(lang: str) -> None:
    word_for_word = 0
    for (told, _), *again in islice(retellings(lang, "train", 3), 200):
        people = [name for name in facts.PEOPLE if name.title() in told] if lang == "en" else []
        lines = [text for text, _ in again if text != "\n"]
        assert len(lines) == RETOLD
        assert all(loss for _, loss in again)
        word_for_word += all(line in told for line in lines)
        assert all(name in people for name in facts.PEOPLE if lang == "en" and name.title() in " ".join(lines).split())
    assert 70 < word_for_word < 160


def test_the_shipped_chat_model_has_the_tables_of_its_base_but_for_the_marks() -> None:
    from workbench import refs, tokenizer
    from workbench.checkpoint import Checkpoint

    base, chat = (Checkpoint.open(refs.locate(f"demo:{name}")).input() for name in ("en-base", "en-chat"))
    learnt = (base != chat).any(1).nonzero().flatten().tolist()
    assert tokenizer.load(refs.locate("demo:en-chat")).convert_ids_to_tokens(learnt) == list(MARKS)
    assert all(tokenizer.load(refs.locate(f"demo:{name}")).chat_template == TEMPLATE for name in ("en-base", "en-chat", "multi-base"))


def test_the_shipped_models_are_small_and_as_good_as_they_say() -> None:
    from workbench import refs
    from workbench.demo.measure import lookup
    from workbench.models import open_model as load

    shipped = refs.demo_folder()
    assert sum(p.stat().st_size for p in shipped.rglob("*")) < 20e6
    for name, chat in (("en-base", False), ("en-chat", True)):
        about = json.loads((shipped / name / "build.json").read_text(encoding="utf-8"))
        model, tokens = load(f"demo:{name}", "cpu")
        for lang in ("en", "ru", "fa"):
            assert lookup(model, tokens, lang, 100, chat=chat) == pytest.approx(about["scores"][lang]["exact_match"], abs=0.15)
