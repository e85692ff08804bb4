"""Which parts of a model learn: its tables or some of their rows, low-rank adapters on its linear layers, or everything.

peft's tuners are put into the model itself, without peft's wrapper around it: the tables then stay the model's own parameters, so tied ones stay
tied (a copy of a table, as `modules_to_save` makes it, would untie them on merging), and whoever runs the model sees the class that it has.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ..errors import WorkbenchError, nearest

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

Group = tuple[Callable[[str], bool], float]  # which parameters by name, and their learning rate


@dataclass(frozen=True)
class Lora:
    """Low-rank adapters (arXiv:2106.09685): W + α/r · B·A. `targets`: last parts of layer names, none for all; `layers`: all, or the first and the last."""

    rank: int
    alpha: float
    dropout: float = 0.0
    targets: tuple[str, ...] = ()
    layers: Literal["all", "ends"] = "all"


@dataclass
class Learner:
    """A model made ready to learn. `body`: names of the tensors outside the tables that it changes, as they are called once `merge` was called."""

    model: PreTrainedModel
    body: list[str] = field(default_factory=list)
    tuners: list[Any] = field(default_factory=list)

    def groups(self, tables: float, body: float) -> list[Group]:
        """Two learning rates, for the tables and for what lies between them; none where one does for all."""
        if not self.body or tables == body:
            return []
        names = _named(self.model, _tables(self.model))
        return [(lambda name: name.startswith(names), tables), (lambda name: not name.startswith(names), body)]

    def merge(self) -> PreTrainedModel:
        """Add what the adapters learnt to the weights below them and take the adapters out; the model is a plain one again."""
        for tuner in reversed(self.tuners):
            tuner.merge_and_unload()
        self.tuners.clear()
        return self.model


def learner(model: PreTrainedModel, rows: Sequence[int] | None = None, lora: Lora | None = None, seed: int = 0) -> Learner:
    """Let the tables learn (all rows, or those of `rows` without optimiser states for the others), and adapters where `lora` is given.

    Raises WorkbenchError for targets that the model has no layers of.
    """
    from .fitting import frozen_body

    made = Learner(model)
    layers = chosen(model, lora) if lora is not None else []  # before the tables are wrapped, whose insides are linear layers as well
    frozen_body(model)
    if rows is not None:
        made.tuners.append(_rows(model, list(rows)))
    if lora is not None:
        made.tuners.append(_adapted(model, lora, layers, seed))
        made.body = [f"{layer}.weight" for layer in layers]
        tables = _tables(model) if rows is None else []
        for table in tables:
            table.weight.requires_grad_(True)
        for name, parameter in model.named_parameters():
            if "trainable_tokens_" in name:
                parameter.requires_grad_(True)
    return made


def forgotten(model: PreTrainedModel, seed: int) -> PreTrainedModel:
    """The same model with weights drawn anew, as its class draws them for training from nothing; decided by the seed alone."""
    import torch

    from .fitting import untouched_randomness

    with untouched_randomness():
        torch.manual_seed(seed)
        drawn = type(model)(model.config)
    model.load_state_dict(drawn.state_dict())
    return model


def whole(model: PreTrainedModel) -> Learner:
    """Let every weight learn."""
    tables = {id(table.weight) for table in _tables(model)}
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    return Learner(model, [name for name, parameter in model.named_parameters() if id(parameter) not in tables])


def linears(model: PreTrainedModel) -> list[str]:
    """Names of the linear layers between the tables, in the model's order; GPT-2's are of a class of their own."""
    import torch
    from transformers.pytorch_utils import Conv1D

    head = model.get_output_embeddings()
    return [name for name, module in model.named_modules() if isinstance(module, (torch.nn.Linear, Conv1D)) and module is not head]


def chosen(model: PreTrainedModel, lora: Lora) -> list[str]:
    """The linear layers that get adapters. Raises WorkbenchError for a target that is no layer of this model."""
    every = linears(model)
    kinds = {name.rpartition(".")[2] for name in every}
    odd = next((target for target in lora.targets if target not in kinds), None)
    if odd is not None:
        raise WorkbenchError(f"This model has no linear layers called '{odd}'.{nearest(odd, kinds)} No lora_targets at all means all of them.")
    found = [name for name in every if not lora.targets or name.rpartition(".")[2] in lora.targets]
    if lora.layers == "ends":
        numbers = [int(match[1]) for name in every if (match := _NUMBER.search(name))]
        found = [name for name in found if (match := _NUMBER.search(name)) and int(match[1]) in (min(numbers), max(numbers))]
    if not found:
        raise WorkbenchError("This model has no linear layers that adapters could be put on; use --stage align, which trains the tables alone.")
    return found


_NUMBER = re.compile(r"\.(\d+)\.")


def _tables(model: PreTrainedModel) -> list[torch.nn.Module]:
    first, second = model.get_input_embeddings(), model.get_output_embeddings()
    return [first] if second is None or model.config.get_text_config().tie_word_embeddings else [first, second]


def _named(model: PreTrainedModel, modules: Sequence[torch.nn.Module]) -> tuple[str, ...]:
    return tuple(f"{name}." for name, module in model.named_modules() if any(module is each for each in modules))


def _rows(model: PreTrainedModel, ids: list[int]) -> Any:
    from peft import TrainableTokensConfig, TrainableTokensModel

    names = [name.removesuffix(".") for name in _named(model, _tables(model))]
    with _quiet():
        return TrainableTokensModel(model, TrainableTokensConfig(target_modules=names, token_indices=ids), "default")


def _adapted(model: PreTrainedModel, lora: Lora, layers: list[str], seed: int) -> Any:
    import torch
    from peft import LoraConfig, LoraModel
    from transformers.pytorch_utils import Conv1D

    from .fitting import untouched_randomness

    turned = any(isinstance(model.get_submodule(name), Conv1D) for name in layers)
    settings = LoraConfig(r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=layers, fan_in_fan_out=turned)
    with untouched_randomness(), _quiet():
        torch.manual_seed(seed)
        return LoraModel(model, settings, "default")


@contextmanager
def _quiet() -> Iterator[None]:
    """peft warns of tied tables, which its tuner of rows does tie, and of two tuners in one model, which touch different layers here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield
