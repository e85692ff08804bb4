"""Donors of every kind, and word vectors from files and texts."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch

from workbench.errors import WorkbenchError
from workbench.tokenizer import load
from workbench.transfer import Donor
from workbench.transfer.space import bilingual_words, dictionary_pairs, token_space, words_of
from workbench.transfer.wordvectors import learn, open_file
from workbench.vocab import Vocabulary

SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


def kinds() -> dict[str, tuple[str, str, dict[str, int]]]:
    """Name → class, config class, sizes."""
    t5 = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
    gpt = {"n_embd": 16, "n_layer": 1, "n_head": 2}
    return {
        "bert": ("BertModel", "BertConfig", SMALL), "bert with head": ("BertForMaskedLM", "BertConfig", SMALL),
        "roberta": ("RobertaForMaskedLM", "RobertaConfig", SMALL),
        "gpt2": ("GPT2LMHeadModel", "GPT2Config", gpt), "gpt2 bare": ("GPT2Model", "GPT2Config", gpt),
        "t5": ("T5ForConditionalGeneration", "T5Config", t5), "t5 encoder": ("T5EncoderModel", "T5Config", t5),
        "llama": ("LlamaForCausalLM", "LlamaConfig", SMALL), "modernbert": ("ModernBertModel", "ModernBertConfig", SMALL),
    }  # fmt: skip


@pytest.mark.parametrize("kind", kinds())
def test_the_table_of_any_kind_of_model_is_found(kind: str, tmp_path: Path) -> None:
    import transformers

    model, config, sizes = kinds()[kind]
    place = tiny.tokenizer(tmp_path / "donor")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = getattr(transformers, model)(getattr(transformers, config)(vocab_size=len(load(place)), pad_token_id=2, **sizes))
    made.save_pretrained(place)
    assert torch.equal(Donor.open(place).table, made.get_input_embeddings().weight)


def test_a_row_that_is_borrowed_is_not_a_tokens_own(tmp_path: Path) -> None:
    """A donor without capitals lends "bear" to "Bear": good to be imitated, not to imitate others with."""
    from workbench.transfer.base import Task

    texts = ["Bear bear BEAR bear Bear"] * 20
    donor = tiny.model(tiny.tokenizer(tmp_path / "donor", texts=[text.lower() for text in texts]))
    target = Vocabulary(load(tiny.tokenizer(tmp_path / "target", texts=texts)))
    _, has, own = Donor.open(donor).rows(Task(target, target, np.full(target.size, -1), target.size))
    big, small = target.find(" Bear"), target.find(" bear")
    assert has[[big, small]].tolist() == [True, True]
    assert own[[big, small]].tolist() == [False, True]


def test_a_donor_that_is_none(tmp_path: Path) -> None:
    place = tiny.folder(tmp_path / "donor")
    (tmp_path / "empty").mkdir()
    with pytest.raises(WorkbenchError, match=r"no config\.json"):
        Donor.open(tmp_path / "empty")
    (place / "config.json").write_text('{"quantization_config": {}}')
    with pytest.raises(WorkbenchError, match="quantised"):
        Donor.open(place)


def test_vectors_of_a_file_are_found_by_word_or_in_small_letters(tmp_path: Path) -> None:
    text = "3 2\nмир 1 2\nNew York 3 4\ncat 5 6\n"
    (tmp_path / "a.vec").write_text(text, encoding="utf-8")
    with gzip.open(tmp_path / "b.vec.gz", "wt", encoding="utf-8") as file:
        file.write(text)
    for name in ("a.vec", "b.vec.gz"):
        rows, has = open_file(str(tmp_path / name)).look_up(["Мир", "New York", "dog", "", "cat"])
        assert has.tolist() == [True, True, False, False, True]
        assert rows[[0, 1, 4]].tolist() == [[1, 2], [3, 4], [5, 6]]
    (tmp_path / "c.vec").write_text("мир 1 2\n", encoding="utf-8")
    with pytest.raises(WorkbenchError, match="does not begin with"):
        open_file(str(tmp_path / "c.vec")).look_up(["a"])
    (tmp_path / "d.bin").write_bytes(b"nonsense")
    with pytest.raises(WorkbenchError, match=r"no whole fastText \.bin"):
        open_file(str(tmp_path / "d.bin"))


def test_learned_vectors_are_the_same_each_time_and_leave_randomness_alone(tmp_path: Path) -> None:
    sentences = [line.split() for line in (tiny.ENGLISH + tiny.RUSSIAN) * 20]
    before = np.random.get_state()[1].copy()
    words = ["bear", "медведь", "медведями", "zzzzzz", "q"]
    (first, has), (second, _) = (learn(sentences, seed=1).look_up(words) for _ in range(2))
    assert (first == second).all()
    assert (np.random.get_state()[1] == before).all()
    assert has.tolist() == [True, True, True, False, False]  # the third is put together from n-grams, the last two have none that was seen
    assert not (learn(sentences, seed=2).look_up(words)[0] == first).all()
    with pytest.raises(WorkbenchError, match="give a longer one"):
        learn([["one", "two"]])


def test_a_fasttext_binary_composes_words_it_never_saw(tmp_path: Path) -> None:
    from gensim.models import FastText
    from gensim.models.fasttext import save_facebook_model

    model = FastText([line.split() for line in tiny.RUSSIAN * 20], vector_size=8, min_count=1, epochs=2, workers=1, bucket=500)
    save_facebook_model(model, str(tmp_path / "ru.bin"))
    rows, has = open_file(str(tmp_path / "ru.bin")).look_up(["медведь", "медведище"])
    assert has.all()
    assert np.allclose(rows[0], model.wv["медведь"], atol=1e-6)


def test_vectors_from_texts_pairs_and_the_demo_dictionary(tmp_path: Path) -> None:
    (tmp_path / "ru.txt").write_text("\n".join(tiny.RUSSIAN * 30), encoding="utf-8")
    vocabulary = Vocabulary(load(tiny.tokenizer(tmp_path / "t", texts=tiny.RUSSIAN)))
    space = token_space(vocabulary, vocabulary.size, str(tmp_path / "ru.txt"), 0)
    assert space.vectors.shape[0] == vocabulary.size
    assert 20 < space.has.sum() < vocabulary.size
    assert not space.has[0]  # a special token is no word
    assert token_space(vocabulary, vocabulary.size, str(tmp_path / "ru.txt"), 0).vectors is not None
    assert words_of(str(tmp_path / "ru.txt"), 0).look_up(["медведь"])[1].all()
    pairs = "source\ttarget\n" + "".join(f"{a}\t{b}\n" for a, b in zip(tiny.ENGLISH, tiny.RUSSIAN, strict=True)) * 30
    (tmp_path / "pairs.tsv").write_text(pairs, encoding="utf-8")
    assert bilingual_words(str(tmp_path / "pairs.tsv"), 0).look_up(["bear", "медведь"])[1].all()
    assert len(dictionary_pairs("demo:en-ru")) > 300
    assert ("the bear lives in the forest", "медведь живёт в лесу") in dictionary_pairs(str(tmp_path / "pairs.tsv"))
    with pytest.raises(WorkbenchError, match="demo:en-fa"):
        dictionary_pairs("demo:en-xx")
