"""How the demo's base model learns what goes with what: made-up languages, each until it is mastered, in two layers and then in all."""

from __future__ import annotations

from dataclasses import asdict, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..progress import Progress
from ..training.data import IGNORE, pack, stream
from ..training.fitting import Fit, Settings, fit
from . import rows
from .growing import deepened
from .pairs import DEEP, SHALLOW, Difficulty

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MASTERED = 0.95  # share of asked tokens that are right, of either kind of question; the step at which a circuit forms differs by hundreds between seeds
LOOK = 25  # steps between two looks
ASKED = 60  # documents of a look


def taught(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, layers: int, seed: int, scale: float, progress: Progress
) -> tuple[PreTrainedModel, list[dict[str, Any]]]:
    """Take a model of two layers through the languages of `pairs`, giving it the other `layers` on the way.

    Returns the grown model and what each language took: a language that is not mastered in its steps is left behind for the next. Raises Stopped.
    """
    curriculum = [*SHALLOW, *DEEP]
    stages: list[dict[str, Any]] = []
    for n, (most, how) in enumerate(curriculum):
        if n == len(SHALLOW):
            model = deepened(model, layers)
        rate = 5e-3 if n < len(SHALLOW) else 4e-3
        done, share = mastered(model, tokenizer, how, max(round(most * scale), 1), rate, seed, progress.part(n / len(curriculum), (n + 1) / len(curriculum)))
        stages.append({**asdict(how), "steps": done.steps, "loss": done.loss, "known": share})
        progress.check()
    return model, stages


def mastered(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, how: Difficulty, most: int, rate: float, seed: int, progress: Progress
) -> tuple[Fit, float]:
    """Train on one language until it is mastered, at most for so many steps; with what share is known in the end."""
    shares = [0.0]
    asked = progress.part(0, 1)
    asked.stopping = asked.leaving = lambda: shares[-1] >= MASTERED or progress.stopping()
    settings = Settings(
        steps=most, batch_size=4, learning_rate=rate, warmup_steps=50, schedule="constant", weight_decay=0.02, optimizer="muon", seed=seed, dtype="fp32"
    )
    blocks = stream(lambda: pack(rows.made_up(tokenizer, how, seed), rows.BLOCK, tokenizer.pad_token_id))

    def look(step: int) -> None:
        shares.append(known(model, tokenizer, how, seed))
        progress.metric(step=step, known=shares[-1])

    done = fit(model, blocks, settings, asked, every=LOOK, hook=look)
    if not progress.stopping():
        progress.note(f"{how}: {shares[-1]:.2f} known after {done.steps} steps.")
    return done, shares[-1]


def known(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, how: Difficulty, seed: int) -> float:
    """Share of asked tokens the model puts first: of the kind of question it knows less well, where there are two."""
    return min(_right(model, tokenizer, replace(how, back=back), seed) for back in ([0.0, 1.0] if how.back else [0.0]))


def _right(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, how: Difficulty, seed: int) -> float:
    import torch

    good = total = 0
    with torch.inference_mode():
        for document in islice(rows.made_up(tokenizer, how, seed, "validation"), ASKED):
            told = model(input_ids=torch.tensor([document.ids])).logits[0, :-1].argmax(-1)
            labels = torch.tensor(document.labels)[1:]
            good, total = good + int((told == labels)[labels != IGNORE].sum()), total + int((labels != IGNORE).sum())
    return round(good / total, 4)
