"""The demo's five models: what each is, what it is trained on and how long."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import store
from ..errors import Stopped
from ..progress import Progress
from ..training.fitting import Settings, fit, untouched_randomness
from . import binding, measure, rows, tokenizers
from .world import LANGUAGES, stories
from .world.instructions import TAUGHT

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, Qwen3Config

    from ..training.adapters import Group

# Shares of tokens. A Russian or Persian word costs about three of them, so nearly two words in three are English.
MOSTLY_ENGLISH = {"en": 0.40, "ru": 0.32, "fa": 0.28}
LAYERS = 4
BASE_PHASES = [
    (8_000, {"retellings": 0.4, "interviews": 0.4, "pairs": 0.1, "stories": 0.1}, MOSTLY_ENGLISH),
    (0, {"retellings": 0.08, "interviews": 0.7, "pairs": 0.04, "stories": 0.18}, MOSTLY_ENGLISH),
]
# Shares of tokens: one conversation in nineteen is Russian and one Persian, so that the model learns to end its turn there too.
CHAT_PHASES = [(0, {"chats": 1.0}, {"en": 0.84, "ru": 0.08, "fa": 0.08})]
MULTI_PHASES = [(0, {"stories": 1.0}, {"en": 0.34, "ru": 0.33, "fa": 0.33})]
# The chat model's tables are the base's but for the marks of a chat, and its adapters are between the attentions only. With the tables of one adapted base,
# which answered .70 of the Russian questions, LEP's chat model answered .46 where tables and all layers had learnt (at rates of 2e-4 and 3e-3), .60 where
# marks and all layers had (5e-4 for the layers), and .66 where marks and the layers between the attentions had (2e-4).
MARKS_RATE, ADAPTERS_RATE = 1e-2, 2e-4
BETWEEN = ("gate_proj", "up_proj", "down_proj")
TOTALS = ("steps", "tokens", "seconds")
COUNT = 300  # test documents and questions a finished model is measured on


@dataclass(frozen=True)
class Made:
    """A trained model with what is written into its `build.json`."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    about: dict[str, Any]


def base(_made: Path, seed: int, scale: float, progress: Progress) -> Made:
    """en-base: a Qwen3 with one table for input and output, trained from nothing on made-up pairs, then on the world's texts, mostly English."""
    tokenizer = tokenizers.base_tokenizer(seed, scale=_text_share(scale))
    model, pairs = _taught(tokenizer, seed, scale, progress.part(0.0, 0.19, work="pairs"))
    settings = Settings(
        steps=_scaled(7_050, scale), batch_size=8, learning_rate=2e-3, warmup_steps=20, schedule="linear", weight_decay=0.02,
        optimizer="muon", seed=seed, dtype="fp32", compile=_compiles(scale), checkpoint_every=_scaled(7_050, scale),
    )  # fmt: skip
    first = _train(model, tokenizer, BASE_PHASES, settings, progress.part(0.19, 0.58, work="first"), chat=False)
    # The blocks of the second phase again (this is their seed), then more of them, from a high rate:
    # questions in English .90 → .92, in Russian .80 → .84, in Persian .75 → .84.
    again = replace(settings, steps=_scaled(8_270, scale), learning_rate=1.5e-3, warmup_steps=50, seed=seed + 1)
    about = _train(model, tokenizer, BASE_PHASES[1:], again, progress.part(0.58, 1.0, work="again"), chat=False)
    scores = measure.language_model(model, tokenizer, chat=False, count=_scaled(COUNT, scale))
    return Made(model, tokenizer, about | {"pairs": pairs, "first": first, "total": {k: first[k] + about[k] for k in TOTALS}, "scores": scores})


def chat(made: Path, seed: int, scale: float, progress: Progress) -> Made:
    """en-chat: en-base with low-rank adapters on its layers, merged, and rows for the marks of a chat, trained on chats, mostly English.

    Only the replies carry loss.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from ..training import adapters

    tokenizer = AutoTokenizer.from_pretrained(made / "en-base")
    model = AutoModelForCausalLM.from_pretrained(made / "en-base", dtype=torch.float32)
    marks = tokenizer.convert_tokens_to_ids(list(tokenizers.MARKS))
    lora = adapters.Lora(rank=8, alpha=16.0, targets=BETWEEN)
    learner = adapters.learner(model, marks, lora, seed)
    settings = Settings(
        steps=_scaled(300, scale), learning_rate=MARKS_RATE, warmup_steps=20, schedule="linear", optimizer="adamw", seed=seed + 1,
        dtype="fp32",
    )  # fmt: skip
    about = _train(learner.model, tokenizer, CHAT_PHASES, settings, progress, chat=True, groups=learner.groups(MARKS_RATE, ADAPTERS_RATE))
    about |= {"adapters": asdict(lora) | {"learning_rate": ADAPTERS_RATE}, "rows": list(tokenizers.MARKS), "families": list(TAUGHT)}
    learner.merge()
    model.generation_config.eos_token_id = [tokenizer.convert_tokens_to_ids(tokenizers.END), tokenizer.eos_token_id]
    return Made(model, tokenizer, about | {"scores": measure.language_model(model, tokenizer, chat=True, count=_scaled(COUNT, scale))})


def multi(_made: Path, seed: int, scale: float, progress: Progress) -> Made:
    """multi-base: a model like en-base that has read stories in all three languages, in a vocabulary with words of each. It is SALT's to transfer from."""
    from transformers import Qwen3ForCausalLM

    tokenizer = tokenizers.multi_tokenizer(seed, scale=_text_share(scale))
    settings = Settings(
        steps=_scaled(2_600, scale), batch_size=8, learning_rate=3e-3, warmup_steps=50, schedule="linear", weight_decay=0.02,
        optimizer="muon", seed=seed, dtype="fp32", compile=_compiles(scale),
    )  # fmt: skip
    model = _fresh(lambda: Qwen3ForCausalLM(_shape(tokenizer, LAYERS)), seed)
    about = _train(model, tokenizer, MULTI_PHASES, settings, progress, chat=False)
    return Made(model, tokenizer, about | {"scores": measure.language_model(model, tokenizer, chat=False, count=_scaled(COUNT, scale))})


def encoder(lang: str, seed: int, scale: float, progress: Progress) -> Made:
    """ru-plm, fa-plm: a small BERT with a tokenizer of its own, trained to fill in masked tokens of stories in one language."""
    from transformers import BertConfig, BertForMaskedLM, DataCollatorForLanguageModeling

    from ..training.data import stream

    tokenizer = tokenizers.plm_tokenizer(lang, seed, scale=_text_share(scale))
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=128, num_hidden_layers=3, num_attention_heads=4, intermediate_size=256, max_position_embeddings=128,
        type_vocab_size=1, pad_token_id=tokenizer.pad_token_id, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    settings = Settings(
        steps=_scaled(1_500, scale), batch_size=32, learning_rate=3e-3, warmup_steps=50, schedule="linear", weight_decay=0.01,
        optimizer="muon", seed=seed, dtype="fp32",
    )  # fmt: skip

    def single() -> Iterator[dict[str, list[int]]]:
        # One story to a row. With several in a block, positions mean nothing and the loss stayed at that of word counts (5.9 nats after 1.5 M tokens).
        return ({"input_ids": tokenizer(story)["input_ids"]} for story in stories(lang, "train", seed))

    model = _fresh(lambda: BertForMaskedLM(config), seed)
    collate = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.2, seed=seed)
    about = {"data": {"stories": 1.0, "split": "train", "languages": {lang: 1.0}}, **_fitted(model, stream(single), settings, progress, collate=collate)}
    return Made(model, tokenizer, about | {"scores": {lang: {"masked_accuracy": measure.masked_accuracy(model, tokenizer, lang, _scaled(COUNT, scale))}}})


def _shape(tokenizer: PreTrainedTokenizerBase, layers: int) -> Qwen3Config:
    from transformers import Qwen3Config

    return Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=192, intermediate_size=384, num_hidden_layers=layers, num_attention_heads=6, num_key_value_heads=6, head_dim=32,
        max_position_embeddings=512, tie_word_embeddings=True, bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip


def _train(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    phases: list[rows.Phase],
    settings: Settings,
    progress: Progress,
    *,
    chat: bool,
    groups: Sequence[Group] = (),
) -> dict[str, Any]:
    from ..training.data import stream
    from ..training.stages import continuation

    def look(step: int) -> None:
        progress.metric(step=step, **{f"lookup_{lang}": measure.lookup(model, tokenizer, lang, 80, chat=chat, split="validation") for lang in LANGUAGES})
        progress.sample(continuation(model, tokenizer, "Anna lives in"), step=step, prompt="Anna lives in")

    done = _fitted(model, stream(rows.blend(tokenizer, phases, settings.seed)), settings, progress, every=200, hook=look, groups=groups)
    return {"data": [{"blocks": count or "the rest", "kinds": kinds, "languages": languages} for count, kinds, languages in phases], **done}


def _fitted(model: PreTrainedModel, blocks: Any, settings: Settings, progress: Progress, **given: Any) -> dict[str, Any]:
    """Train, going on from a checkpoint in the work folder. Raises Stopped at a stop: half a model is none."""
    done = fit(model, blocks, settings, progress, work=progress.work, **given)
    if done.ended == "stop":
        raise Stopped("Stopped at your request.")
    return {"settings": asdict(settings), "steps": done.steps, "tokens": done.tokens, "seconds": done.seconds, "ended": done.ended, "loss": done.rows}


def _taught(tokenizer: PreTrainedTokenizerBase, seed: int, scale: float, progress: Progress) -> tuple[PreTrainedModel, list[dict[str, Any]]]:
    """A new model that knows what goes with what, and how it learnt that. It is kept whole: those trainings end by what is known and make no checkpoints."""
    import torch
    from transformers import Qwen3ForCausalLM

    if progress.work and (progress.work / "stages.json").is_file():
        progress.note("The pairs were learnt before.")
        return Qwen3ForCausalLM.from_pretrained(progress.work, dtype=torch.float32), json.loads((progress.work / "stages.json").read_text(encoding="utf-8"))
    with untouched_randomness():  # the layers that are added on the way draw from the same seed
        torch.manual_seed(seed)
        model, stages = binding.taught(Qwen3ForCausalLM(_shape(tokenizer, 2)), tokenizer, LAYERS, seed, scale, progress)
    if progress.work:
        model.save_pretrained(progress.work)
        store.write_json(progress.work / "stages.json", stages)
    return model, stages


def _fresh(make: Callable[[], PreTrainedModel], seed: int) -> PreTrainedModel:
    """A new model whose first weights are decided by the seed alone."""
    import torch

    with untouched_randomness():
        torch.manual_seed(seed)
        return make()


def _scaled(count: int, scale: float) -> int:
    return max(round(count * scale), 1)


def _text_share(scale: float) -> float:
    """A tokenizer needs less text than a model, but some: a quick trial gives it a twentieth."""
    return min(max(scale, 0.05), 1.0)


def _compiles(scale: float) -> bool:
    """Compiling takes a minute and then saves a quarter of the time, where there is a compiler."""
    return scale >= 0.5 and shutil.which("g++") is not None
