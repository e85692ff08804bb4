"""Tiny untrained models that stand in for the demo's, so that the browser suite is quick and needs no trained weights.

A started app and its jobs are processes of their own: a `sitecustomize` on their path points them to the stand-ins.
"""

from __future__ import annotations

import os
from pathlib import Path
from unittest import mock

HOOK = """import os
from pathlib import Path

from workbench import refs

refs.demo_folder = lambda: Path(os.environ["WORKBENCH_STANDINS"])
"""


def build(folder: Path) -> dict[str, str]:
    """Write `en-base` and `en-chat` below `folder`; returns the environment in which they are the demo."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from workbench.demo import tokenizers
    from workbench.tokenizer import save

    with mock.patch.dict(tokenizers.SEEN, {"en": 1500, "ru": 300, "fa": 100}):
        tokenizer = tokenizers.base_tokenizer(size=1536)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4,
        max_position_embeddings=256, tie_word_embeddings=False, bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id, initializer_range=0.08,
    )  # fmt: skip
    torch.manual_seed(0)
    model = LlamaForCausalLM(config)
    for name, noise in (("en-base", 0.0), ("en-chat", 0.01)):
        place = folder / "models" / name
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(noise * torch.randn_like(weight))
        model.save_pretrained(place)
        save(tokenizer, place)
    (folder / "path").mkdir(exist_ok=True)
    (folder / "path" / "sitecustomize.py").write_text(HOOK, encoding="utf-8")
    path = os.pathsep.join([str(folder / "path"), str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {"WORKBENCH_STANDINS": str(folder / "models"), "PYTHONPATH": path}
