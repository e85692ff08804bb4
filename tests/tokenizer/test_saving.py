"""What is saved is read the same by transformers 5, by transformers 4, and by the tokenizers library alone."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from workbench.tokenizer import Extension, extend, load, save
from workbench.tokenizer.loading import settings, wrap
from workbench.tokenizer.verify import SAMPLE

from .conftest import CHAT, ENGLISH, KOREAN, PERSIAN, RUSSIAN
from .test_importing import PAIRS, write_pair, write_tekken

TEXTS = [*ENGLISH, *RUSSIAN, *PERSIAN, *KOREAN, *SAMPLE]
MESSAGES = [{"role": "user", "content": "Где живёт медведь?"}, {"role": "assistant", "content": "В лесу.\n"}, {"role": "user", "content": "  می‌خوابد؟"}]
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n{{ m['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
LLAMA2 = (
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ bos_token + '[INST] ' + m['content'] + ' [/INST]' }}"
    "{% else %}{{ m['content'] + eos_token }}{% endif %}{% endfor %}"
)
needs_4 = pytest.mark.skipif("WORKBENCH_TRANSFORMERS4" not in os.environ, reason="WORKBENCH_TRANSFORMERS4 names no python with transformers 4")
# Runs in the other environment: class by name, folder, then on stdin texts and messages.
READER = """
import sys, json, tokenizers, transformers
assert transformers.__version__.startswith("4.")
t = getattr(transformers, sys.argv[1]).from_pretrained(sys.argv[2])
given = json.load(sys.stdin)
plain = [t(x, add_special_tokens=False)["input_ids"] for x in given["texts"]]
found = {
    "class": type(t).__name__, "length": len(t), "ids": [t(x)["input_ids"] for x in given["texts"]], "plain": plain, "decoded": [t.decode(x) for x in plain],
    "pairs": [t(x, "ab")["input_ids"] for x in given["texts"][:5]], "special": dict(zip(t.all_special_tokens, t.all_special_ids)), "template": t.chat_template,
}
if t.chat_template:
    found["chat"] = [t.apply_chat_template(given["messages"], tokenize=False, add_generation_prompt=g) for g in (False, True)]
    found["chat_ids"] = t.apply_chat_template(given["messages"], add_generation_prompt=True)
if t.is_fast:
    alone = tokenizers.Tokenizer.from_file(sys.argv[2] + "/tokenizer.json")
    found["alone"] = [alone.encode(x).ids for x in given["texts"]]
print(json.dumps(found))
"""


def in_version_4(folder: Path, texts: list[str], kind: str = "AutoTokenizer") -> dict[str, Any]:
    command = [os.environ["WORKBENCH_TRANSFORMERS4"], "-c", READER, kind, str(folder)]
    run = subprocess.run(command, input=json.dumps({"texts": texts, "messages": MESSAGES}), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout)


def assert_same_in_version_4(made: Any, folder: Path, texts: list[str]) -> None:
    there = in_version_4(save(made, folder), texts)
    plain = [made(text, add_special_tokens=False)["input_ids"] for text in texts]
    assert there["class"] == "PreTrainedTokenizerFast"
    assert (there["length"], there["plain"]) == (len(made), plain)
    assert there["ids"] == [made(text)["input_ids"] for text in texts]
    assert there["alone"] == there["ids"]
    assert there["pairs"] == [made(text, "ab")["input_ids"] for text in texts[:5]]
    assert there["decoded"] == [made.decode(ids) for ids in plain]
    assert there["special"] == dict(zip(made.all_special_tokens, made.all_special_ids, strict=True))
    assert there["template"] == made.chat_template
    if made.chat_template:
        assert there["chat"] == [made.apply_chat_template(MESSAGES, tokenize=False, add_generation_prompt=asked) for asked in (False, True)]
        assert there["chat_ids"] == made.apply_chat_template(MESSAGES, add_generation_prompt=True)["input_ids"]


def test_the_files_are_those_that_version_4_reads(bases: dict, tmp_path: Path) -> None:
    """Version 4 knows no TokenizersBackend, takes extra_special_tokens for a dict, and older ones read a template only from the config."""
    for name, base in bases.items():
        base = wrap(base.backend_tokenizer, settings(base) | {"additional_special_tokens": ["<|user|>"], "chat_template": CHAT})
        folder = save(extend(base, RUSSIAN, Extension(new_tokens=20)).tokenizer, tmp_path / name)
        assert {file.name for file in folder.iterdir()} == {"tokenizer.json", "tokenizer_config.json"}
        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        assert config["tokenizer_class"] == "PreTrainedTokenizerFast"
        assert config["chat_template"] == CHAT
        assert config["additional_special_tokens"] == ["<|user|>"]
        assert not {"extra_special_tokens", "backend", "is_local", "added_tokens_decoder", "auto_map"} & config.keys()
        assert all(isinstance(config[key], str) for key in config if key.endswith("_token"))
        spec = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        assert spec.keys() == {"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model"}
        assert spec["model"].keys() <= {
            "type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges"
        }  # fmt: skip
        assert all(token["id"] == spec["model"]["vocab"][token["content"]] for token in spec["added_tokens"])  # no number is given anew on loading


def test_a_space_in_front_is_stated_twice(tmp_path: Path) -> None:
    """Version 4 changes the pre-tokenizer of tokenizer.json to what the config says of add_prefix_space, or to False."""
    made = load(write_pair(tmp_path / "pair", {"add_prefix_space": True}, ("<|endoftext|>",)))
    saved = save(made, tmp_path / "saved")
    assert json.loads((saved / "tokenizer_config.json").read_text())["add_prefix_space"] is True
    assert load(saved)("bear")["input_ids"] == made("bear")["input_ids"] == made(" bear")["input_ids"]


def test_the_tokenizers_library_reads_it_alone(bases: dict, tmp_path: Path) -> None:
    for name, base in bases.items():
        made = extend(base, RUSSIAN, Extension(new_tokens=20, script="Cyrillic")).tokenizer
        alone = Tokenizer.from_file(str(save(made, tmp_path / name) / "tokenizer.json"))
        assert [alone.encode(text).ids for text in TEXTS] == [made(text)["input_ids"] for text in TEXTS]
        assert alone.get_vocab() == made.get_vocab()


@needs_4
@pytest.mark.external
def test_transformers_4_reads_extended_tokenizers(bases: dict, tmp_path: Path) -> None:
    for name, base in bases.items():
        base = wrap(base.backend_tokenizer, settings(base) | {"chat_template": CHAT})
        assert_same_in_version_4(extend(base, RUSSIAN, Extension(new_tokens=20, script="Cyrillic")).tokenizer, tmp_path / name, TEXTS)


@needs_4
@pytest.mark.external
@pytest.mark.parametrize(("kind", "config", "more"), PAIRS)
def test_imported_pairs_are_what_version_4_makes_of_the_same_files(tmp_path: Path, kind: str, config: dict, more: tuple[str, ...]) -> None:
    """Its slow tokenizers are written in Python: they share no code with ours."""
    folder = write_pair(tmp_path / "pair", config, more)
    made = load(folder)
    texts = [text for text in TEXTS if text[:1].strip()]  # before a space, or nothing, slow and fast ones differ on add_prefix_space
    assert in_version_4(folder, texts, kind)["plain"] == [made(text, add_special_tokens=False)["input_ids"] for text in texts]
    assert_same_in_version_4(made, tmp_path / "saved", TEXTS)


@needs_4
@pytest.mark.external
@pytest.mark.parametrize("lower", [False, True])
def test_imported_wordpiece_is_what_version_4_makes_of_the_same_file(wordpiece: dict, tmp_path: Path, lower: bool) -> None:
    folder = wordpiece[lower].parent
    (tmp_path / "vocab.txt").write_bytes(wordpiece[lower].read_bytes())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lower}))
    # The slow one composes é first and drops unassigned characters such as U+10FFFF, the fast one does neither.
    made, texts = load(folder), [text for text in TEXTS if not {"\u0301", "\U0010ffff"} & {*text}]
    assert in_version_4(tmp_path, texts, "BertTokenizer")["ids"] == [made(text)["input_ids"] for text in texts]
    assert_same_in_version_4(made, tmp_path / "saved", TEXTS)


@needs_4
@pytest.mark.external
def test_transformers_4_reads_an_extended_tekken(rank_file: Path, tmp_path: Path) -> None:
    write_tekken(tmp_path / "tekken.json", rank_file)
    assert_same_in_version_4(extend(load(tmp_path), RUSSIAN, Extension(new_tokens=20)).tokenizer, tmp_path / "saved", TEXTS)


@needs_4
@pytest.mark.external
@pytest.mark.real
@pytest.mark.parametrize(("name", "template"), [("llama2", LLAMA2), ("llama3", LLAMA3), ("gpt2", CHAT), ("qwen", CHAT), ("mistral", LLAMA2)])
def test_transformers_4_reads_real_tokenizers_extended(real_tokenizers: dict, flores: dict, tmp_path: Path, name: str, template: str) -> None:
    base = real_tokenizers[name]
    base = wrap(base.backend_tokenizer, settings(base) | {"chat_template": template})
    made = extend(base, flores["ru"], Extension(new_tokens=500, script="Cyrillic")).tokenizer
    assert_same_in_version_4(made, tmp_path, [*TEXTS, *(text for language in flores.values() for text in language[:40])])
