"""One stream of replies from a model, and the same question side by side to several."""

from __future__ import annotations

import functools
import hashlib
import queue
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from . import refs
from .errors import WorkbenchError
from .progress import Progress
from .specs import ModelRef, ModelStep, Options

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

Message = dict[str, str]  # {"role": "user", "content": "…"}


class Sampling(Options):
    """How a reply is generated."""

    max_tokens: int = Field(96, ge=1, le=8192, description="Longest reply, in tokens.")
    temperature: float = Field(0.0, ge=0, le=5, description="0 takes the likeliest token each time; higher is freer.")
    top_p: float = Field(1.0, gt=0, le=1, description="Sample only from the likeliest tokens that together have this probability.")
    seed: int = Field(0, ge=0, description="The same seed gives the same sample.")


@dataclass(frozen=True)
class Chatter:
    """A loaded model with its tokenizer; shared by everyone who loads the same weights."""

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    fingerprint: str
    lock: threading.Lock

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of a conversation: through the chat template, or as plain text to continue where there is none.

        Raises WorkbenchError on an empty prompt, or one that leaves no room for a reply in the context.
        """
        if not messages or not messages[-1]["content"].strip():
            raise WorkbenchError("The prompt is empty; type something.")
        if self.tokenizer.chat_template:
            ids = self.tokenizer.apply_chat_template(list(messages), add_generation_prompt=True, tokenize=True, return_dict=False)
        else:
            ids = self.tokenizer("\n".join(m["content"] for m in messages))["input_ids"]
            eos = self.tokenizer.eos_token_id
            ids = ids[:-1] if len(ids) > 1 and ids[-1] == eos else ids
        if len(ids) >= self.context:
            raise WorkbenchError(f"The conversation has {len(ids)} tokens but {self.name} reads only {self.context}; shorten it or start a new one.")
        return list(ids)

    @property
    def context(self) -> int:
        return int(getattr(self.model.config.get_text_config(), "max_position_embeddings", 2048))


@dataclass(frozen=True)
class Reply:
    """A reply as far as it has come.

    `finish` is "" while it grows, then "eos", "length" or "stopped". `seconds` counts from the question, `first_seconds`
    to the first token; `script` is the script of most letters.
    """

    text: str
    tokens: int
    characters: int
    seconds: float
    first_seconds: float | None
    finish: Literal["", "eos", "length", "stopped"]
    fingerprint: str
    model: str
    script: str


@dataclass(frozen=True)
class SideBySide:
    """One question and each model's reply."""

    messages: list[Message]
    replies: dict[str, Reply]

    def rows(self) -> list[dict[str, Any]]:
        return [{"side": side} | asdict(reply) for side, reply in self.replies.items()]


def load(reference: str | Path, device: str = "auto", dtype: str = "auto") -> Chatter:
    """A model ready to reply; loaded once per folder, device and number format, and shared."""
    place = refs.locate(reference)
    stamp = max((f.stat().st_mtime for f in place.glob("*.safetensors")), default=0.0)
    return replace(_load(place, stamp, device, dtype), name=refs.label(str(reference)))


@functools.lru_cache(maxsize=4)
def _load(place: Path, stamp: float, device: str, dtype: str) -> Chatter:
    from transformers import AutoModelForCausalLM

    from . import devices
    from .checkpoint import Checkpoint
    from .tokenizer import load as load_tokenizer

    tokenizer = load_tokenizer(place)
    Checkpoint.open(place).check_fits(max(tokenizer.get_vocab().values()) + 1)
    where = devices.pick(device)
    model = (
        AutoModelForCausalLM.from_pretrained(place, dtype=devices.number_format(dtype, where), use_safetensors=True, trust_remote_code=False).to(where).eval()
    )
    return Chatter(str(place), model, tokenizer, fingerprint(model), threading.Lock())


def fingerprint(model: PreTrainedModel) -> str:
    """Twelve hexadecimal digits over every weight really in use, names and values."""
    import torch

    digest = hashlib.blake2b(digest_size=6)
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().contiguous().cpu().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def reply(chatter: Chatter, messages: Sequence[Message], options: Sampling | None = None, stop: threading.Event | None = None) -> Iterator[Reply]:
    """The reply as it grows: one `Reply` a token, the last with `finish` set.

    Generation runs in a thread of its own; setting `stop`, or closing this generator, ends it at the next token.
    """
    options, stop = options or Sampling(), stop or threading.Event()
    ids = chatter.prompt(messages)
    started = time.perf_counter()
    tokens: queue.Queue[list[int] | BaseException | None] = queue.Queue()
    worker = threading.Thread(target=_generate, args=(chatter, ids, options, stop, tokens), daemon=True)
    worker.start()
    made: list[int] = []
    first = None
    try:
        while (item := tokens.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            made += item
            first = first or time.perf_counter() - started
            yield _reply(chatter, made, started, first, "")
        ended = bool(made) and made[-1] in _eos_ids(chatter)
        yield _reply(chatter, made, started, first, "eos" if ended else "stopped" if stop.is_set() else "length")
    finally:
        stop.set()
        worker.join(timeout=30)


def side_by_side(
    question: str | Sequence[Message], options: Sampling | None = None, device: str = "auto", dtype: str = "auto", **models: str | Path
) -> SideBySide:
    """Ask several models the same; `models` are references by side, for example original="demo:en-chat"."""
    messages = [{"role": "user", "content": question}] if isinstance(question, str) else list(question)
    replies = {}
    for side, reference in models.items():
        *_, last = reply(load(reference, device, dtype), messages, options)
        replies[side] = last
    return SideBySide(messages, replies)


def script_of(text: str) -> str:
    """The script that most letters are written in, or '' without letters."""
    import unicodedata

    names = Counter(unicodedata.name(c, "?").split(" ")[0].title() for c in text if c.isalpha())
    return names.most_common(1)[0][0] if names else ""


def _reply(chatter: Chatter, made: list[int], started: float, first: float | None, finish: str) -> Reply:
    # A token may end inside a character; what is not whole yet is held back rather than shown as a replacement mark.
    text = chatter.tokenizer.decode(made, skip_special_tokens=True)
    text = text if finish else text.rstrip("\ufffd")
    return Reply(text.strip(), len(made), len(text.strip()), time.perf_counter() - started, first, finish, chatter.fingerprint, chatter.name, script_of(text))


def _eos_ids(chatter: Chatter) -> set[int]:
    ids = chatter.model.generation_config.eos_token_id
    ids = ids if ids is not None else chatter.tokenizer.eos_token_id
    return set(ids) if isinstance(ids, list) else {ids}


def _generate(chatter: Chatter, ids: list[int], options: Sampling, stop: threading.Event, tokens: queue.Queue) -> None:
    """In a thread: one forward pass a token, each token put into the queue; None or an exception at the end."""
    import torch
    from transformers import StoppingCriteria, StoppingCriteriaList
    from transformers.generation.streamers import BaseStreamer

    class Into(BaseStreamer):
        prompt = True

        def put(self, value: torch.Tensor) -> None:
            if not self.prompt:
                tokens.put(value.flatten().tolist())
            self.prompt = False

        def end(self) -> None:
            pass

    class OnStop(StoppingCriteria):
        def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: Any) -> torch.Tensor:
            return torch.full((input_ids.shape[0],), stop.is_set(), device=input_ids.device)

    try:
        prompt = torch.tensor([ids], device=chatter.model.device)
        with chatter.lock, torch.inference_mode():
            chatter.model.generate(
                prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=min(options.max_tokens, chatter.context - len(ids)),
                streamer=Into(), stopping_criteria=StoppingCriteriaList([OnStop()]), logits_processor=_sampling(options), pad_token_id=_pad(chatter),
            )  # fmt: skip
        tokens.put(None)
    except BaseException as error:
        tokens.put(error)


def _pad(chatter: Chatter) -> int:
    pad = chatter.tokenizer.pad_token_id
    return pad if pad is not None else min((i for i in _eos_ids(chatter) if i is not None), default=0)


def _sampling(options: Sampling) -> Any:
    """Sampling as Gumbel noise on the logits and greedy choice: the same distribution, drawn from a generator of our own.

    `generate(do_sample=True)` draws from torch's global generator, which two replies at once would share.
    """
    import torch
    from transformers import LogitsProcessor, LogitsProcessorList, TemperatureLogitsWarper, TopPLogitsWarper

    class Gumbel(LogitsProcessor):
        generator = torch.Generator().manual_seed(options.seed)

        def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            noise = torch.empty(scores.shape).exponential_(generator=self.generator).clamp(min=1e-20).log().neg()
            return scores.float() + noise.to(scores.device)

    if options.temperature == 0:
        return LogitsProcessorList()
    narrowed = [TopPLogitsWarper(options.top_p)] if options.top_p < 1 else []
    return LogitsProcessorList([TemperatureLogitsWarper(options.temperature), *narrowed, Gumbel()])


class Chat(ModelStep):
    """Ask several models the same question and show the replies side by side."""

    command: ClassVar[str] = "chat"
    heavy: ClassVar[bool] = False
    models: tuple[ModelRef, ...] = Field(min_length=1, max_length=4, description="One to four models.")
    prompt: str = Field(min_length=1, description="The question.")
    max_tokens: int = Field(96, ge=1, le=8192, description="Longest reply, in tokens.")
    temperature: float = Field(0.0, ge=0, le=5, description="0 takes the likeliest token each time; higher is freer.")
    top_p: float = Field(1.0, gt=0, le=1, description="Sample only from the likeliest tokens that together have this probability.")
    seed: int = Field(0, ge=0, description="The same seed gives the same sample.")

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        options = Sampling(max_tokens=self.max_tokens, temperature=self.temperature, top_p=self.top_p, seed=self.seed)
        rows = []
        for reference in progress.track(self.models, len(self.models), "asking"):
            rows += side_by_side(self.prompt, options, self.device, self.dtype, **{reference: reference}).rows()
        return {"rows": rows}
