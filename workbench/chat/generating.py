"""One generation in a thread: tokens into a queue, sampled by a generator of its own."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList, TemperatureLogitsWarper, TopPLogitsWarper
from transformers.generation.streamers import BaseStreamer

from .loading import Chatter
from .replying import Sampling


class Into(BaseStreamer):
    """Puts every new token into a queue; `generate` shows the prompt first, which is left out."""

    def __init__(self, tokens: queue.Queue) -> None:
        self.tokens, self.prompt = tokens, True

    def put(self, value: torch.Tensor) -> None:
        if not self.prompt:
            self.tokens.put(value.flatten().tolist())
        self.prompt = False

    def end(self) -> None:
        pass


class OnStop(StoppingCriteria):
    """Ends the generation at the next token once it is asked to."""

    def __init__(self, stop: Callable[[], bool]) -> None:
        self.stop = stop

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: Any) -> torch.Tensor:
        return torch.full((input_ids.shape[0],), self.stop(), device=input_ids.device)


class Gumbel(LogitsProcessor):
    """Noise that turns the likeliest token into a sample: greedy choice then draws from the softmax of the scores.

    `generate(do_sample=True)` would draw from torch's global generator, which two replies at once share.
    """

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        noise = torch.empty(scores.shape).exponential_(generator=self.generator).clamp(min=1e-20).log().neg()
        return scores.float() + noise.to(scores.device)


def generate(chatter: Chatter, ids: list[int], options: Sampling, stop: Callable[[], bool], tokens: queue.Queue) -> None:
    """Generate a reply to the prompt `ids`: each token goes into `tokens`, and None or an exception at the end."""
    while not chatter.lock.acquire(timeout=0.1):  # another reply of the same model is under way
        if stop():
            tokens.put(None)
            return
    try:
        prompt = torch.tensor([ids], device=chatter.model.device)
        pad = chatter.tokenizer.pad_token_id
        with torch.inference_mode():
            chatter.model.generate(
                prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=min(options.max_tokens, chatter.context - len(ids)),
                streamer=Into(tokens), stopping_criteria=StoppingCriteriaList([OnStop(stop)]), logits_processor=sampling(options),
                pad_token_id=pad if pad is not None else min(chatter.eos_ids, default=0),
            )  # fmt: skip
        tokens.put(None)
    except BaseException as error:  # whatever it is, the reader of the queue raises it
        tokens.put(error)
    finally:
        chatter.lock.release()


def sampling(options: Sampling) -> LogitsProcessorList:
    """How scores become a choice: nothing for greedy; else temperature, nucleus and noise."""
    if options.temperature == 0:
        return LogitsProcessorList()
    narrowed = [TopPLogitsWarper(options.top_p)] if options.top_p < 1 else []
    return LogitsProcessorList([TemperatureLogitsWarper(options.temperature), *narrowed, Gumbel(options.seed)])
