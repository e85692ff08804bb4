"""Tiny models built in-process: a byte-level tokenizer of a few merges and a Llama of a few thousand weights."""

from __future__ import annotations

from pathlib import Path

ENGLISH = ["the bear lives in the forest", "the fox sees the bear", "a red ball and a blue ball", "who lives in the house", "the house is red"]
RUSSIAN = ["медведь живёт в лесу", "лиса видит медведя", "красный мяч и синий мяч", "кто живёт в доме", "дом красный"]
SPECIALS = ["<s>", "</s>", "<pad>", "<|user|>", "<|assistant|>"]
TEMPLATE = "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}</s>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"


def tokenizer(folder: Path, merges: int = 60, texts: list[str] = ENGLISH, specials: list[str] = SPECIALS, chat: bool = False) -> Path:
    """A byte-level BPE tokenizer whose specials come first."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    from workbench.tokenizer import save

    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=len(specials) + 256 + merges, special_tokens=specials, initial_alphabet=alphabet, show_progress=False)
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    if chat:
        fast.chat_template = TEMPLATE
    return save(fast, folder)


def model(
    folder: Path, *, tied: bool = False, width: int = 16, seed: int = 0, shards: bool = False, dtype: str = "float32", pad_rows: int = 0, layers: int = 2
) -> Path:
    """A Llama over the tokenizer that lies in `folder`, with random weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from workbench.tokenizer import load

    vocabulary = load(folder).get_vocab()
    config = LlamaConfig(
        vocab_size=max(vocabulary.values()) + 1 + pad_rows, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=layers, num_attention_heads=2,
        max_position_embeddings=64, tie_word_embeddings=tied, bos_token_id=0, eos_token_id=1, pad_token_id=2,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = LlamaForCausalLM(config).to(getattr(torch, dtype))
    made.generation_config.eos_token_id = [1, 3]
    made.save_pretrained(folder, max_shard_size="20KB" if shards else "1GB")
    return folder


def folder(place: Path, **options: object) -> Path:
    """Both, in one folder."""
    chat = bool(options.pop("chat", False))
    return model(tokenizer(place, chat=chat), **options)


def encode(tokenizer: object, text: str) -> list[int]:
    return tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids
