"""The loss without logits: the same numbers and gradients, only where a model's loss is of that kind, and only while it trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from trained import counting, fresh, quick, state
from transformers import AutoConfig, AutoModelForCausalLM, LlamaForCausalLM

from workbench.training import losses
from workbench.training.fitting import fit
from workbench.training.rising import Rising

pytestmark = pytest.mark.skipif(not hasattr(torch.nn.functional, "linear_cross_entropy"), reason="this torch has no chunked cross-entropy")
IDS = torch.randint(5, 200, (3, 40), generator=torch.Generator().manual_seed(0))


def gradients(model: Any, labels: torch.Tensor, **given: Any) -> tuple[float, dict[str, torch.Tensor]]:
    model.zero_grad()
    loss = model(input_ids=IDS, labels=labels, **given).loss
    loss.backward()
    return loss.item(), {name: p.grad.clone() for name, p in model.named_parameters()}


@pytest.mark.parametrize("given", [{}, {"num_items_in_batch": torch.tensor(50)}])
def test_loss_and_gradients_are_the_same(tmp_path: Path, given: dict) -> None:
    model = fresh(tmp_path / "model")
    labels = IDS.where(IDS % 3 > 0, -100)
    plain, wanted = gradients(model, labels, **given)
    made = losses.chunked(model)
    with made.active():
        ours, got = gradients(model, labels, **given)
    assert ours == pytest.approx(plain, rel=1e-5)
    for name in wanted:
        torch.testing.assert_close(got[name], wanted[name], rtol=1e-4, atol=1e-6)


def test_outside_it_gives_logits_as_before_and_after_it_is_as_it_was(tmp_path: Path) -> None:
    model = fresh(tmp_path / "model")
    before = model(input_ids=IDS, labels=IDS)
    made = losses.chunked(model)
    assert torch.equal(model(input_ids=IDS, labels=IDS).logits, before.logits)
    with made.active():
        assert model(input_ids=IDS, labels=IDS).logits.shape == (3, 40, 16), "hidden states in place of logits"
    made.undo()
    assert torch.equal(model(input_ids=IDS, labels=IDS).loss, before.loss)


def test_fit_learns_the_same_with_it(tmp_path: Path) -> None:
    ends, curves = [], []
    for chunked in ("on", "off"):
        model: LlamaForCausalLM = fresh(tmp_path / "model")
        curves.append([row["loss"] for row in fit(model, counting(), quick(chunked=chunked)).rows])
        ends.append(state(model))
    assert curves[0] == pytest.approx(curves[1], rel=1e-4)
    assert any(not torch.equal(ends[0][k], ends[1][k]) for k in ends[0]), "it was another computation"


def test_logits_that_are_changed_before_the_loss_keep_the_usual_one() -> None:
    config = AutoConfig.for_model(
        "gemma2", vocab_size=300, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, head_dim=8,
        final_logit_softcapping=0.5, pad_token_id=0,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(config)
    before = model(input_ids=IDS, labels=IDS).loss
    assert losses.chunked(model) is None
    assert torch.equal(model(input_ids=IDS, labels=IDS).loss, before)


def test_a_wrapped_head_keeps_the_usual_one(tmp_path: Path) -> None:
    from peft import TrainableTokensConfig, get_peft_model

    model = get_peft_model(fresh(tmp_path / "model"), TrainableTokensConfig(target_modules=["lm_head"], token_indices=[3]))
    assert losses.chunked(model) is None


def test_recomputed_activations_change_nothing(tmp_path: Path) -> None:
    curves = []
    for again in (False, True):
        model = fresh(tmp_path / "model")
        curves.append([row["loss"] for row in fit(model, counting(), quick(gradient_checkpointing=again)).rows])
        assert not model.is_gradient_checkpointing
    assert curves[0] == curves[1]


def test_a_rise_is_said_once_and_noise_is_none() -> None:
    watch = Rising("loss", by=0.5, advice="lower the learning rate")
    falling = [5 - 0.1 * n + (0.8 if n % 4 == 0 else 0) for n in range(30)]
    assert not any(watch.see(n, value) for n, value in enumerate(falling))
    said = [word for n in range(30, 50) if (word := watch.see(n, 4.0))]
    assert len(said) == 1
    assert said[0].startswith("The loss has risen from 2.")
    assert said[0].endswith("lower the learning rate.")
