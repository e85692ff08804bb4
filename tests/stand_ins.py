"""Local stand-ins for what recipes name on the hub: the same architecture, kind of tokenizer and tie flag, a few thousand weights; the demo world as text."""

from __future__ import annotations

import io
import json
from itertools import islice
from pathlib import Path
from typing import Any

import tiny

SMALL = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 8192,
}  # fmt: skip
# hub id → (model class, config class, tied, kind of tokenizer, chat template)
MODELS = {
    "meta-llama/Meta-Llama-3-8B": ("LlamaForCausalLM", "LlamaConfig", False, "bytes", False),
    "meta-llama/Meta-Llama-3-8B-Instruct": ("LlamaForCausalLM", "LlamaConfig", False, "bytes", True),
    "HuggingFaceTB/SmolLM2-135M": ("LlamaForCausalLM", "LlamaConfig", True, "bytes", False),
    "HuggingFaceTB/SmolLM2-135M-Instruct": ("LlamaForCausalLM", "LlamaConfig", True, "bytes", True),
    "meta-llama/Llama-2-7b-hf": ("LlamaForCausalLM", "LlamaConfig", False, "sentencepiece", False),
    "google/gemma-2b": ("GemmaForCausalLM", "GemmaConfig", True, "sentencepiece", False),
    "google-bert/bert-base-german-cased": ("BertForMaskedLM", "BertConfig", True, "wordpiece", False),
}


def texts(lang: str, count: int = 300) -> list[str]:
    from workbench.demo import world

    return list(islice(world.stories(lang, "train", 0), count))


def model(name: str, place: Path, languages: tuple[str, ...]) -> Path:
    """The stand-in of a model of the hub; models of one family share their weights as siblings do, nearly."""
    import torch
    import transformers

    from workbench.tokenizer import load

    kind, config, tied, tokenizer, chat = MODELS[name]
    TOKENIZERS[tokenizer](place, [text for lang in languages for text in texts(lang, 60)], chat)
    rows = max(load(place).get_vocab().values()) + 1
    options = {k: v for k, v in SMALL.items() if kind != "BertForMaskedLM" or k != "num_key_value_heads"}
    options |= {"head_dim": 8} if "Gemma" in kind else {}
    ids = {"bos_token_id": load(place).bos_token_id, "eos_token_id": load(place).eos_token_id, "pad_token_id": load(place).pad_token_id}
    with torch.random.fork_rng():
        torch.manual_seed(5)
        made = getattr(transformers, kind)(getattr(transformers, config)(vocab_size=rows, tie_word_embeddings=tied, **options, **ids))
        if chat:
            for parameter in made.parameters():
                parameter.data += 0.01 * torch.randn_like(parameter)
    made.save_pretrained(place)
    return place


def _bytes(place: Path, lines: list[str], chat: bool) -> None:
    tiny.tokenizer(place, merges=60, texts=lines, chat=chat)


def _sentencepiece(place: Path, lines: list[str], chat: bool) -> None:
    import sentencepiece

    from workbench.tokenizer import load, save

    made = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=made, model_type="bpe", vocab_size=420, byte_fallback=True, character_coverage=0.99,
        normalization_rule_name="identity", remove_extra_whitespaces=False, pad_id=3, minloglevel=2, hard_vocab_limit=False,
    )  # fmt: skip
    place.mkdir(parents=True)
    (place / "tokenizer.model").write_bytes(made.getvalue())
    save(load(place / "tokenizer.model"), place)
    (place / "tokenizer.model").unlink()


def _wordpiece(place: Path, lines: list[str], chat: bool) -> None:
    from tokenizers import BertWordPieceTokenizer, processors
    from transformers import PreTrainedTokenizerFast

    from workbench.tokenizer import save

    made = BertWordPieceTokenizer(lowercase=False, strip_accents=False)
    made.train_from_iterator(lines, vocab_size=500, show_progress=False)
    ends = [(name, made.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends)
    names = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "mask_token": "[MASK]"}
    save(PreTrainedTokenizerFast(tokenizer_object=made._tokenizer, **names), place)


TOKENIZERS = {"bytes": _bytes, "sentencepiece": _sentencepiece, "wordpiece": _wordpiece}


def text(place: Path, lang: str) -> Path:
    """Stories, one a line."""
    place.write_text("\n".join(line.replace("\n", " ") for line in texts(lang)), encoding="utf-8")
    return place


def pairs(place: Path, lang: str) -> Path:
    """Sentence pairs in two columns named as on the hub."""
    from workbench.demo import world

    rows = (("english", "non_english"), *islice(world.parallel(lang, "train", 0), 200))
    place.write_text("".join("\t".join(side.replace("\n", " ") for side in row) + "\n" for row in rows), encoding="utf-8")
    return place


def instructions(place: Path, lang: str) -> Path:
    """Alpaca's columns, as on the hub."""
    from workbench.demo import world

    asked: list[Any] = [i for i in islice(world.instructions(lang, "train", 0), 80) if len(i.messages) == 2]
    rows = ({"instruction": i.messages[0]["content"], "input": "", "output": i.messages[1]["content"]} for i in asked)
    place.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return place
