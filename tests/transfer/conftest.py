"""What methods ask for, made in a moment: a donor, word vectors, a dictionary."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tiny
from aids import METHODS, Aids, around

from workbench.tokenizer import Extension, extend, load, save
from workbench.transfer.base import Method
from workbench.transfer.space import text_of
from workbench.vocab import Vocabulary


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Sets how many threads PyTorch uses, until the test ends."""
    import torch

    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def longer(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A tokenizer, and the same with 30 Russian tokens more."""
    place = tmp_path_factory.mktemp("tokenizers")
    base = tiny.tokenizer(place / "base")
    return base, save(extend(load(base), tiny.RUSSIAN * 3, Extension(new_tokens=30, script="Cyrillic")).tokenizer, place / "longer")


@pytest.fixture(scope="session")
def aids(longer: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Aids:
    place = tmp_path_factory.mktemp("aids")
    donor = tiny.model(tiny.tokenizer(place / "donor", merges=150, texts=tiny.ENGLISH + tiny.RUSSIAN), width=24, seed=5)
    rng = np.random.default_rng(3)
    texts = sorted({text_of(identity) for identity in Vocabulary(load(longer[1])).identities().values()} - {""})
    words = [text for text in texts if " " not in text and text.isprintable()]
    lines = [f"{len(words)} 7", *(" ".join([word, *map(str, rng.standard_normal(7).round(4))]) for word in words)]
    (place / "words.vec").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (place / "pairs.tsv").write_text("source\ttarget\n" + "".join(f"{word}\t{word}\n" for word in words[::2]), encoding="utf-8")
    return Aids(donor, place / "words.vec", place / "pairs.tsv")


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest, aids: Aids) -> Method:
    return METHODS[request.param](aids)


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chat model whose texts begin with <s>."""
    place = tmp_path_factory.mktemp("chat")
    tokenizer = load(tiny.tokenizer(place, chat=True))
    tokenizer.backend_tokenizer.post_processor = around("<s>")
    return tiny.model(save(tokenizer, place))


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uncased BERT's tokenizer, cut to 20 tokens."""
    from tokenizers import BertWordPieceTokenizer, processors
    from transformers import PreTrainedTokenizerFast

    made = BertWordPieceTokenizer(lowercase=True)
    made.train_from_iterator(tiny.ENGLISH + tiny.RUSSIAN, vocab_size=200, show_progress=False)
    ends = [(name, made.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends)
    made.enable_truncation(20)
    made.enable_padding(length=30)
    names = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "mask_token": "[MASK]"}
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    wrapped = PreTrainedTokenizerFast(tokenizer_object=made._tokenizer, model_max_length=20, model_input_names=inputs, **names)
    return save(wrapped, tmp_path_factory.mktemp("bert"))
