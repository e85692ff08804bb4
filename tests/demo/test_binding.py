"""Each made-up language is learnt until it is mastered, and a stop of the user's ends all of them."""

from __future__ import annotations

from typing import Any

import pytest

from workbench.demo import binding
from workbench.demo.pairs import DEEP, SHALLOW, Difficulty
from workbench.errors import Stopped
from workbench.progress import Event, Progress


@pytest.fixture
def shallow() -> tuple[Any, Any]:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    from workbench.demo.tokenizers import base_tokenizer

    tokenizer = base_tokenizer(size=600, scale=0.05)
    config = Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2, head_dim=8,
        tie_word_embeddings=True,
    )  # fmt: skip
    return Qwen3ForCausalLM(config), tokenizer


def test_a_language_ends_when_it_is_mastered(shallow: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    shares = iter([0.5, 0.96])
    monkeypatch.setattr(binding, "LOOK", 2)
    monkeypatch.setattr(binding, "known", lambda *_: next(shares))
    done, known = binding.mastered(*shallow, Difficulty(words=20, kinds=True), 50, 1e-3, 0, Progress())
    assert done.steps in (4, 5)  # the look at step 4 ends it, or the next report after that
    assert known == 0.96


def test_one_that_is_not_mastered_takes_all_its_steps(shallow: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binding, "LOOK", 2)
    done, known = binding.mastered(*shallow, Difficulty(words=20, kinds=True, back=0.5), 5, 1e-3, 0, Progress())
    assert (done.steps, done.ended) == (5, "steps")
    assert known < binding.MASTERED


def test_all_languages_come_in_turn_and_the_model_grows(shallow: tuple[Any, Any]) -> None:
    model, stages = binding.taught(*shallow, layers=3, seed=0, scale=0.001, progress=Progress())
    assert [stage["steps"] for stage in stages] == [1] * (len(SHALLOW) + len(DEEP))
    assert model.config.num_hidden_layers == 3


def test_a_stop_of_the_user_ends_all(shallow: tuple[Any, Any]) -> None:
    seen: list[Event] = []
    with pytest.raises(Stopped):
        binding.taught(*shallow, layers=3, seed=0, scale=0.1, progress=Progress(seen.append, lambda: any(e.kind == "metric" for e in seen)))
    assert not [e for e in seen if e.kind == "note"]  # which says that one is done
