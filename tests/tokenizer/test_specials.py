"""Special tokens of trained tokenizers: taken from a base, given, and contradictory."""

from __future__ import annotations

import pytest
from tokenizers import AddedToken, Tokenizer, models, processors

from workbench.errors import WorkbenchError
from workbench.tokenizer import Training, train
from workbench.tokenizer.loading import wrap

from .conftest import RUSSIAN
from .test_fresh import KINDS, TEXTS, encode, options


def test_roles_can_be_given(bases: dict) -> None:
    template = "{{ bos_token }}{% for m in messages %}<|say|>{{ m['content'] }}{% endfor %}"
    made = train(TEXTS, options("bpe", "byte-level", bos="<start>", pad="<pad>", specials=("<|say|>",), chat_template=template), base=bases["byte-level"])
    tokenizer = made.tokenizer
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == ("<start>", "<|end|>", "<pad>")
    assert tokenizer.convert_ids_to_tokens(tokenizer("да")["input_ids"])[0] == "<start>"
    chat = tokenizer.apply_chat_template([{"role": "user", "content": "да"}], tokenize=False)
    assert chat == "<start><|say|>да"
    assert encode(tokenizer, chat)[:2] == [tokenizer.convert_tokens_to_ids(t) for t in ("<start>", "<|say|>")]


def test_a_template_may_use_the_tags_of_transformers(bases: dict) -> None:
    template = "{% for m in messages %}{%- generation -%}{{ m['content'] }}{% endgeneration %}{% break %}{% endfor %}"
    tokenizer = train(TEXTS, options("bpe", "byte-level", chat_template=template), base=bases["byte-level"]).tokenizer
    assert tokenizer.apply_chat_template([{"role": "user", "content": "да"}], tokenize=False) == "да"


def test_a_wordpiece_base_gives_its_roles() -> None:
    backend = Tokenizer(models.WordPiece({"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a": 4}, unk_token="[UNK]"))
    backend.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in ("[PAD]", "[UNK]", "[CLS]", "[SEP]")])
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    roles = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    made = train(TEXTS, options("unigram", "sentencepiece", bos="<s>"), base=wrap(backend, roles)).tokenizer
    ids = made("да", "нет")["input_ids"]
    assert made.convert_ids_to_tokens(ids[0]) == "[CLS]"
    assert ids.count(made.sep_token_id) == 2
    assert made.bos_token == "<s>"


def test_a_special_in_the_text_is_not_learned(bases: dict) -> None:
    made = train(["<|user|>да<|end|> <think> нет"] * 50 + TEXTS, options("bpe", "sentencepiece"), base=bases["byte-level"])
    assert not [t for t in made.tokenizer.get_vocab() if "user" in t and t != "<|user|>"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"vocab_size": 200}, r"200 is too small: 3 special tokens, 256 bytes take 259; give more than that"),
        ({"vocab_size": 270, "alphabet": "sentencepiece"}, r"270 is too small: 3 special tokens, 256 bytes and \d+ letters of the text take .*min_frequency"),
        ({"bos": " "}, r"A special token is empty \('␣'\)"),
        ({"unk": "<x>", "eos": "<x>"}, r"eos and unk would both be '<x>'; only bos, eos and pad may share"),
        ({"unk": "</s>"}, r"unk and eos would both be '</s>'"),
        ({"pattern": ""}, r"The pattern is empty; give words, gpt2"),
        ({"specials": ("<a\u202e>", "<a\u202e>")}, r"'<a⟨U\+202E⟩>' is given twice"),
        ({"specials": ("</s>",), "eos": "</s>"}, r"'</s>' is given twice"),
        ({"specials": ("Ġ",)}, r"'Ġ' is also the token of a byte"),
        ({"specials": ("▁",), "alphabet": "sentencepiece"}, r"'▁' starts with ▁, a space in the sentencepiece"),
        ({"chat_template": "{{ oops"}, r"chat template is no Jinja \(.*, line 1\)"),
        ({"specials": ("<0x0A>",), "alphabet": "sentencepiece"}, r"'<0x0A>' is also the token of a byte"),
        ({"pattern": "(["}, r"is no regular expression .* give one of words, gpt2"),
        ({"pattern": "lama3"}, r"no pattern 'lama3'\. Did you mean llama3"),
        ({"min_frequency": 10_000}, r"Nothing in the text occurs 10000 times"),
        ({"chat_template": "{{ pad_token }}"}, r"uses pad_token, and the tokenizer has none; give pad"),
        ({"chat_template": "{{ '<|im_start|>' }}"}, r"names '<\|im_start\|>', which is no special token"),
        ({"chat_template": "/nowhere/chat.jinja"}, r"cannot be read"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(values: dict, message: str) -> None:
    with pytest.raises(WorkbenchError, match=message):
        train(TEXTS, Training(**({"vocab_size": 600} | values)))


@pytest.mark.real
@pytest.mark.parametrize(
    "name", ["llama2", "gpt2", "darulm-unigram", *(pytest.param(large, marks=pytest.mark.slow) for large in ("llama3", "mistral", "qwen"))]
)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_real_bases_give_their_special_tokens(kind: tuple[str, str], name: str, real_tokenizers: dict) -> None:
    base = real_tokenizers[name]
    made = train(RUSSIAN * 3, options(*kind, vocab_size=1500), base=base).tokenizer
    carried = [token.content for _, token in sorted(base.backend_tokenizer.get_added_tokens_decoder().items())]
    assert made.convert_ids_to_tokens(list(range(len(carried)))) == carried
    assert (made.bos_token, made.eos_token, made.pad_token) == (base.bos_token, base.eos_token, base.pad_token)
    front = [base.convert_ids_to_tokens(i) for i in base("a")["input_ids"] if base.convert_ids_to_tokens(i) in carried]
    assert [made.convert_ids_to_tokens(i) for i in made("a")["input_ids"] if made.convert_ids_to_tokens(i) in carried] == front
    for token in carried[:20]:
        assert encode(made, f"да{token}нет").count(made.convert_tokens_to_ids(token)) == 1
