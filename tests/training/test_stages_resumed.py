"""A stage that was cut off in the middle ends as one that was not: adapters with dropout, rows alone, conversations, pairs; to the bit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import tiny

import workbench as wb
from workbench.errors import WorkbenchError
from workbench.progress import Event, Progress
from workbench.steps import find

QUICK = {
    "steps": 8, "batch_size": 2, "block": 48, "warmup_steps": 0.1, "eval_every": 2, "eval_documents": 4, "checkpoint_every": 2, "device": "cpu", "dtype": "fp32"
}  # fmt: skip


class Cut(BaseException):
    """What a kill looks like from within."""


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    place = tmp_path_factory.mktemp("given")
    both = [(f"{n} {a}", f"{n} {b}") for n in range(30) for a, b in zip(tiny.ENGLISH, tiny.RUSSIAN, strict=True)]
    (place / "ru.txt").write_text("\n".join(b for _, b in both), encoding="utf-8")
    (place / "pairs.tsv").write_text("en\tru\n" + "\n".join("\t".join(pair) for pair in both), encoding="utf-8")
    (place / "rows.jsonl").write_text("\n".join(json.dumps({"instruction": a, "output": b}) for a, b in both), encoding="utf-8")
    tiny.folder(place / "model", chat=True)
    tiny.tokenizer(place / "bigger", merges=90, texts=tiny.ENGLISH + tiny.RUSSIAN)
    return {
        name: str(place / file) for name, file in (("text", "ru.txt"), ("pairs", "pairs.tsv"), ("rows", "rows.jsonl"), ("model", "model"), ("bigger", "bigger"))
    }


@pytest.mark.parametrize("case", ["align", "monolingual", "rows", "instruct", "full"])
def test_a_stage_goes_on_as_if_it_had_not_been_cut_off(tmp_path: Path, given: dict[str, str], case: str) -> None:
    model = given["model"]
    if case == "rows":
        model = wb.run(wb.transfer.Transfer(model=model, tokenizer=given["bigger"])).id
    knobs = {
        "align": {"text": given["text"], "pairs": given["pairs"]}, "monolingual": {"text": given["text"]}, "full": {"text": given["text"], "accumulate": 2},
        "rows": {"text": given["text"], "rows": "new"}, "instruct": {"instructions": (given["rows"],)},
    }[case]  # fmt: skip
    step = find("train", "monolingual" if case == "rows" else case)(model=model, **QUICK, **knobs)
    whole = wb.run(step)

    def cut(event: Event) -> None:
        if event.kind == "sample" and event.data["step"] == 6:
            raise Cut

    work = tmp_path / "work"
    with pytest.raises(Cut):
        wb.run(step, Progress(cut, work=work))
    notes: list[Event] = []
    again = wb.run(step, Progress(notes.append, work=work))
    assert [e.message for e in notes if e.kind == "note"] == ["Going on from step 4, in fp32."]
    assert again.manifest["content_hash"] == whole.manifest["content_hash"]
    assert again.metrics["bits_per_byte"] == whole.metrics["bits_per_byte"]
    assert again.metrics["loss"] == whole.metrics["loss"]
    assert not work.exists()


def test_what_was_begun_with_other_knobs_is_not_gone_on_with(tmp_path: Path, given: dict[str, str]) -> None:
    step = find("train", "monolingual")(model=given["model"], text=given["text"], **QUICK)

    def cut(event: Event) -> None:
        if event.kind == "sample":
            raise Cut

    with pytest.raises(Cut):
        wb.run(step, Progress(cut, work=tmp_path / "work"))
    with pytest.raises(WorkbenchError, match="lora_rank was 8, is 4"):
        wb.run(step.model_copy(update={"lora_rank": 4}), Progress(work=tmp_path / "work"))


@pytest.mark.parametrize(("knob", "file"), [("text", ""), ("model", "generation_config.json")])
def test_another_text_or_model_under_the_same_name_is_not_gone_on_with(tmp_path: Path, given: dict[str, str], knob: str, file: str) -> None:
    own = {"text": tmp_path / "ru.txt", "model": tmp_path / "model"}
    shutil.copy(given["text"], own["text"])
    shutil.copytree(given["model"], own["model"])
    step = find("train", "align")(model=str(own["model"]), text=str(own["text"]), **QUICK)

    def cut(event: Event) -> None:
        if event.kind == "sample" and event.data["step"] == 4:
            raise Cut

    with pytest.raises(Cut):
        wb.run(step, Progress(cut, work=tmp_path / "work"))
    changed = own[knob] / file
    before = changed.read_bytes()
    changed.write_bytes(before + b"\n")
    with pytest.raises(WorkbenchError, match=f"The content of '{knob}' has changed since"):
        wb.run(step, Progress(work=tmp_path / "work"))
    changed.write_bytes(before)
    assert wb.run(step, Progress(work=tmp_path / "work")).manifest["content_hash"] == wb.run(step).manifest["content_hash"]
