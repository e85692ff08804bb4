"""One generation, pulled token by token by whoever reads it, and sampled by a generator of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    StoppingCriteriaList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from ..errors import WorkbenchError
from .choices import ALTERNATIVES, Choice
from .loading import Chatter

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from .replying import Sampling


class Watch(LogitsProcessor):
    """Keeps a step's scores as the model gave them, before sampling bends them; raises WorkbenchError where they are no numbers."""

    def __init__(self, name: str, prompt: int) -> None:
        self.name, self.prompt = name, prompt
        self.scores: torch.Tensor | None = None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if scores.isnan().any():
            raise WorkbenchError(
                f"{self.name} gives no numbers (NaN) at token {input_ids.shape[1] - self.prompt + 1} of its reply; its weights are damaged, or too large for "
                "the number format: try fp32, or another checkpoint."
            )
        self.scores = scores
        return scores

    def choice(self, token: int) -> Choice:
        """The token that was chosen, its probability, and the likeliest ones."""
        sure = self.scores[0].float().log_softmax(-1)
        best = sure.topk(min(ALTERNATIVES, len(sure)))
        logs = torch.cat([sure[token : token + 1], best.values]).clamp(min=-1e4).tolist()  # a forbidden token is at minus infinity, which no JSON has
        return Choice(token, logs[0], tuple(zip(best.indices.tolist(), logs[1:], strict=True)))


class Gumbel(LogitsProcessor):
    """Noise that turns the likeliest token into a sample: greedy choice then draws from the softmax of the scores.

    `generate(do_sample=True)` would draw from torch's global generator, which two replies at once share.
    """

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        noise = torch.empty(scores.shape).exponential_(generator=self.generator).clamp(min=1e-20).log().neg()
        return scores.float() + noise.to(scores.device)


def generate(chatter: Chatter, ids: list[int], options: Sampling) -> Iterator[Choice]:
    """The reply to the prompt `ids`, computed as it is asked for. Raises WorkbenchError where the model gives no numbers."""
    prompt = torch.tensor([ids], device=chatter.model.device)
    pad = chatter.tokenizer.pad_token_id
    watch = Watch(chatter.name, len(ids))
    with torch.inference_mode():
        tokens = chatter.model.generate(
            prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=min(options.max_tokens, chatter.context - len(ids)),
            logits_processor=LogitsProcessorList([watch, *sampling(options)]), custom_generate=pulled,
            pad_token_id=pad if pad is not None else min(chatter.eos_ids, default=0),
        )  # fmt: skip
    for token in tokens:
        yield watch.choice(token)


def pulled(
    model: PreTrainedModel, input_ids: torch.Tensor, logits_processor: LogitsProcessorList, stopping_criteria: StoppingCriteriaList, **given: Any
) -> Iterator[int]:
    """The decoding loop for `generate`, which prepares the cache, the processors and the criteria: greedy, and a token only when one is asked for.

    The library's own loop pushes its tokens into a streamer, so it needs a thread beside the reader's. On two cores that thread costs 11 % of a billion
    weights' time and 20–40 % of the demo's: libgomp lets its threads sleep at each operation once there are two teams, and the reader takes the interpreter's
    lock at each token.
    """
    fresh, done = input_ids, False
    unused = {"generation_config", "attention_mask", "position_ids"}  # one prompt has no padding, and the cache knows how far it is
    given = {name: value for name, value in given.items() if name not in unused}
    while not done:
        with torch.inference_mode():
            logits = model(fresh, **given, return_dict=True).logits[:, -1]
            scores = logits_processor(input_ids, logits.to(torch.float32, copy=True))
            fresh = scores.argmax(-1, keepdim=True)
            input_ids = torch.cat([input_ids, fresh], dim=-1)
            done = bool(stopping_criteria(input_ids, scores).all())
            token = int(fresh)
        yield token


def sampling(options: Sampling) -> LogitsProcessorList:
    """How scores become a choice: the penalty for what was said; then nothing for greedy, else temperature, the three cuts, and noise."""
    bent = [RepetitionPenaltyLogitsProcessor(options.repetition_penalty)] if options.repetition_penalty != 1 else []
    if options.temperature == 0:
        return LogitsProcessorList(bent)
    cuts = [(options.top_k, TopKLogitsWarper), (options.top_p if options.top_p < 1 else 0, TopPLogitsWarper), (options.min_p, MinPLogitsWarper)]
    narrowed = [warper(value) for value, warper in cuts if value]
    return LogitsProcessorList([*bent, TemperatureLogitsWarper(options.temperature), *narrowed, Gumbel(options.seed)])
