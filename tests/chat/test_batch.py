"""Prompt sets: what a file may hold, and every model asked all of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import tiny

import workbench as wb
from workbench import chat
from workbench.chat import batching, read_prompts
from workbench.errors import Stopped, WorkbenchError
from workbench.progress import Progress


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    place = tmp_path_factory.mktemp("models")
    return [str(tiny.folder(place / str(n), chat=True, seed=n)) for n in range(2)]


def written(tmp_path: Path, name: str, text: str) -> Path:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


def test_every_kind_of_file_gives_the_same_prompts(tmp_path) -> None:
    wanted = ["the bear", "خرس کجاست؟"]
    files = {
        "a.txt": "\n".join(["the bear", "", "خرس کجاست؟"]), "a.jsonl": "\n".join(json.dumps({"prompt": p}) for p in wanted), "a.json": json.dumps(wanted),
        "a.csv": "prompt\r\nthe bear\r\nخرس کجاست؟\r\n", "a.tsv": "id\tprompt\n1\tthe bear\n2\tخرس کجاست؟\n", "b.txt": "\ufeffthe bear\nخرس کجاست؟\n",
    }  # fmt: skip
    for name, text in files.items():
        assert [each.prompt for each in read_prompts(written(tmp_path, name, text))] == wanted, name
    assert len(read_prompts(tmp_path / "a.txt", 1)) == 1


def test_a_row_may_say_more(tmp_path) -> None:
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}, {"role": "user", "content": "who?"}]
    rows = [{"prompt": "one", "id": "x", "tags": ["short"], "system": "Be brief."}, {"messages": messages}]
    one, two = read_prompts(written(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows))))
    assert (one.id, one.tags, one.messages[0]["role"]) == ("x", ("short",), "system")
    assert (two.id, two.prompt, list(two.messages)) == ("2", "who?", messages)
    (three,) = read_prompts(written(tmp_path, "a.csv", 'prompt,tags\n"one, two",a; b\n'))
    assert (three.prompt, three.tags) == ("one, two", ("a", "b"))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.jsonl", '{"prompt": "x"}\n\n{"prompt": ', "Row 3 of a.jsonl is no JSON"),
        ("a.jsonl", '{"prompt": "x"}\n7', "Row 2 of a.jsonl: it is a number and no object"),
        ("a.jsonl", '{"question": "x"}', 'Row 1 of a.jsonl: it has neither "prompt" nor "messages"'),
        ("a.jsonl", '{"prompt": "x", "messages": []}', "both"),
        ("a.jsonl", '{"prompt": "  "}', "Row 1 of a.jsonl: the prompt is empty"),
        ("a.jsonl", '{"prompt": ["x"]}', "no text"),
        ("a.jsonl", '{"messages": [{"role": "bear", "content": "x"}]}', "its messages are no list"),
        ("a.jsonl", '{"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]}', "last message is not the user's"),
        ("a.jsonl", '{"prompt": "x", "tags": "y"}', "tags are no list"),
        ("a.jsonl", '{"prompt": "x", "system": 3}', "system message is no text"),
        ("a.json", "{}", "holds no list"),
        ("a.json", "[", "no JSON"),
        ("a.csv", "question\nx\n", "Row 1 of a.csv names no column 'prompt' but question"),
        ("a.csv", "prompt,id\nx,1\ny,2,3\n", "Row 3 of a.csv has more cells than columns"),
        ("a.csv", "prompt,id\nx,1\n,2\n", "Row 3 of a.csv has no prompt"),
        ("a.txt", "\n \n", "holds no prompt"),
        ("a.jsonl", '{"prompt": "x"}\n{"prompt": "\\ud83d"}', "Row 2 of a.jsonl holds half a character (\\ud83d)"),
        ("a.jsonl", "[" * 100_000, "Row 1 of a.jsonl is no JSON"),
        ("a.json", "[" * 100_000, "no JSON"),
        ("a.pdf", "x", "of no kind"),
    ],
)  # fmt: skip
def test_a_malformed_set_names_row_and_reason(tmp_path, name, text, said) -> None:
    with pytest.raises(WorkbenchError) as told:
        read_prompts(written(tmp_path, name, text))
    assert said in str(told.value)


def test_what_is_no_text_at_all(tmp_path) -> None:
    (tmp_path / "a.txt").write_bytes("the bear\nмедведь\n".encode("cp1251"))
    with pytest.raises(WorkbenchError, match=r"Row 2 of a\.txt: byte 9 is no UTF-8"):
        read_prompts(tmp_path / "a.txt")
    with pytest.raises(WorkbenchError, match="no file"):
        read_prompts(tmp_path / "b.txt")


def test_every_model_answers_every_prompt_and_what_cannot_be_asked_says_why(places, tmp_path) -> None:
    file = written(tmp_path, "a.txt", "the bear\n" + "bear " * 200 + "\nthe fox\n")
    told = []
    made = wb.run(chat.Batch(models=places, prompts=str(file), max_tokens=4), Progress(told.append))
    lines = [json.loads(line) for line in (made.path / "replies.jsonl").read_text().splitlines()]
    assert list(lines[0]["models"].values()) == places
    assert [line["prompt"][:8] for line in lines[1:]] == ["the bear", "bear bea", "the fox"]
    assert all("reads only 64" in said["error"] for said in lines[2]["replies"].values())
    *_, alone = chat.reply(chat.load(places[1]), [{"role": "user", "content": "the fox"}], chat.Sampling(max_tokens=4))
    assert lines[3]["replies"]["B"]["text"] == alone.text
    assert [row["refused"] for row in made.metrics["rows"]] == [1, 1]
    fractions = [event.fraction for event in told if event.fraction is not None]
    assert fractions == sorted(fractions)
    assert json.loads(chat.export(made.id, "llm-comparator"))["examples"][2]["input_text"] == "the fox"


def test_a_batch_that_was_stopped_goes_on_after_what_it_has(places, tmp_path, monkeypatch) -> None:
    file = written(tmp_path, "a.txt", "\n".join(tiny.ENGLISH))
    step = chat.Batch(models=places, prompts=str(file), max_tokens=4)
    asked: list[str] = []
    answer = batching.answer

    def counted(chatter, each, options, progress):
        asked.append(each.prompt)
        return answer(chatter, each, options, progress)

    monkeypatch.setattr(batching, "answer", counted)
    with pytest.raises(Stopped):
        wb.run(step, Progress(stop=lambda: len(asked) >= 7, work=tmp_path / "work"))
    done = len(asked)
    made = wb.run(step, Progress(work=tmp_path / "work"))
    assert done + (len(asked) - done) <= 2 * len(tiny.ENGLISH) + 1, "only what was under way is asked again"
    assert made.metrics["prompts"] == len(tiny.ENGLISH)
    whole = wb.run(step)
    texts = [[json.loads(line).get("replies", {}).get(s, {}).get("text") for line in (m.path / "replies.jsonl").open()] for m in (made, whole) for s in "AB"]
    assert texts[:2] == texts[2:]


def test_line_ends_within_a_prompt_or_a_reply_are_text(places, tmp_path) -> None:
    odd = "the\u2028bear\u0085the\x0cfox"
    (only,) = read_prompts(written(tmp_path, "a.txt", odd + "\n"))
    assert only.prompt == odd
    made = wb.run(chat.Batch(models=places, prompts=str(tmp_path / "a.txt"), max_tokens=4))
    assert [entry["prompt"] for entry in json.loads(chat.export(made.id, "json"))["entries"]] == [odd]


def test_a_copy_of_a_model_with_another_template_is_asked_for_itself(places, tmp_path, monkeypatch) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(places[0], copy)
    for file in copy.glob("*.jinja"):
        file.unlink()
    config = json.loads((copy / "tokenizer_config.json").read_text())
    config["chat_template"] = "{% for m in messages %}the fox {{ m['content'] }}{% endfor %}"
    (copy / "tokenizer_config.json").write_text(json.dumps(config))
    step = chat.Batch(models=(places[0], str(copy)), prompts=str(written(tmp_path, "a.txt", "the bear\n")), max_tokens=4)
    whole = wb.run(step)
    load = batching.load

    def stopped(model, *rest):
        if model == str(copy):
            raise Stopped("here")
        return load(model, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(batching, "load", stopped)
        with pytest.raises(Stopped):
            wb.run(step, Progress(work=tmp_path / "work"))
    resumed = wb.run(step, Progress(work=tmp_path / "work"))
    said = [json.loads((made.path / "replies.jsonl").read_text().split("\n")[1])["replies"] for made in (whole, resumed)]
    names = [{side: (each["model"], each["text"], each.get("prompt_tokens")) for side, each in replies.items()} for replies in said]
    assert names[0] == names[1]
    assert names[0]["A"][0] != names[0]["B"][0]
