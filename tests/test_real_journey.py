"""A real trained model gets real Russian tokens, and learns Russian faster for it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import stories
import torch

import workbench as wb
from workbench.evaluation.bits import bits_per_byte
from workbench.store import Artefact
from workbench.tokenizer import load

pytestmark = pytest.mark.real
STEPS = 180  # of training, each: about three quarters of a minute of one idle core


@pytest.fixture(scope="module")
def novel(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """(file of all chapters but every twentieth, paragraphs of those left out)."""
    chapters: list[list[str]] = [[]]
    for line in (real_data / "mono" / "ru_war_and_peace.txt").read_text(encoding="utf-8").split("\n"):
        if re.fullmatch(r"[IVXLC]+\.?", line.strip()):
            chapters.append([])
        elif line.strip():
            chapters[-1].append(line)
    assert len(chapters) > 200
    held_out = [line for n, chapter in enumerate(chapters) if n % 20 == 19 for line in chapter]
    file = tmp_path_factory.mktemp("novel") / "train.txt"
    file.write_text("\n".join(line for n, chapter in enumerate(chapters) if n % 20 != 19 for line in chapter), encoding="utf-8")
    return file, held_out


@pytest.fixture(scope="module")
def story(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stories.convert(real_data / "weights" / "stories260K", tmp_path_factory.mktemp("stories260K"))


def greedy(folder: Path) -> str:
    from transformers import AutoModelForCausalLM

    tokenizer, model = load(folder), AutoModelForCausalLM.from_pretrained(folder)
    made = model.generate(torch.tensor([[tokenizer.bos_token_id]]), max_new_tokens=60, do_sample=False)
    return tokenizer.decode(made[0], skip_special_tokens=True)


def with_russian(story: Path, text: Path) -> Artefact:
    longer = wb.run(wb.tokenizer.Extend(base=story, text=text, new_tokens=2000, script="Cyrillic"))
    assert longer.metrics["new"] == 2000
    return wb.run(wb.transfer.Transfer(model=story, tokenizer=longer))


def test_stories260k_with_russian_tokens_goes_on_in_english_as_before(story: Path, novel: tuple[Path, list[str]]) -> None:
    from transformers import AutoModelForCausalLM

    assert greedy(story).startswith(stories.SENTENCE)
    start = with_russian(story, novel[0])

    old, new = (AutoModelForCausalLM.from_pretrained(place).eval() for place in (story, start.path))
    ids = load(story)(stories.SENTENCE).input_ids
    assert load(start.path)(stories.SENTENCE).input_ids == ids
    with torch.inference_mode():
        for length in (1, 7, len(ids)):
            prompt = torch.tensor([ids[:length]])
            torch.testing.assert_close(old(prompt).logits, new(prompt).logits[..., :512])  # up to rounding: some processors sum a wider product otherwise
    assert greedy(start.path).startswith(stories.SENTENCE)


@pytest.mark.slow
def test_stories260k_learns_russian_with_new_tokens_and_less_without(story: Path, novel: tuple[Path, list[str]], capsys) -> None:
    from transformers import AutoModelForCausalLM

    text, held_out = novel
    start = with_russian(story, text)
    reached = {}
    for name, model in (("with new tokens", start), ("control", story)):
        knobs = {"steps": STEPS, "batch_size": 8, "block": 128, "learning_rate": 1e-2, "eval_every": 0, "eval_documents": 20}
        made = wb.run(wb.training.Align(model=model, text=text, **knobs))
        trained = AutoModelForCausalLM.from_pretrained(made.path)
        reached[name] = bits_per_byte(trained, load(made.path), held_out[::4], context=128).bits_per_byte
        with capsys.disabled():
            print(f"\n{name}: {reached[name]:.3f} bits per byte after {made.metrics['steps']} steps in {made.metrics['seconds']:.0f} s")
    assert reached["with new tokens"] <= 2.1
    assert reached["with new tokens"] <= 0.85 * reached["control"]
