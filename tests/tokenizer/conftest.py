"""Tiny tokenizers, made here: byte-level BPE with its traps, SentencePiece BPE and Unigram, a rank file."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
import sentencepiece
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

from workbench.tokenizer import load
from workbench.tokenizer.alphabet import BYTES, from_letters
from workbench.tokenizer.loading import wrap
from workbench.tokenizer.verify import SAMPLE

ENGLISH = [
    "The bear lives in the old forest and sleeps through the winter.",
    "In the morning the children walk to the river, and the river is cold.",
    'She said that the house was built of stone; "it will stand," she said.',
    "There were 120 apples in the basket, 35 of them were red.",
    "def walk(path):",
    "    for name in path:",
    '        print(name, end="")',
    "",
    "Nobody in the village remembers when the bridge was built or who built it.",
    "  They don't know, they can't know, and they won't ask the others.",
]
RUSSIAN = [
    "Медведь живёт в старом лесу и спит всю зиму.",
    "Утром дети идут к реке, а река холодная и быстрая.",
    "Она сказала, что дом построен из камня; «он будет стоять», — сказала она.",
    "В корзине было 120 яблок, 35 из них были красные, по-русски говоря.",
    "Никто в деревне не помнит, когда построили мост и кто его построил.",
    "Они не знают, не могут знать и не станут спрашивать других.",
    "Старый медведь помнит старый лес, и старый лес помнит медведя.",
    "Дети построили дом из снега у холодной реки, и дом стоял всю зиму.",
]
PERSIAN = [
    "خرس در جنگل کهن زندگی می\u200cکند و همهٔ زمستان را می\u200cخوابد.",
    "صبح بچه\u200cها به رودخانه می\u200cروند و رودخانه سرد است.",
    "او گفت که خانه از سنگ ساخته شده است؛ خانه\u200cهای سنگی می\u200cمانند.",
    "در سبد ۱۲۰ سیب بود و ۳۵ تای آن\u200cها سرخ بودند.",
    "هیچ\u200cکس در روستا نمی\u200cداند پل را چه کسی ساخت و کی ساخت.",
    "بچه\u200cها نمی\u200cدانند و نمی\u200cتوانند بدانند، از دیگران هم نمی\u200cپرسند.",
]
KOREAN = [
    "곰은 오래된 숲에 살고 겨울 내내 잠을 잔다.",
    "아침에 아이들은 강으로 걸어가고 강은 차갑다.",
    "그녀는 집이 돌로 지어졌다고 말했다, 집은 서 있을 것이라고 말했다.",
    "바구니에는 사과가 120개 있었고 그중 35개는 빨간 사과였다.",
    "마을의 아무도 다리가 언제 지어졌는지 누가 지었는지 기억하지 못한다.",
]
CORPORA = {"Cyrillic": RUSSIAN, "Arabic": PERSIAN, "Hangul": KOREAN, None: RUSSIAN + ENGLISH}
CHAT = "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"


def byte_level(ignore_merges: bool) -> tokenizers.Tokenizer:
    """A byte-level BPE whose special tokens are not in the model; with `ignore_merges`, it has tokens that no merge makes, as Llama-3 has."""
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.train_from_iterator(ENGLISH + RUSSIAN[:1], trainers.BpeTrainer(vocab_size=360, show_progress=False, initial_alphabet=sorted(BYTES)))
    spec = json.loads(backend.to_str())
    if ignore_merges:
        for word in ("Ġvillage", "Ġbridge", "ĠÐ´ÐµÑĤÐ¸"):
            spec["model"]["vocab"].setdefault(word, len(spec["model"]["vocab"]))
        spec["model"]["ignore_merges"] = True
    backend = tokenizers.Tokenizer.from_str(json.dumps(spec))
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([tokenizers.AddedToken(t, special=True, normalized=False) for t in ("<|begin|>", "<|end|>", "<|user|>", "<|assistant|>")])
    backend.add_tokens([tokenizers.AddedToken("<think>", special=False, normalized=False)])
    begin = backend.token_to_id("<|begin|>")
    backend.post_processor = processors.TemplateProcessing(single="<|begin|> $A", pair="<|begin|> $A $B", special_tokens=[("<|begin|>", begin)])
    return backend


def train_sentencepiece(folder: Path, name: str, texts: list[str], **options: object) -> Path:
    corpus = folder / f"{name}.txt"
    corpus.write_text("\n".join(line for text in texts for line in text.split("\n")), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(folder / name), minloglevel=2, num_threads=1, hard_vocab_limit=False, **options
    )
    return folder / f"{name}.model"


@pytest.fixture(scope="session")
def sp_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sp")


@pytest.fixture(scope="session")
def sp_bpe(sp_folder: Path) -> Path:
    """Like Llama-2: BPE, byte fallback, nothing normalised; it knows few Russian letters."""
    return train_sentencepiece(
        sp_folder, "like-llama", ENGLISH * 3 + ["медведь дом"], model_type="bpe", vocab_size=420, byte_fallback=True, normalization_rule_name="identity",
        remove_extra_whitespaces=False, character_coverage=1.0, split_digits=True, allow_whitespace_only_pieces=True,
    )  # fmt: skip


@pytest.fixture(scope="session")
def bases(sp_bpe: Path) -> dict:
    roles = {"bos_token": "<|begin|>", "eos_token": "<|end|>", "chat_template": CHAT}
    return {"byte-level": wrap(byte_level(False), roles), "ignore_merges": wrap(byte_level(True), roles), "sentencepiece": load(sp_bpe)}


@pytest.fixture(scope="session", params=["byte-level", "ignore_merges", "sentencepiece"])
def base(request: pytest.FixtureRequest, bases: dict) -> object:
    return bases[request.param]


@pytest.fixture(scope="session")
def rank_file(sp_folder: Path) -> Path:
    """A tiny *.tiktoken file with the products of a byte-level BPE in the order they were learned."""
    model = json.loads(byte_level(False).to_str())["model"]
    tokens = [bytes([b]) for b in range(256)] + [from_letters("".join(pair)) for pair in model["merges"]]
    path = sp_folder / "tiny.tiktoken"
    path.write_bytes(b"".join(base64.b64encode(t) + b" %d\n" % i for i, t in enumerate(dict.fromkeys(tokens))))
    return path


@pytest.fixture(scope="session")
def wordpiece(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """A cased and an uncased vocab.txt."""
    from tokenizers import BertWordPieceTokenizer

    found = {}
    for lower in (False, True):
        made = BertWordPieceTokenizer(lowercase=lower, strip_accents=lower)
        made.train_from_iterator([*ENGLISH, *RUSSIAN, *PERSIAN, *KOREAN, *SAMPLE], vocab_size=600, show_progress=False)
        found[lower] = tmp_path_factory.mktemp(f"wordpiece-{lower}") / "vocab.txt"
        found[lower].write_text("".join(f"{token}\n" for token, _ in sorted(made.get_vocab().items(), key=lambda item: item[1])), encoding="utf-8")
    return found


@pytest.fixture(scope="session")
def flores(real_data: Path) -> Iterator[dict[str, list[str]]]:
    """Language → its 1004 sentences."""
    head, *rows = (line.split("\t") for line in (real_data / "parallel/flores_sib200.tsv").read_text(encoding="utf-8").rstrip("\n").split("\n"))
    return {language: [row[i] for row in rows] for i, language in enumerate(head) if len(language) == 2}


class Loaded(dict):
    """The real tokenizers by name, each converted when a test first asks for it: conversion checks itself against the original library."""

    FILES: ClassVar[dict[str, str]] = {
        "gpt2": "gpt2-vocab.json", "llama2": "llama2.model", "mistral": "mistral-v3.model", "llama3": "llama3.tiktoken", "qwen": "qwen.tiktoken",
        "darulm-bpe": "darulm-ru-32k-bpe.model", "darulm-unigram": "darulm-ru-32k-unigram.model",
    }  # fmt: skip

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __missing__(self, name: str) -> object:
        self[name] = load(self.folder / self.FILES[name])
        return self[name]


@pytest.fixture(scope="session")
def real_tokenizers(real_data: Path) -> dict:
    return Loaded(real_data / "tokenizers")
