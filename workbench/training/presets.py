"""Values of the knobs by stage and size of machine. `demo` is what the knobs say themselves: a model of a few million weights on a processor.

`paper`: LEP (arXiv:2412.21140) for align and calibrate, Persian (arXiv:2412.13375) for monolingual and instruct. What a paper leaves open is ours:
Persian's batches and passes, and full training as a control of the same size. `laptop` is for 0.1 to 0.5 billion weights, `one-gpu` for 0.5 to 8
billion on 24 to 80 GB, each for an hour or two.
"""

from __future__ import annotations

from typing import Any, Literal

Preset = Literal["demo", "laptop", "one-gpu", "paper"]
Values = dict[str, Any]

_ALL_OF_IT: Values = {"steps": 10_000_000, "epochs": 1.0}
_LAPTOP: Values = {"batch_size": 4, "accumulate": 8, "block": 256, "warmup_steps": 0.05, "weight_decay": 0.01, "eval_every": 100}
_ONE_GPU: Values = {"batch_size": 8, "accumulate": 8, "block": 1024, "warmup_steps": 0.05, "weight_decay": 0.01, "eval_every": 200}
_LEP: Values = {**_ALL_OF_IT, "batch_size": 8, "accumulate": 32, "block": 1024, "warmup_steps": 100, "weight_decay": 0.1, "eval_every": 500}
_PERSIAN: Values = {**_ALL_OF_IT, "batch_size": 8, "accumulate": 8, "block": 512, "weight_decay": 0.01, "eval_every": 500}
_ANSWERS: Values = {"prompt_limit": 14_000, "copy_tasks": 10_000, "reply_tokens": 512}


def _rates(both: float) -> Values:
    return {"learning_rate": both, "body_learning_rate": both}


PRESETS: dict[str, dict[str, Values]] = {
    "align": {
        "laptop": _LAPTOP | {"steps": 600, "learning_rate": 1e-3},
        "one-gpu": _ONE_GPU | {"steps": 1500, "learning_rate": 2e-4},
        "paper": _LEP | {"learning_rate": 2e-4, "source_share": 0.0},  # LLaMa-3; Mistral 1e-4
    },
    "monolingual": {
        "laptop": _LAPTOP | {"steps": 600, "learning_rate": 1e-3, "body_learning_rate": 5e-4},
        "one-gpu": _ONE_GPU | _rates(2e-4) | {"steps": 1500},
        "paper": _PERSIAN | _rates(2e-4) | {"warmup_steps": 0.05, "source_share": 0.0},
    },
    "instruct": {
        "laptop": _LAPTOP | _rates(3e-4) | {"steps": 300, "block": 512},
        "one-gpu": _ONE_GPU | _rates(1e-4) | {"steps": 800},
        "paper": _PERSIAN | _rates(1e-4) | {"warmup_steps": 0.03, "epochs": 3.0},
    },
    "calibrate": {
        "laptop": _LAPTOP | _ALL_OF_IT | _ANSWERS | _rates(5e-5) | {"block": 512, "prompt_limit": 1_000, "copy_tasks": 700, "reply_tokens": 128},
        "one-gpu": _ONE_GPU | _ALL_OF_IT | _ANSWERS | _rates(2.5e-5) | {"prompt_limit": 4_000, "copy_tasks": 3_000, "reply_tokens": 256},
        "paper": _LEP | _ANSWERS | _rates(2.5e-5) | {"accumulate": 4, "weight_decay": 0.0},
    },
    "full": {
        "laptop": _LAPTOP | _rates(1e-4) | {"steps": 600},
        "one-gpu": _ONE_GPU | _rates(2e-5) | {"steps": 1500},
        "paper": _LEP | _rates(2e-5) | {"source_share": 0.0},
    },
}  # fmt: skip


def preset(stage: str, name: str) -> Values:
    """The knobs that a preset sets in a stage; {} for demo, whose values are the knobs' own."""
    return dict(PRESETS[stage].get(name, {}))
