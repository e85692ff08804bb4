"""Importing vocabularies that come without a tokenizer.json: WordPiece, GPT-2 style pairs, tekken."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
import tiktoken
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench.errors import WorkbenchError
from workbench.tokenizer import Extension, convert_tiktoken, extend, load, save
from workbench.tokenizer.alphabet import from_letters
from workbench.tokenizer.verify import SAMPLE

from .conftest import ENGLISH, KOREAN, PERSIAN, RUSSIAN, byte_level

ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
quick = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXTS = ENGLISH + RUSSIAN + PERSIAN + KOREAN
CASES = [{}, {"do_lower_case": False}, {"do_lower_case": True, "strip_accents": False}, {"tokenize_chinese_chars": False, "do_lower_case": False}]


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("stated", CASES)
def test_wordpiece_gives_the_ids_of_transformers(wordpiece: dict, tmp_path: Path, stated: dict, lower: bool) -> None:
    from transformers import BertTokenizer

    (tmp_path / "vocab.txt").write_bytes(wordpiece[lower].read_bytes())
    if stated:
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(stated | {"tokenizer_class": "BertTokenizer"}))
    mine, original = load(tmp_path), BertTokenizer(vocab=mine_vocab(tmp_path), **{"do_lower_case": lower} | stated)
    for text in (*TEXTS, *SAMPLE):
        assert mine(text)["input_ids"] == original(text)["input_ids"]
        assert mine(text, "The river")["token_type_ids"] == original(text, "The river")["token_type_ids"]
    assert load(tmp_path / "vocab.txt").get_vocab() == mine.get_vocab()
    assert (mine.cls_token, mine.sep_token, mine.unk_token, mine.pad_token, mine.mask_token) == ("[CLS]", "[SEP]", "[UNK]", "[PAD]", "[MASK]")
    again = load(save(mine, tmp_path / "saved"))
    assert [again(text)["input_ids"] for text in SAMPLE] == [mine(text)["input_ids"] for text in SAMPLE]
    assert mine.tokenize("a [MASK] b")[1] == "[MASK]"


def mine_vocab(folder: Path) -> dict[str, int]:
    return {token: i for i, token in enumerate((folder / "vocab.txt").read_text(encoding="utf-8").rstrip("\n").split("\n"))}


def test_wordpiece_added_tokens_keep_their_ids(wordpiece: dict, tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_bytes(wordpiece[False].read_bytes())
    size = len(mine_vocab(tmp_path))
    (tmp_path / "added_tokens.json").write_text(json.dumps({"[NEW]": size + 1, "река": size}))
    made = load(tmp_path)
    assert made.convert_tokens_to_ids(["река", "[NEW]"]) == [size, size + 1]
    assert made.tokenize("хреках [NEW]")[1] == "река"


@pytest.mark.parametrize(
    ("content", "config", "message"),
    [(b"a\nb\n", {}, r"has no line \[UNK\]"), (b"[UNK]\na\na\n", {}, r"has the token 'a' twice \(line 2\)"), (b"[UNK]\n\xff\n", {}, "is not UTF-8 at byte 6"),
     (b"[UNK]\n", {"tokenizer_class": "BertJapaneseTokenizer"}, "BertJapaneseTokenizer, which is not read here"),
     (b"[UNK]\n", {"added_tokens_decoder": {"x": {"content": "a"}}}, "are not numbered")],
)  # fmt: skip
def test_a_bad_wordpiece_vocabulary_is_one_sentence(tmp_path: Path, content: bytes, config: dict, message: str) -> None:
    (tmp_path / "vocab.txt").write_bytes(content)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(WorkbenchError, match=message):
        load(tmp_path)


def write_pair(folder: Path, config: dict | None = None, more: tuple[str, ...] = (), names: tuple[str, str] = ("vocab.json", "merges.txt")) -> Path:
    """A tiny vocab.json with `more` tokens at its end, and merges.txt."""
    model = json.loads(byte_level(False).to_str())["model"]
    vocab = model["vocab"] | {token: len(model["vocab"]) + i for i, token in enumerate(more)}
    folder.mkdir(exist_ok=True)
    (folder / names[0]).write_text(json.dumps(vocab), encoding="utf-8")
    (folder / names[1]).write_text("#version: 0.2\n" + "\n".join(" ".join(m) for m in model["merges"]) + "\n", encoding="utf-8")
    if config is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


QWEN2 = {
    "tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "bos_token": None, "add_prefix_space": False,
    "added_tokens_decoder": {str(360 + i): {"content": t, "special": i < 3, "normalized": False, "lstrip": False, "rstrip": False, "single_word": False}
                             for i, t in enumerate(("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool>"))},
}  # fmt: skip
ROBERTA = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
PAIRS = [
    ("GPT2Tokenizer", {"tokenizer_class": "GPT2Tokenizer"}, ("<|endoftext|>",)), ("GPT2Tokenizer", {"add_prefix_space": True}, ("<|endoftext|>",)),
    ("Qwen2Tokenizer", QWEN2, ()), ("RobertaTokenizer", {"tokenizer_class": "RobertaTokenizerFast"}, ROBERTA), ("RobertaTokenizer", {}, ROBERTA),
    ("RobertaTokenizer", {"tokenizer_class": "BartTokenizer", "add_prefix_space": True}, ROBERTA),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "config", "more"), PAIRS)
def test_pairs_are_cut_as_their_class_does(tmp_path: Path, kind: str, config: dict, more: tuple[str, ...]) -> None:
    import transformers

    folder = write_pair(tmp_path / "pair", config, more)
    mine = load(folder)
    original = getattr(transformers, kind).from_pretrained(folder)
    for text in (*TEXTS, *SAMPLE, "a<mask> b <|im_start|>user<tool>"):
        assert mine(text, add_special_tokens=False)["input_ids"] == original(text, add_special_tokens=False)["input_ids"]
        if kind == "RobertaTokenizer":
            assert mine(text, "river")["input_ids"] == original(text, "river")["input_ids"]
    assert mine.eos_token_id == original.eos_token_id
    again = load(save(mine, tmp_path / "saved"))
    assert [again(text)["input_ids"] for text in SAMPLE] == [mine(text)["input_ids"] for text in SAMPLE]


def test_qwen2_pairs_keep_their_added_ids(tmp_path: Path) -> None:
    made = load(write_pair(tmp_path, QWEN2))
    assert made.convert_tokens_to_ids(["<|endoftext|>", "<|im_end|>", "<tool>"]) == [360, 362, 363]
    assert (made.eos_token_id, made.pad_token_id) == (362, 360)
    assert made.tokenize("1234") == list("1234")
    assert 363 not in made.all_special_ids


def test_roberta_takes_the_space_before_its_mask(tmp_path: Path) -> None:
    made = load(write_pair(tmp_path, {}, ROBERTA))
    assert made.convert_ids_to_tokens(made("a <mask>", add_special_tokens=False)["input_ids"]) == ["a", "<mask>"]
    assert made.convert_ids_to_tokens(made("a")["input_ids"]) == ["<s>", "a", "</s>"]


def test_a_bos_that_is_stated_is_put_in_front(tmp_path: Path) -> None:
    """OPT: GPT-2's class with </s> before every text."""
    made = load(write_pair(tmp_path, {"tokenizer_class": "GPT2Tokenizer", "bos_token": "</s>", "eos_token": "</s>", "add_bos_token": True}, ("</s>",)))
    assert made.convert_ids_to_tokens(made("a")["input_ids"]) == ["</s>", "a"]
    assert "<|endoftext|>" not in made.get_vocab()


@pytest.mark.parametrize("names", [("vocab.json", "merges.txt"), ("gpt2-vocab.json", "gpt2-merges.txt"), ("encoder.json", "vocab.bpe")])
def test_pairs_by_either_file(tmp_path: Path, names: tuple[str, str]) -> None:
    write_pair(tmp_path, None, ("<|endoftext|>",), names)
    first, second = (load(tmp_path / name) for name in names)
    assert first.get_vocab() == second.get_vocab()
    assert first.tokenize(ENGLISH[0]) == second.tokenize(ENGLISH[0]) == byte_level(False).encode(ENGLISH[0], add_special_tokens=False).tokens
    (tmp_path / names[0]).unlink()
    with pytest.raises(WorkbenchError, match="give both files of one tokenizer"):
        load(tmp_path / names[1])


def test_pairs_that_are_cut_otherwise_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match="belongs to a CLIPTokenizer, whose way to cut text is not known"):
        load(write_pair(tmp_path, {"tokenizer_class": "CLIPTokenizer"}))
    (tmp_path / "merges.txt").write_text("a b</w>\n")
    with pytest.raises(WorkbenchError, match="marks the ends of words"):
        load(tmp_path, pattern="gpt2")


def write_tekken(path: Path, rank_file: Path, **changes: object) -> dict[bytes, int]:
    """A tiny tekken.json of `rank_file`, two ranks longer than the tokenizer, with 24 special tokens."""
    ranks = convert_tiktoken.read(rank_file)
    config = {"pattern": r"\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+", "default_num_special_tokens": 24, "default_vocab_size": 24 + len(ranks) - 2, "version": "v3"}
    vocab = [{"rank": rank, "token_bytes": base64.b64encode(token).decode(), "token_str": None} for token, rank in ranks.items()]
    path.write_text(json.dumps({"config": config, "vocab": vocab} | changes), encoding="utf-8")
    return {token: rank for token, rank in ranks.items() if rank < len(ranks) - 2}


@quick
@given(text=ANY | st.sampled_from([*TEXTS, *SAMPLE]))
def test_tekken_gives_the_same_ids(tekken: tuple, text: str) -> None:
    made, original = tekken
    assert made(text, add_special_tokens=False)["input_ids"] == [24 + rank for rank in original.encode_ordinary(text)]


@pytest.fixture(scope="session")
def tekken(rank_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple:
    folder = tmp_path_factory.mktemp("tekken")
    ranks = write_tekken(folder / "tekken.json", rank_file)
    pattern = json.loads((folder / "tekken.json").read_text())["config"]["pattern"]
    return load(folder), tiktoken.Encoding("tiny", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})


def test_tekken_special_tokens_come_first(tekken: tuple, rank_file: Path, tmp_path: Path) -> None:
    made, original = tekken
    assert made.convert_tokens_to_ids(["<unk>", "<s>", "</s>", "[INST]", "<pad>", "[TOOL_CONTENT]", "<SPECIAL_23>"]) == [0, 1, 2, 3, 11, 19, 23]
    assert (made.bos_token_id, made.eos_token_id, made.pad_token_id) == (1, 2, 11)
    assert made("a[INST]b")["input_ids"] == [1, 24 + 97, 3, 24 + 98]
    assert len(made) == 24 + original.n_vocab
    own = [{"rank": i, "token_str": token, "is_control": True} for i, token in enumerate(("<unk>", "<s>", "</s>", "[THINK]"))]
    write_tekken(tmp_path / "tekken_v9.json", rank_file, special_tokens=own)
    assert load(tmp_path).convert_tokens_to_ids(["[THINK]", "<SPECIAL_4>"]) == [3, 4]


def test_tekken_is_extended_without_moving_an_id(tekken: tuple, tmp_path: Path) -> None:
    made, _ = tekken
    extended = extend(made, RUSSIAN, Extension(new_tokens=30, script="Cyrillic"))
    again = load(save(extended.tokenizer, tmp_path))
    assert (extended.report.new, extended.report.dead, extended.new_ids.start) == (30, 0, len(made))
    assert made.get_vocab().items() <= again.get_vocab().items()
    assert [again(text)["input_ids"] for text in ENGLISH] == [made(text)["input_ids"] for text in ENGLISH]
    assert all(len(again(text)["input_ids"]) < len(made(text)["input_ids"]) for text in RUSSIAN)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"config": {}}, "lacks a part of a tekken.json"), ({"vocab": [{"rank": 0, "token_bytes": "?"}]}, "lacks a part"),
     ({"vocab": [{"rank": 0, "token_bytes": "YQ=="}]}, "does not hold the ranks 0 to"),
     ({"special_tokens": [{"rank": 5, "token_str": "<s>"}]}, "not numbered 0 to 23"),
     ({"special_tokens": [{"rank": 0, "token_str": "a"}]}, "both as a special")],
)  # fmt: skip
def test_a_bad_tekken_file_is_one_sentence(rank_file: Path, tmp_path: Path, changes: dict, message: str) -> None:
    write_tekken(tmp_path / "tekken.json", rank_file, **changes)
    with pytest.raises(WorkbenchError, match=message):
        load(tmp_path)


@pytest.mark.real
def test_gpt2_ids_in_twelve_languages(real_data: Path, real_tokenizers: dict, flores: dict) -> None:
    """tiktoken reads GPT-2's vocabulary as ranks: the ids are in the order of the merges."""
    vocab = json.loads((real_data / "tokenizers/gpt2-vocab.json").read_text(encoding="utf-8"))
    ranks = {from_letters(token): i for token, i in vocab.items() if token != "<|endoftext|>"}
    in_order = {token: rank for rank, token in enumerate(sorted(ranks, key=lambda token: (len(token) > 1, ranks[token])))}
    original = tiktoken.Encoding("gpt2", pat_str=convert_tiktoken.FAMILIES["gpt2"].regex, mergeable_ranks=in_order, special_tokens={})
    back = {rank: ranks[token] for token, rank in in_order.items()}
    for texts in flores.values():
        expected = [[back[i] for i in ids] for ids in original.encode_ordinary_batch(texts, num_threads=1)]
        assert real_tokenizers["gpt2"](texts, add_special_tokens=False)["input_ids"] == expected


@pytest.mark.real
def test_tekken_ids_in_twelve_languages(real_data: Path, flores: dict) -> None:
    path = next(iter(sorted((real_data / "tokenizers").glob("tekken*.json"))), None)
    if path is None:
        pytest.skip("there is no tekken*.json among the real tokenizers")
    content = json.loads(path.read_text(encoding="utf-8"))
    first, size = content["config"]["default_num_special_tokens"], content["config"]["default_vocab_size"]
    ranks = {base64.b64decode(token["token_bytes"]): token["rank"] for token in content["vocab"][: size - first]}
    original, made = tiktoken.Encoding("tekken", pat_str=content["config"]["pattern"], mergeable_ranks=ranks, special_tokens={}), load(path)
    assert (len(made), made.bos_token_id, made.eos_token_id) == (size, 1, 2)
    for texts in flores.values():
        expected = [[first + rank for rank in ids] for ids in original.encode_ordinary_batch(texts, num_threads=1)]
        assert made(texts, add_special_tokens=False)["input_ids"] == expected
    extended = extend(made, flores["ru"], Extension(new_tokens=300, script="Cyrillic"))
    assert (extended.report.new, extended.report.dead) == (300, 0)
    assert made.get_vocab().items() <= extended.tokenizer.get_vocab().items()
    assert extended.tokenizer(flores["en"])["input_ids"] == made(flores["en"])["input_ids"]
