"""Every family of decoders: tied and untied, with a head's bias, with tables inside a larger model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch

import workbench as wb
from workbench.checkpoint import Checkpoint
from workbench.tokenizer import Extension, extend, load, save
from workbench.transfer import Carry, Mean, Subtokens, Transfer

SMALL = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 64,
}  # fmt: skip
GPT = {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 64}
EYE = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28, "patch_size": 14}
# Family → (model class, config class, options); the rows come from the tokenizer.
FAMILIES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "llama": ("LlamaForCausalLM", "LlamaConfig", SMALL),
    "llama-tied": ("LlamaForCausalLM", "LlamaConfig", SMALL | {"tie_word_embeddings": True}),
    "mistral": ("MistralForCausalLM", "MistralConfig", SMALL),
    "qwen2-tied": ("Qwen2ForCausalLM", "Qwen2Config", SMALL | {"tie_word_embeddings": True}),
    "qwen3": ("Qwen3ForCausalLM", "Qwen3Config", SMALL | {"head_dim": 8}),
    "gemma2": ("Gemma2ForCausalLM", "Gemma2Config", SMALL | {"head_dim": 8}),
    "gemma3": ("Gemma3ForCausalLM", "Gemma3TextConfig", SMALL | {"head_dim": 8}),
    "gpt2": ("GPT2LMHeadModel", "GPT2Config", GPT),
    "gpt-neox": ("GPTNeoXForCausalLM", "GPTNeoXConfig", {k: v for k, v in SMALL.items() if k != "num_key_value_heads"}),
    "gpt-j-bias": ("GPTJForCausalLM", "GPTJConfig", GPT | {"rotary_dim": 4}),
    "phi-bias": ("PhiForCausalLM", "PhiConfig", SMALL),
    "opt": ("OPTForCausalLM", "OPTConfig", {"hidden_size": 16, "word_embed_proj_dim": 16, "ffn_dim": 32, "num_hidden_layers": 1, "num_attention_heads": 2}),
    "bloom": ("BloomForCausalLM", "BloomConfig", {"hidden_size": 16, "n_layer": 1, "n_head": 2}),
}
each_family = pytest.mark.parametrize("family", FAMILIES)


def family_model(place: Path, family: str, dtype: str = "float32", pad_rows: int = 0, **saving: Any) -> Path:
    """A model of this family over tiny's byte-level tokenizer, its norms and biases random too."""
    import transformers

    tiny.tokenizer(place)
    rows = max(load(place).get_vocab().values()) + 1 + pad_rows
    made, config, options = FAMILIES[family]
    return filled(getattr(transformers, made), getattr(transformers, config)(vocab_size=rows, **IDS, **options), place, dtype, **saving)


IDS = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}


def filled(make: Callable[[Any], Any], config: Any, place: Path, dtype: str = "float32", **saving: Any) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = make(config)
        for parameter in model.parameters():  # a bias of zeros would prove nothing
            torch.nn.init.normal_(parameter, std=0.3)
    model.tie_weights()
    model.generation_config.eos_token_id = [1, 3]
    model.to(getattr(torch, dtype)).save_pretrained(place, **saving)
    return place


def extended(base: Path, out: Path) -> Path:
    return save(extend(load(base), tiny.RUSSIAN * 3, Extension(new_tokens=20, script="Cyrillic")).tokenizer, out)


def opened(place: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, report = AutoModelForCausalLM.from_pretrained(place, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert not report["mismatched_keys"]
    return model.eval(), AutoTokenizer.from_pretrained(place)


def check_generates(model: Any, tokenizer: Any, text: str) -> None:
    ids = tokenizer(text, return_tensors="pt").input_ids
    assert int(ids.max()) < model.get_input_embeddings().weight.shape[0]
    made = model.generate(ids, max_new_tokens=3, min_new_tokens=3, do_sample=False)
    assert made.shape[1] == ids.shape[1] + 3


@each_family
def test_an_extended_vocabulary_leaves_the_logits_of_kept_tokens_as_they_were(tmp_path: Path, family: str) -> None:
    base = family_model(tmp_path / "base", family)
    made = wb.run(Transfer(model=base, tokenizer=extended(base, tmp_path / "longer")))
    (old, words), (new, longer) = opened(base), opened(made.path)
    assert made.metrics["warnings"] == []
    before, after = Checkpoint.open(base), Checkpoint.open(made.path)
    rows = before.shape[0]
    assert after.shape == (rows + 20, 16)
    assert after.tied == before.tied == old.config.tie_word_embeddings == new.config.tie_word_embeddings
    assert set(after.shards) == set(before.shards)
    ids = words("the bear lives", return_tensors="pt").input_ids
    assert torch.equal(ids, longer("the bear lives", return_tensors="pt").input_ids)
    with torch.inference_mode():
        torch.testing.assert_close(new(ids).logits[..., :rows], old(ids).logits)  # up to rounding: some processors sum a wider product otherwise
    assert new.get_output_embeddings().weight.shape[0] == rows + 20
    assert new.generation_config.eos_token_id == [1, 3]
    check_generates(new, longer, "медведь и")
    if before.bias_name:  # a new row's bias is made as its vector is
        bias, weights = after.tensor(after.bias_name), before.tensor(before.bias_name)
        assert torch.equal(bias[:rows], weights)
        carry = Carry.open(base, tmp_path / "longer")
        mix = Subtokens().blend(carry.task).mix
        assert torch.allclose(bias[rows:].double(), torch.from_numpy(mix[rows:] @ weights.double().numpy()), atol=1e-6)
    else:
        assert new.get_output_embeddings().bias is None


@each_family
def test_a_wholly_different_tokenizer(tmp_path: Path, family: str, wordpiece: Path) -> None:
    base = family_model(tmp_path / "base", family)
    made = wb.run(Transfer(model=base, tokenizer=wordpiece))
    new, words = opened(made.path)
    # transformers 5 gives a qwen2 model the pre-tokenizer of Qwen2, whatever tokenizer.json says.
    assert any("AutoTokenizer" in warning for warning in made.metrics["warnings"]) == (family == "qwen2-tied")
    words = words if family != "qwen2-tied" else load(made.path)
    before, after = Checkpoint.open(base), Checkpoint.open(made.path)
    assert len(after.input()) == len(words) == new.get_output_embeddings().weight.shape[0]
    ids, old = words.get_vocab(), load(base).get_vocab()
    for name in ("<s>", "</s>", "<pad>", "<|user|>"):  # the last is an end of text by the generation config
        if name in ids:
            assert torch.equal(after.input()[ids[name]], before.input()[old[name]])
    assert (words.bos_token, words.eos_token, words.pad_token) == ("<s>", "</s>", "[PAD]")
    assert torch.equal(after.input()[words.pad_token_id], before.input()[old["<pad>"]])
    config = json.loads((made.path / "config.json").read_text())
    assert [config[f"{role}_token_id"] for role in ("bos", "eos", "pad")] == [words.bos_token_id, words.eos_token_id, words.pad_token_id]
    assert new.generation_config.eos_token_id == [words.eos_token_id, ids["<|user|>"]]
    assert words.decode(words("the bear").input_ids) == "the bear"  # nothing around a text, as the source has it
    check_generates(new, words, "the bear lives")


@pytest.fixture(scope="module")
def wordpiece(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uncased BERT's tokenizer."""
    from tokenizers import BertWordPieceTokenizer
    from transformers import PreTrainedTokenizerFast

    made = BertWordPieceTokenizer(lowercase=True)
    made.train_from_iterator(tiny.ENGLISH + tiny.RUSSIAN, vocab_size=200, show_progress=False)
    made.post_processor = _cls_sep(made)
    names = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "mask_token": "[MASK]"}
    return save(PreTrainedTokenizerFast(tokenizer_object=made._tokenizer, model_max_length=20, **names), tmp_path_factory.mktemp("bert"))


def _cls_sep(made: Any) -> Any:
    from tokenizers.processors import TemplateProcessing

    ends = [(name, made.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    return TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("family", ["qwen2-tied", "gpt-neox", "phi-bias"])
def test_dtype_shards_and_padding_are_kept_as_they_are(tmp_path: Path, family: str, dtype: str) -> None:
    base = family_model(tmp_path / "base", family, dtype, pad_rows=7, max_shard_size="10KB")
    longer = extended(base, tmp_path / "longer")
    assert len(set(Checkpoint.open(base).shards.values())) > 1
    made = wb.run(Transfer(model=base, tokenizer=longer))
    before, after = Checkpoint.open(base), Checkpoint.open(made.path)
    rows = load(base).backend_tokenizer.get_vocab_size()
    assert after.shape[0] == rows + 20  # the padding gave way to the new tokens
    for name in after.shards:
        assert after.tensor(name).dtype == before.tensor(name).dtype == getattr(torch, dtype)
    assert torch.equal(after.input()[:rows], before.input()[:rows])
    same = wb.run(Transfer(model=base, tokenizer=base))
    assert all(torch.equal(Checkpoint.open(same.path).tensor(name), before.tensor(name)) for name in before.shards)
    model, tokenizer = opened(made.path)
    check_generates(model, tokenizer, "медведь")


def test_a_table_inside_a_model_of_several_parts(tmp_path: Path) -> None:
    """Gemma 3 that sees: the text's sizes and ids stand in `text_config`, the table in another place."""
    from transformers import AutoTokenizer, Gemma3Config, Gemma3ForConditionalGeneration

    base = tiny.tokenizer(tmp_path / "base")
    rows = max(load(base).get_vocab().values()) + 1
    config = Gemma3Config(
        text_config=SMALL | {"vocab_size": rows, "head_dim": 8} | IDS, vision_config=EYE, mm_tokens_per_image=4, image_token_id=3, image_token_index=3,
        boi_token_index=3, eoi_token_index=4, **IDS,
    )  # fmt: skip
    filled(Gemma3ForConditionalGeneration, config, base)
    made = wb.run(Transfer(model=base, tokenizer=extended(base, tmp_path / "longer")))
    old, new = (Gemma3ForConditionalGeneration.from_pretrained(place).eval() for place in (base, made.path))
    assert new.config.text_config.vocab_size == rows + 20
    assert new.config.text_config.eos_token_id == 1
    ids = AutoTokenizer.from_pretrained(made.path)("the bear", return_tensors="pt").input_ids
    with torch.inference_mode():
        torch.testing.assert_close(new(input_ids=ids).logits[..., :rows], old(input_ids=ids).logits)  # up to rounding: wider products sum otherwise
    assert new.generate(input_ids=ids, max_new_tokens=2, do_sample=False).shape[1] > ids.shape[1]


def test_rows_may_be_padded_to_a_multiple_with_the_bias(tmp_path: Path) -> None:
    base = family_model(tmp_path / "base", "phi-bias")
    Carry.open(base, extended(base, tmp_path / "longer")).write(Mean(), tmp_path / "made", pad_to=64)
    model, tokenizer = opened(tmp_path / "made")
    assert model.config.vocab_size % 64 == 0
    assert len(model.lm_head.bias) == len(model.lm_head.weight) == model.config.vocab_size > len(tokenizer)
