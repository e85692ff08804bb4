"""Standard tasks through lm-eval (the extra `eval`): any task that it knows by name, or a task file of one's own."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import math
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from ... import contents, refs
from ...errors import WorkbenchError
from ...progress import Progress
from ..base import Column, Found, Measure, Row, Sides, Subject
from ..scoring import Score, mean

if TYPE_CHECKING:
    from ..steps import Evaluate

FILES = (".yaml", ".yml")
PREFIX = "lm-eval "


class Harness(Measure):
    """One task of EleutherAI's lm-evaluation-harness on the loaded model, in the harness's own prompts and with its own measures."""

    kind: ClassVar[str] = "lm-eval"
    given: ClassVar[bool] = True
    columns: ClassVar[dict[str, Column]] = {}  # whatever the task measures, as "lm-eval acc"
    task: str = Field(min_length=1, description="A task or group by its name, such as belebele_rus_Cyrl, or a .yaml file of one.")
    count: int = Field(200, ge=1, description="Items at most.")
    shots: int | None = Field(None, ge=0, description="Examples that are shown before; what the task itself says, unless told.")

    @classmethod
    def asked(cls, knobs: Evaluate, side: Sides) -> Sequence[Measure]:
        return [cls(task=task, count=knobs.count, shots=knobs.shots or None) for task in knobs.lm_eval] if side == "target" else []

    @property
    def text(self) -> str:
        return self.task

    def items(self) -> list[Any]:
        """The task as it is named, and what its file holds. Raises WorkbenchError where lm-eval is not installed, or the file is no task that may be run."""
        if importlib.util.find_spec("lm_eval") is None:
            raise WorkbenchError(f"The task {self.task} needs the package lm-eval; install 'workbench[eval]', or leave lm_eval empty.")
        return [self.task, contents.pointed(_file(self.task).as_posix()) if self.task.endswith(FILES) else None]

    def take(self, subject: Subject, items: list[Any], progress: Progress) -> Found:
        task = str(_file(self.task)) if self.task.endswith(FILES) else self.task
        with _quiet():
            results = _run(subject, task, self.count, self.shots)
        scores, stated = [], []
        for name, values in results["results"].items():
            for key, value in values.items():
                metric, _, how = key.partition(",")
                if isinstance(value, (int, float)) and not metric.endswith("_stderr") and metric not in ("alias", "sample_len", "sample_count"):
                    text = name if len(results["results"]) > 1 else self.task
                    each = _samples(results.get("samples", {}).get(name, []), metric)
                    column = PREFIX + metric + ("" if how in ("", "none") else f" ({how})")
                    score = _score(column, text, each, metric, float(value))
                    scores += [score] if score else []
                    stated += [] if score else [_stated(column, text, float(value), values.get(f"{metric}_stderr,{how}"), results, name)]
        return Found(scores, stated=stated)


def _file(task: str) -> Path:
    path = refs.path(task)
    if not path.is_file():
        raise WorkbenchError(f"{path} is not a file; give a .yaml file of an lm-eval task, or a task's name.")
    if "!function" in path.read_text(encoding="utf-8"):
        raise WorkbenchError(f"{path} runs Python code (!function), which is not done here; write the task without it, or run it with lm-eval itself.")
    return path.resolve()


def _run(subject: Subject, task: str, count: int, shots: int | None) -> dict[str, Any]:
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    model = HFLM(pretrained=subject.model, tokenizer=subject.tokenizer, batch_size=subject.batch_size)
    try:
        manager = TaskManager(include_defaults=not task.endswith(FILES))
        if not task.endswith(FILES) and task not in manager.all_tasks:
            from ...errors import nearest

            raise WorkbenchError(f"lm-eval knows no task '{task}'.{nearest(task, manager.all_tasks)}")
        return simple_evaluate(model, tasks=[task], num_fewshot=shots, limit=count, bootstrap_iters=0, task_manager=manager)
    except WorkbenchError:
        raise
    except Exception as error:  # of the harness, of the task, of the data set's client: to the user they are one
        reason = (str(error).strip() or type(error).__name__).split("\n")[0].rstrip(".")
        raise WorkbenchError(f"lm-eval could not run the task {task} ({reason}); check its name or file, and whether its data set can be had here.") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The harness prints, logs and seeds the global generators: what it prints goes where errors go, and the generators are put back."""
    import torch

    states = random.getstate(), np.random.get_state(), torch.random.get_rng_state()
    logger = logging.getLogger("lm_eval")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        logger.setLevel(level)
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.random.set_rng_state(states[2])


def _samples(rows: list[dict[str, Any]], metric: str) -> list[Any]:
    return [row[metric] for row in sorted(rows, key=lambda row: row["doc_id"]) if metric in row]


def _score(name: str, text: str, each: list[Any], metric: str, value: float) -> Score | None:
    """The score by its items, where the harness's value is what they give; None where it adds them up in another way."""
    if each and all(isinstance(v, (int, float)) for v in each):
        made = mean(name, [float(v) for v in each], "share" if set(map(float, each)) <= {0.0, 1.0} else "mean")
    elif each and metric == "bits_per_byte" and all(isinstance(v, (tuple, list)) and len(v) == 2 for v in each):
        made = Score(name, np.array([[-v[0] / math.log(2), v[1]] for v in each], dtype=float), "ratio")
    else:
        return None
    fits = made.value is not None and math.isclose(made.value, value, rel_tol=1e-6, abs_tol=1e-9)
    return Score(name, made.stats, made.rule, text) if fits else None


def _stated(name: str, text: str, value: float, error: Any, results: dict[str, Any], task: str) -> Row:
    """A value as the harness states it, with 1.96 standard errors where it has them."""
    spread = 1.96 * error if isinstance(error, (int, float)) else None
    n = (results.get("n-samples", {}).get(task) or {}).get("effective", 0)
    ends = (value - spread, value + spread) if spread is not None else (None, None)
    return {"measure": name, "text": text, "value": value, "low": ends[0], "high": ends[1], "n": n}
