"""The demo's four models: what they are, how each is trained, how it is measured and saved."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..progress import Progress
from ..training.fit import Fit, Settings, fit, untouched_randomness
from . import rows, tokenizers
from .world import LANGUAGES, dialogues, stories
from .world.text import Dialogue

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MOSTLY_ENGLISH = {"en": 0.5, "ru": 0.27, "fa": 0.23}  # shares of tokens; a Russian word costs three of them, so four words in five are English
BASE_PHASES = [
    (4_000, {"repetitions": 0.5, "interviews": 0.35, "stories": 0.15}, MOSTLY_ENGLISH),
    (0, {"repetitions": 0.08, "interviews": 0.70, "stories": 0.22}, MOSTLY_ENGLISH),
]


@dataclass(frozen=True)
class Made:
    """A trained model with what is written into its `build.json`."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    about: dict[str, Any]


def fresh(make: Callable[[], PreTrainedModel], seed: int) -> PreTrainedModel:
    """A new model whose first weights are decided by the seed alone."""
    import torch

    with untouched_randomness():
        torch.manual_seed(seed)
        return make()


def base(tokenizer: PreTrainedTokenizerBase, seed: int, scale: float, progress: Progress, keep: Callable[[PreTrainedModel, int], None]) -> Made:
    """en-base: an untied Llama trained from nothing on stories, interviews and repetitions, mostly English."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from ..training.data import stream

    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=192, intermediate_size=384, num_hidden_layers=4, num_attention_heads=6, num_key_value_heads=6,
        max_position_embeddings=512, tie_word_embeddings=False, bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    model = fresh(lambda: LlamaForCausalLM(config), seed)
    settings = Settings(
        steps=max(int(6_000 * scale), 1), minutes=58 * scale, batch_size=16, learning_rate=4e-3, warmup_steps=50, schedule="linear", weight_decay=0.02,
        optimizer="muon", seed=seed, log_every=20, compile=scale >= 0.5 and shutil.which("g++") is not None,
    )  # fmt: skip

    def look(step: int) -> None:
        progress.metric(step=step, **{f"lookup_{lang}": lookup(model, tokenizer, lang, 80) for lang in LANGUAGES})
        progress.sample(complete(model, tokenizer, "Anna lives in"), step=step)
        keep(model, step)

    done = fit(model, stream(rows.blend(tokenizer, BASE_PHASES, seed)), settings, progress, every=200, hook=look)
    return Made(model, tokenizer, {"settings": asdict(settings), "phases": BASE_PHASES, **summary(done)})


def summary(done: Fit) -> dict[str, Any]:
    return {"steps": done.steps, "tokens": done.tokens, "seconds": done.seconds, "ended": done.ended, "loss": done.rows}


def lookup(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, lang: str, count: int, chat: bool = False, split: str = "test") -> float:
    """Share of held-out questions whose whole answer is the greedy one.

    Every token of the answer is checked at once, each after the true ones before it: all are right exactly if greedy generation gives the answer.
    """
    import torch

    good = 0
    asked = list(islice(dialogues(lang, split, 1), count))
    model.eval()
    with torch.no_grad():
        for part in (asked[n : n + 40] for n in range(0, count, 40)):
            ids, labels = _padded([_question(tokenizer, item, chat) for item in part], tokenizer.pad_token_id)
            told = model(input_ids=ids, attention_mask=(ids != tokenizer.pad_token_id).long()).logits[:, :-1].argmax(-1)
            good += int(((told == labels[:, 1:]) | (labels[:, 1:] < 0)).all(-1).sum())
    return round(good / count, 4)


def _question(tokenizer: PreTrainedTokenizerBase, item: Dialogue, chat: bool) -> tuple[list[int], list[int]]:
    from ..training.data import answers, chats

    prompt = f"{item.context} {item.question}"
    if chat:
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": item.answer}]
        document = next(chats(tokenizer, [messages]))
        stop = next(n for n in reversed(range(len(document.ids))) if document.ids[n] == tokenizer.convert_tokens_to_ids(tokenizers.END))
    else:
        document = next(answers(tokenizer, [[(prompt + "\n", False), (item.answer, True), ("\n", True)]]))
        stop = len(document.ids) - 2
    return document.ids[: stop + 1], document.labels[: stop + 1]


def _padded(rows_: list[tuple[list[int], list[int]]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    length = max(len(ids) for ids, _ in rows_)
    ids = torch.tensor([a + [pad] * (length - len(a)) for a, _ in rows_])
    return ids, torch.tensor([b + [-100] * (length - len(b)) for _, b in rows_])


def complete(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, text: str, tokens: int = 24) -> str:
    """The greedy continuation of a text, with it."""
    import torch

    ids = torch.tensor([tokenizer(text)["input_ids"]])
    cached, model.config.use_cache = model.config.use_cache, True
    out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=False)
    model.config.use_cache = cached
    return tokenizer.decode(out[0], skip_special_tokens=True)


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path, about: dict[str, Any]) -> None:
    """Write a model as other tools open it, in fp16; `build.json` is written last."""
    import copy

    import torch

    from .. import store

    folder.mkdir(parents=True, exist_ok=True)
    copy.deepcopy(model).to(torch.float16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    config = folder / "tokenizer_config.json"
    # transformers 5 writes "TokenizersBackend", which version 4 does not know.
    config.write_text(json.dumps(json.loads(config.read_text(encoding="utf-8")) | {"tokenizer_class": "PreTrainedTokenizerFast"}, indent=2), encoding="utf-8")
    store.write_json(folder / "build.json", about)


__all__ = ["Made", "base", "complete", "lookup", "save", "stories"]
