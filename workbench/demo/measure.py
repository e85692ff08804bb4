"""How good the demo's models are, on facts that no training text states."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from ..training.data import IGNORE, Document, answers, chats
from .world import LANGUAGES, dialogues, stories
from .world.text import Dialogue

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def lookup(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, lang: str, count: int, *, chat: bool = False, split: str = "test") -> float:
    """Share of held-out questions whose whole answer, with the mark that ends it, is the greedy one.

    Every token of the answer is checked at once, each after the true ones before it: all are right exactly if greedy generation gives
    this answer. One pass instead of a generation, so it is cheap enough to watch during training.
    """
    import torch

    good = 0
    asked = list(islice(dialogues(lang, split, 1), count))
    model.eval()
    with torch.inference_mode():
        for part in (asked[n : n + 40] for n in range(0, count, 40)):
            ids, labels = _padded([_question(tokenizer, item, chat) for item in part], tokenizer.pad_token_id)
            told = model(input_ids=ids, attention_mask=(ids != tokenizer.pad_token_id).long(), use_cache=False).logits[:, :-1].argmax(-1)
            good += int(((told == labels[:, 1:]) | (labels[:, 1:] == IGNORE)).all(-1).sum())
    return round(good / count, 4)


def _question(tokenizer: PreTrainedTokenizerBase, item: Dialogue, chat: bool) -> Document:
    """A dialogue up to and with the token that ends its answer: a line break, or the end-of-turn mark."""
    prompt = f"{item.context} {item.question}"
    if chat:
        document = next(chats(tokenizer, [[{"role": "user", "content": prompt}, {"role": "assistant", "content": item.answer}]]))
        cut = 1  # the line break after the mark
    else:
        document = next(answers(tokenizer, [[(prompt + "\n", False), (item.answer, True), ("\n", True)]]))
        cut = 1  # the end of the document
    return Document(document.ids[:-cut], document.labels[:-cut])


def _padded(documents: list[Document], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    length = max(len(d.ids) for d in documents)
    ids = torch.tensor([d.ids + [pad] * (length - len(d.ids)) for d in documents])
    return ids, torch.tensor([d.labels + [IGNORE] * (length - len(d.labels)) for d in documents])


def language_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, chat: bool, count: int) -> dict[str, Any]:
    """Per language: questions answered exactly, bits per byte, tokens per word; all on the test split."""
    from ..evaluation.asking import exact_match, read_questions
    from ..evaluation.bits import bits_per_byte

    found: dict[str, Any] = {}
    for lang in LANGUAGES:
        texts = list(islice(stories(lang, "test", 1), count))
        bits = bits_per_byte(model, tokenizer, texts, context=256)
        found[lang] = {"bits_per_byte": round(bits.bits_per_byte, 4), "tokens_per_word": round(bits.tokens / sum(len(t.split()) for t in texts), 3)}
        if chat:
            asked = exact_match(model, tokenizer, read_questions(f"demo:{lang}", count))
            found[lang] |= {"exact_match": round(asked.score, 4), "low": round(asked.low, 4), "high": round(asked.high, 4), "n": asked.n}
        else:
            found[lang] |= {"exact_match": lookup(model, tokenizer, lang, count), "n": count}
    return found


def masked_accuracy(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, lang: str, count: int) -> float:
    """Share of masked tokens that the encoder puts first, one in seven masked, on test stories."""
    import torch

    good = total = 0
    for n, text in enumerate(islice(stories(lang, "test", 1), count)):
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        places = torch.arange(1 + n % 7, ids.shape[1] - 1, 7)
        hidden = ids.clone()
        hidden[0, places] = tokenizer.mask_token_id
        with torch.inference_mode():
            told = model.eval()(input_ids=hidden).logits[0, places].argmax(-1)
        good, total = good + int((told == ids[0, places]).sum()), total + len(places)
    return round(good / max(total, 1), 4)
