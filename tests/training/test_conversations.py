"""Instruction data: which rows are conversations, what is said of those that are not, and one template for training and asking."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import WorkbenchError
from workbench.tokenizer import load
from workbench.training.conversations import PLAIN, Conversations, conversation, end_ids, with_template
from workbench.training.data import IGNORE, chats, render

ALPACA = {"instruction": "Who lives in the forest?", "input": "", "output": "The bear."}
TALK = {"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "The fox."}]}
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30).filter(str.strip)


def write(path: Path, rows: list[object]) -> str:
    text = json.dumps(rows) if path.suffix == ".json" else "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("row", "turns"),
    [
        (ALPACA, ["Who lives in the forest?", "The bear."]),
        (ALPACA | {"input": "A story."}, ["Who lives in the forest?\n\nA story.", "The bear."]),
        (ALPACA | {"output": 0}, ["Who lives in the forest?", "0"]),
        ({"prompt": "Who?", "answer": "The fox."}, ["Who?", "The fox."]),
        (TALK, ["Who?", "The fox."]),
    ],
)
def test_rows_of_every_form_are_conversations(row: dict, turns: list[str]) -> None:
    found = conversation(row, "row 1")
    assert [m["role"] for m in found] == ["user", "assistant"]
    assert [m["content"] for m in found] == turns


@pytest.mark.parametrize(
    ("row", "lacks"),
    [
        ({"instruction": "Who?"}, "row 7 has no output"),
        ({"instruction": " ", "output": "b"}, "row 7 has no instruction"),
        ({"instruction": "Who?", "output": "\ud800"}, "row 7 has no output"),
        ({"messages": [{"role": "user", "content": "Who?"}]}, "row 7: its messages have no reply"),
        ({"messages": [{"role": "assistant", "content": "b"}]}, "row 7: its messages ask nothing"),
        ({"messages": [TALK["messages"][1], *TALK["messages"]]}, "row 7: its messages begin with a reply"),
        ({"messages": [{"role": "user", "content": "\ud800"}, TALK["messages"][1]]}, "row 7: its messages hold half a character"),
        ({"messages": [{"role": "robot", "content": "b"}]}, "row 7: its messages are no list of role"),
        ({"messages": "Who?"}, "row 7: its messages are no list of role"),
        (["Who?"], "row 7 is no object"),
    ],
)
def test_a_row_that_is_none_says_what_it_lacks(row: object, lacks: str) -> None:
    assert conversation(row, "row 7").startswith(lacks)


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_rows_with_missing_fields_are_counted_and_the_first_is_named(tmp_path: Path, suffix: str) -> None:
    rows = [ALPACA, {"instruction": "x"}, TALK, {"output": "y"}, *({"instruction": f"Say {n}", "output": str(n)} for n in range(100))]
    found = Conversations([write(tmp_path / f"a{suffix}", rows)])
    assert found.skipped == 2
    assert found.first_skipped.endswith("row 2 has no output")
    kept = [*found.train, *found.held_out]
    assert len(kept) == 102
    assert found.count == len(list(found.train)) < 102
    assert list(found.train) == list(found.train)
    assert {m[0]["content"] for m in found.train}.isdisjoint(m[0]["content"] for m in found.held_out)


def test_several_references_follow_one_another(tmp_path: Path) -> None:
    found = Conversations([write(tmp_path / "a.json", [ALPACA]), write(tmp_path / "b.jsonl", [TALK])], held_out=0.0)
    assert [m[1]["content"] for m in found.train] == ["The bear.", "The fox."]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jsonl", json.dumps(ALPACA) + "\n{oh", "a.jsonl, row 2 is not JSON"),
        ("a.json", "[{]", "a.json cannot be read as JSON"),
        ("a.json", "{}", "holds no list"),
        ("a.jsonl", '{"instruction": "x"}', "holds no conversation to learn from .*row 1 has no output"),
        ("a.txt", "Who lives here?", "plain text, which has no replies"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, name: str, content: str, says: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(WorkbenchError, match=says):
        Conversations([str(tmp_path / name)])


def test_prompts_need_no_replies(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Who lives here?\nWho else?\n", encoding="utf-8")
    found = Conversations([str(tmp_path / "a.txt"), write(tmp_path / "b.json", [{"instruction": "Who?"}])], held_out=0.0, replied=False)
    assert [m[0]["content"] for m in found.train] == ["Who lives here?", "Who else?", "Who?"]


def test_the_demo_instructs_in_its_languages() -> None:
    found = Conversations(["demo:ru"])
    assert found.count == 2000
    assert len(list(found.held_out)) == 100
    with pytest.raises(WorkbenchError, match="The demo gives instructions in"):
        Conversations(["demo:xx"])


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> object:
    tokens = load(tiny.tokenizer(tmp_path_factory.mktemp("plain")))
    assert with_template(tokens)
    return tokens


def test_a_template_is_given_only_to_those_without(tmp_path: Path, plain: object) -> None:
    assert plain.chat_template == PLAIN
    other = load(tiny.tokenizer(tmp_path / "chat", chat=True))
    assert not with_template(other)
    assert other.chat_template == tiny.TEMPLATE
    other.chat_template, other.eos_token = None, None
    with pytest.raises(WorkbenchError, match="neither a chat template nor an end-of-text token"):
        with_template(other)


@settings(deadline=None)
@given(st.lists(words, min_size=2, max_size=6))
def test_what_is_learnt_is_what_is_asked_for(plain: object, said: list[str]) -> None:
    """The tokens before every reply are those of the prompt at that turn, and the labels are the replies with their ends."""
    talk = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(said[: len(said) // 2 * 2])]
    (document,) = chats(plain, [talk])
    assert document.ids[: len(render(plain, talk[:1], True))] == render(plain, talk[:1], True)
    learnt = plain.decode([i for i in document.labels if i != IGNORE])
    assert learnt == "".join(m["content"] + plain.eos_token for m in talk if m["role"] == "assistant")
    assert all(label in (i, IGNORE) for i, label in zip(document.ids, document.labels, strict=True))


def test_what_ends_a_reply_is_found_in_the_template(tmp_path: Path, plain: object) -> None:
    assert end_ids(plain) == [plain.eos_token_id]
    tokens = load(tiny.tokenizer(tmp_path, chat=True))
    tokens.chat_template = tiny.TEMPLATE.replace("</s>", "<|user|>")
    assert end_ids(tokens) == [tokens.convert_tokens_to_ids("<|user|>")]
    tokens.chat_template = "{% for m in messages %}{{ m['content'] }}\n{% endfor %}"
    assert end_ids(tokens) == []


def test_a_template_that_refuses_says_why(plain: object, tmp_path: Path) -> None:
    tokens = load(tiny.tokenizer(tmp_path))
    tokens.chat_template = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system turn') }}{% endif %}"
    with pytest.raises(WorkbenchError, match=r"refuses a conversation \(no system turn"):
        render(tokens, [{"role": "system", "content": "a"}], False)
