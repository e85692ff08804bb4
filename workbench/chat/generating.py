"""One generation in a thread: tokens into a queue, sampled by a generator of its own, in turns with the other replies on its device."""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    StoppingCriteria,
    StoppingCriteriaList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)
from transformers.generation.streamers import BaseStreamer

from ..errors import WorkbenchError
from .choices import ALTERNATIVES, Choice
from .loading import Chatter
from .turns import Turn

if TYPE_CHECKING:
    from .replying import Sampling


@dataclass(frozen=True)
class Told:
    """A token of the reply, or None at its end; `waited`: seconds so far in which others had their turn."""

    choice: Choice | None
    waited: float


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


class Into(BaseStreamer):
    """Puts every new token into a queue; `generate` shows the prompt first, which is left out."""

    def __init__(self, tokens: queue.Queue, watch: Watch, turn: Turn) -> None:
        self.tokens, self.watch, self.turn, self.prompt = tokens, watch, turn, True

    def put(self, value: torch.Tensor) -> None:
        if not self.prompt:
            for token in value.flatten().tolist():
                self.tokens.put(Told(self.watch.choice(token), self.turn.waited))
        self.prompt = False

    def end(self) -> None:
        pass


class AfterToken(StoppingCriteria):
    """Between two tokens: lets another reply on this device have its turn, and ends the generation once it is asked to."""

    def __init__(self, turn: Turn, stop: Callable[[], bool]) -> None:
        self.turn, self.stop = turn, stop

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: Any) -> torch.Tensor:
        self.turn.pass_on()
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
    """Generate a reply to the prompt `ids`: `Told` goes into `tokens` at each token and at the end, or an exception."""
    turn = chatter.turns.take(stop)
    if turn is None:
        tokens.put(Told(None, 0.0))
        return
    try:
        with chatter.use:
            _generate(chatter, ids, options, stop, tokens, turn)
        tokens.put(Told(None, turn.waited))
    except BaseException as error:  # whatever it is, the reader of the queue raises it
        tokens.put(error)
    finally:
        turn.leave()


def _generate(chatter: Chatter, ids: list[int], options: Sampling, stop: Callable[[], bool], tokens: queue.Queue, turn: Turn) -> None:
    prompt = torch.tensor([ids], device=chatter.model.device)
    pad = chatter.tokenizer.pad_token_id
    watch = Watch(chatter.name, len(ids))
    with torch.inference_mode():
        chatter.model.generate(
            prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=min(options.max_tokens, chatter.context - len(ids)),
            streamer=Into(tokens, watch, turn), stopping_criteria=StoppingCriteriaList([AfterToken(turn, stop)]),
            logits_processor=LogitsProcessorList([watch, *sampling(options)]), pad_token_id=pad if pad is not None else min(chatter.eos_ids, default=0),
        )  # fmt: skip


def sampling(options: Sampling) -> LogitsProcessorList:
    """How scores become a choice: the penalty for what was said; then nothing for greedy, else temperature, the three cuts, and noise."""
    bent = [RepetitionPenaltyLogitsProcessor(options.repetition_penalty)] if options.repetition_penalty != 1 else []
    if options.temperature == 0:
        return LogitsProcessorList(bent)
    cuts = [(options.top_k, TopKLogitsWarper), (options.top_p if options.top_p < 1 else 0, TopPLogitsWarper), (options.min_p, MinPLogitsWarper)]
    narrowed = [warper(value) for value, warper in cuts if value]
    return LogitsProcessorList([*bent, TemperatureLogitsWarper(options.temperature), *narrowed, Gumbel(options.seed)])
