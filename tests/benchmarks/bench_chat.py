"""Chat against the bare operations: memory of two models that share a body, side by side, streaming, and many visitors at once.

    python -m tests.benchmarks.bench_chat [memory sides streaming visitors page] [--rounds 5] [--layers 22] [--tokens 16]

Prints one JSON row per line. `memory` and `sides` take a model of the shape of a Llama with a billion weights (width 2 048, 22 layers, 32 000 tokens) in bf16
with random weights and a second one with the same layers and other, larger tables; `streaming` takes it and the demo's chat model, `visitors` the latter;
`page` opens Chromium. Each runs in a process of its own, so that what one left in memory is not counted for the other.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from .timing import paired

QUESTION = [{"role": "user", "content": "Где живёт медведь? Who lives in the forest?"}]
MORE = 8_000  # tokens that the second model has more
WIDTH, ROWS, LAYERS = 2048, 32_000, 22


def shaped(place: Path, layers: int) -> tuple[Path, Path]:
    """Two folders: a Llama of a billion weights, and one of the same layers whose tables are others and larger."""
    import torch
    from safetensors.torch import load_file, save_file
    from transformers import LlamaConfig, LlamaForCausalLM

    from workbench import refs
    from workbench.tokenizer import load, save

    config = LlamaConfig(
        vocab_size=ROWS, hidden_size=WIDTH, intermediate_size=5632, num_hidden_layers=layers, num_attention_heads=32, num_key_value_heads=4,
        max_position_embeddings=2048, dtype="bfloat16",
    )  # fmt: skip
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    model = LlamaForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    model.save_pretrained(place / "one", max_shard_size="100GB")
    model.save_pretrained(place / "two", max_shard_size="100GB")
    tensors = load_file(place / "two" / "model.safetensors")
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        tensors[name] = torch.randn(ROWS + MORE, WIDTH, dtype=torch.bfloat16) * 0.02
    save_file(tensors, place / "two" / "model.safetensors", metadata={"format": "pt"})
    about = json.loads((place / "two" / "config.json").read_text()) | {"vocab_size": ROWS + MORE}
    (place / "two" / "config.json").write_text(json.dumps(about))
    for name in ("one", "two"):
        save(load(refs.locate("demo:en-chat")), place / name)
    return place / "one", place / "two"


def memory(arguments: argparse.Namespace, place: Path) -> dict[str, Any]:
    """Resident memory of both, over that of one body and every distinct table."""
    import psutil

    one, two = places(arguments, place)
    from workbench import chat

    warm_up()
    before = psutil.Process().memory_info().rss
    pair = [chat.load(each, dtype="bf16") for each in (one, two)]
    grown = psutil.Process().memory_info().rss - before
    state = [c.model.state_dict() for c in pair]
    wanted = sum({t.data_ptr(): t.numel() * 2 for t in state[0].values()}.values()) + 2 * (ROWS + MORE) * WIDTH * 2
    alone = sum(t.numel() * 2 for each in state for t in each.values())
    return {
        "resident_mb": round(grown / 1e6), "body_and_tables_mb": round(wanted / 1e6), "two_models_mb": round(alone / 1e6),
        "ratio": round(grown / wanted, 3), "over_mb": round((grown - wanted) / 1e6), "within": grown <= 1.05 * wanted + 150e6,
    }  # fmt: skip


def sides(arguments: argparse.Namespace, place: Path) -> dict[str, Any]:
    """A question to both sides, against `generate` alone on one and then on the other."""
    import torch

    from workbench import chat

    one, two = places(arguments, place)
    pair = [chat.load(each, dtype="bf16") for each in (one, two)]
    for chatter in pair:
        object.__setattr__(chatter, "eos_ids", frozenset())
        chatter.model.generation_config.eos_token_id = None
    options = chat.Sampling(max_tokens=arguments.tokens)

    def bare() -> None:
        for chatter in pair:
            ids = torch.tensor([chat.prompt(chatter, QUESTION).ids])
            with torch.inference_mode():
                chatter.model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=arguments.tokens, do_sample=False, pad_token_id=0)

    def both() -> None:
        chat.side_by_side(QUESTION, options, dtype="bf16", a=one, b=two)

    return {"tokens": arguments.tokens, **paired({"bare": bare, "side_by_side": both}, arguments.rounds)}


def streaming(arguments: argparse.Namespace, place: Path) -> dict[str, Any]:
    """A stream against bare `generate`: of the model of a billion weights, and of the demo's, where a token takes two milliseconds and all else counts."""
    from workbench import chat

    one, _ = places(arguments, place)
    return {
        "billion": streamed(chat.load(one, dtype="bf16"), arguments.tokens, arguments.rounds),
        "demo": streamed(chat.load("demo:en-chat"), 150, arguments.rounds),
    }


def streamed(chatter: Any, most: int, rounds: int) -> dict[str, Any]:
    import torch

    from workbench import chat

    chatter.model.generation_config.eos_token_id = None
    object.__setattr__(chatter, "eos_ids", frozenset())
    ids = torch.tensor([chat.prompt(chatter, QUESTION).ids])
    count = min(most, chatter.context - ids.shape[1])

    def bare() -> None:
        with torch.inference_mode():
            chatter.model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, do_sample=False, pad_token_id=0)

    def stream() -> None:
        for _ in chat.reply(chatter, QUESTION, chat.Sampling(max_tokens=count)):
            pass

    return {"tokens": count, "parameters": sum(p.numel() for p in chatter.model.parameters()), **paired({"bare": bare, "stream": stream}, rounds)}


def visitors(arguments: argparse.Namespace, place: Path) -> dict[str, Any]:
    """Twenty at once, round after round: all answered, none mixed up, and what memory does."""
    import psutil

    from workbench import chat
    from workbench.ui.chat.streaming import answering

    resident, wrong, answered = [], 0, 0
    for round_ in range(arguments.rounds + 1):
        talks = []
        for number in range(20):
            talk = chat.begin(["demo:en-chat", "demo:en-base"])
            talk.ask(f"{number}: Где живёт медведь номер {number}?", options={"max_tokens": 24, "temperature": 1.0, "seed": number})
            talks.append(talk)
        threads = [
            threading.Thread(target=lambda t=talk, s=side, n=n: list(answering(s)(SimpleNamespace(session_hash=str(n)), t.id)))
            for n, talk in enumerate(talks)
            for side in "AB"
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        resident.append(psutil.Process().memory_info().rss / 1e6)
        for talk in talks if round_ == 0 else []:
            told = chat.open_comparison(talk.id)
            for side, model in told.models.items():
                chatter = chat.load(model)
                *_, alone = chat.reply(chatter, told.messages(side), chat.Sampling(**told.options))
                said = told.turns[0].replies.get(side)
                answered += said is not None
                wrong += said is None or (said["text"], said["fingerprint"], said["prompt_tokens"]) != (alone.text, chatter.fingerprint, alone.prompt_tokens)
    grown = [round(b - a, 1) for a, b in pairwise(resident[1:])]
    return {"replies": answered, "mixed_up": wrong, "resident_mb": [round(r) for r in resident], "grown_mb_a_round": grown}


def page(arguments: argparse.Namespace, place: Path) -> dict[str, Any]:
    """Milliseconds from the first token to its being seen in the page; the server's clock and the browser's are one machine's."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "ui"))
    from clicking import CHROMIUM, FLAGS, expect, go, playwright
    from served import served

    home = place / "home"
    home.mkdir()
    times = []
    watch = """() => { window.first = 0; new MutationObserver(() => {
      if (!window.first && document.querySelector('#talk-a .writing')?.innerText.trim()) window.first = Date.now();
    }).observe(document.querySelector('#talk-a'), { childList: true, subtree: true, characterData: true }); }"""
    with served(home, {}) as address, playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        tab.goto(address)
        tab.click("#load-demo")
        go(tab, "Chat")
        expect(tab.locator("#model-a input")).to_have_value("demo:en-chat")
        for number in range(arguments.rounds + 1):
            tab.click("#fresh")
            expect(tab.locator("#talk-a .turn")).to_have_count(0)
            tab.evaluate(watch)
            tab.locator("#question textarea").fill(f"Где живёт медведь номер {number}?")
            tab.locator("#question textarea").press("Enter")
            expect(tab.locator("#talk-a .stamp")).to_have_count(1)
            seen = tab.evaluate("window.first") / 1000
            said = [json.loads(line) for file in (home / "chats").glob("chat-*.jsonl") for line in file.read_text().splitlines()]
            latest = max((line for line in said if line["kind"] == "reply"), key=lambda line: line["at"])
            made = latest["at"] - latest["said"]["seconds"] - latest["said"]["waited"] + latest["said"]["first_seconds"]
            if seen and number:
                times.append(1000 * (seen - made))
        browser.close()
    return {"milliseconds_median": round(statistics.median(times)), "all": [round(t) for t in times]} if times else {"seen": 0}


def places(arguments: argparse.Namespace, place: Path) -> tuple[Path, Path]:
    if not (place / "two" / "tokenizer.json").is_file():
        code = f"from tests.benchmarks.bench_chat import shaped; from pathlib import Path; shaped(Path({str(place)!r}), {arguments.layers})"
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return place / "one", place / "two"


def warm_up() -> None:
    """Everything that is imported on the way is in memory before it is measured."""
    from workbench import chat

    list(chat.reply(chat.load("demo:en-chat", dtype="bf16"), QUESTION, chat.Sampling(max_tokens=2)))


WORKS = {"memory": memory, "sides": sides, "streaming": streaming, "visitors": visitors, "page": page}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("works", nargs="*", default=list(WORKS), choices=list(WORKS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--layers", type=int, default=LAYERS)
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--place", default="")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(arguments.place or scratch)
        place.mkdir(parents=True, exist_ok=True)
        if len(arguments.works) > 1:  # each in a process of its own
            for work in arguments.works:
                words = ["--rounds", arguments.rounds, "--layers", arguments.layers, "--tokens", arguments.tokens, "--place", place]
                subprocess.run([sys.executable, "-m", "tests.benchmarks.bench_chat", work, *map(str, words)], check=True)
            return
        os.environ["WORKBENCH_HOME"] = tempfile.mkdtemp(dir=scratch)
        (work,) = arguments.works
        print(json.dumps({"benchmark": f"chat {work}", **WORKS[work](arguments, place), "load": round(os.getloadavg()[0], 1)}), flush=True)


if __name__ == "__main__":
    main()
