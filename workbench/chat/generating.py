"""One generation, pulled token by token by whoever reads it, and sampled by a generator of its own."""

from __future__ import annotations

import math
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

LEAST = -1e4  # logarithm of a probability


class Watch(LogitsProcessor):
    """Keeps a step's scores as the model gave them, before sampling bends them."""

    scores: torch.Tensor

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self.scores = scores
        return scores

    def choice(self, token: int) -> Choice:
        """The token that was chosen, its probability, and the likeliest ones; a forbidden one is at minus infinity, which no JSON has."""
        sure = self.scores[0].log_softmax(-1)
        best = sure.topk(min(ALTERNATIVES, len(sure)))
        own, *logs = [max(log, LEAST) for log in (float(sure[token]), *best.values.tolist())]  # NaN stays NaN, as it stands first
        return Choice(token, own, tuple(zip(best.indices.tolist(), logs, strict=True)))


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
    watch = Watch()
    with torch.inference_mode():
        tokens = chatter.model.generate(
            prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=min(options.max_tokens, chatter.context - len(ids)), do_sample=False, num_beams=1,
            use_cache=True, logits_processor=LogitsProcessorList([watch, *sampling(options)]), custom_generate=pulled,
            pad_token_id=pad if pad is not None else min(chatter.eos_ids, default=0),
        )  # fmt: skip
    for number, token in enumerate(tokens, 1):
        with torch.inference_mode():
            choice = watch.choice(token)
        if math.isnan(choice.log):
            raise WorkbenchError(
                f"{chatter.name} gives no numbers (NaN) at token {number} of its reply; its weights are damaged, or too large for the number format: "
                "try fp32, or another checkpoint."
            )
        yield choice


def pulled(
    model: PreTrainedModel, input_ids: torch.Tensor, logits_processor: LogitsProcessorList, stopping_criteria: StoppingCriteriaList, **given: Any
) -> Iterator[int]:
    """The decoding loop for `generate`, which prepares the cache, the processors and the criteria: greedy, and a token only when one is asked for.

    The library's own loop, of which this is the greedy part, pushes its tokens into a streamer, so it needs a thread beside the reader's. On two cores that
    thread costs 11 % of a billion weights' time and 20 to 40 % of the demo's: libgomp lets its threads sleep at each operation once there are two teams, and
    the reader takes the interpreter's lock at each token.
    """
    given = {name: value for name, value in given.items() if name != "generation_config"}
    first, done = True, False
    while not done:
        with torch.inference_mode():
            newest = None if first or not given["use_cache"] else 1
            asked = model.prepare_inputs_for_generation(input_ids, next_sequence_length=newest, is_first_iteration=first, **given)
            outputs = model(**asked, return_dict=True)
            given = model._update_model_kwargs_for_generation(outputs, given)
            scores = logits_processor(input_ids, outputs.logits[:, -1].to(torch.float32, copy=True))
            token = scores.argmax(-1, keepdim=True)
            input_ids = torch.cat([input_ids, token], dim=-1)
            first, done = False, bool(stopping_criteria(input_ids, scores).all())
            del outputs, asked  # the logits of a whole prompt, where a model gives them
        yield int(token)


def sampling(options: Sampling) -> LogitsProcessorList:
    """How scores become a choice: the penalty for what was said; then nothing for greedy, else temperature, the three cuts, and noise."""
    bent = [RepetitionPenaltyLogitsProcessor(options.repetition_penalty)] if options.repetition_penalty != 1 else []
    if options.temperature == 0:
        return LogitsProcessorList(bent)
    cuts = [(options.top_k, TopKLogitsWarper), (options.top_p if options.top_p < 1 else 0, TopPLogitsWarper), (options.min_p, MinPLogitsWarper)]
    narrowed = [warper(value) for value, warper in cuts if value]
    return LogitsProcessorList([*bent, TemperatureLogitsWarper(options.temperature), *narrowed, Gumbel(options.seed)])
