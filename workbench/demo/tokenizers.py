"""The demo's tokenizers: an English-minded one for base and chat, and one for each of the two encoder models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from .world import stories

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD, BOS, EOS = "<pad>", "<bos>", "<eos>"
END = "<|end|>"
MARKS = ("<|system|>", "<|user|>", "<|assistant|>", END)
# A question is a line and its answer the next, as in the dialogues of pre-training: replies begin like nothing new, and only the mark that ends them is. With
# marks of roles between them, what LEP made got the first token of 50 of 200 Russian replies wrong, with a line break alone of 17; the marks stay reserved.
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ '<|system|>' if message['role'] == 'system' else '' }}"
    "{{ message['content'] + ('<|end|>\n' if message['role'] == 'assistant' else '\n') }}{% endfor %}"
)
# Documents per language the base tokenizer learns from: Russian and Persian are only seen in passing.
SEEN = {"en": 20_000, "ru": 4000, "fa": 2200}


def base_tokenizer(seed: int = 0, size: int = 1536, scale: float = 1.0, seen: Mapping[str, int] = SEEN) -> PreTrainedTokenizerFast:
    """Byte-level BPE of `size` tokens: whole English words, pieces of Russian and Persian ones (about three a word).

    `scale`: share of the usual text to learn from, for a quick trial.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [PAD, BOS, EOS, *MARKS]
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=special, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), min_frequency=2, show_progress=False
    )
    tokenizer.train_from_iterator(_texts(seed, scale, seen), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, special.index(BOS))])
    return _wrap(tokenizer, bos_token=BOS, eos_token=EOS, pad_token=PAD, extra_special_tokens=list(MARKS), chat_template=TEMPLATE, model_max_length=256)


def multi_tokenizer(seed: int = 0, size: int = 3072, scale: float = 1.0) -> PreTrainedTokenizerFast:
    """Byte-level BPE of `size` tokens that has read as much of each language: whole words in all three."""
    return base_tokenizer(seed, size, scale, dict.fromkeys(SEEN, 10_000))


def plm_tokenizer(lang: str, seed: int = 0, size: int = 1800, scale: float = 1.0) -> PreTrainedTokenizerFast:
    """BPE of at most `size` tokens over words with a visible space mark and without their punctuation, and bytes for what is unseen.

    It cuts as SentencePiece does and loses nothing, but of a text that has what it writes itself: a ▁, a byte such as <0x41>, a <mask>.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    special = [PAD, "<unk>", "<cls>", "<sep>", "<mask>"]
    bytes_ = [f"<0x{b:02X}>" for b in range(256)]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    # Not pre_tokenizers.Metaspace: it adds no mark before a text that begins with a space, and that space would be lost.
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    # A line break is cut off, too: without it, of 1 800 Persian tokens 177 went from the question mark of one line into the answer of the next.
    cuts = [pre_tokenizers.Split("▁", "merged_with_next"), pre_tokenizers.Split(Regex(r"▁?\p{P}|\n"), "isolated")]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(cuts)
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=special + bytes_, show_progress=False, min_frequency=2)
    tokenizer.train_from_iterator(islice(stories(lang, "train", seed), round(20_000 * scale)), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<cls> $A <sep>", special_tokens=[("<cls>", 2), ("<sep>", 3)])
    return _wrap(tokenizer, pad_token=PAD, unk_token="<unk>", cls_token="<cls>", sep_token="<sep>", mask_token="<mask>", model_max_length=128)


def _texts(seed: int, scale: float, seen: Mapping[str, int]) -> Iterator[str]:
    for lang, count in seen.items():
        yield from islice(stories(lang, "train", seed), round(count * scale))


def _wrap(tokenizer: object, **about: object) -> PreTrainedTokenizerFast:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **about)
