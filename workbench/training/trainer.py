"""What `fit` puts into transformers' Trainer: a schedule that knows the clock, groups with rates of their own, Muon, whole checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import Dataset, IterableDataset, SequentialSampler
from transformers import PreTrainedModel, PrinterCallback, Trainer, TrainingArguments

from .. import devices
from ..errors import RunFailed
from . import resuming
from .fitting import Groups, Settings, rate
from .losses import LARGE, Chunked, chunked
from .muon import Muon
from .reporting import Report


class Scheduled(Trainer):
    """Trainer with the schedule of `rate`, data in its own order, and checkpoints that hold only what is trained."""

    def __init__(self, report: Report, groups: Groups, chunks: Chunked | None, **given: Any) -> None:
        self.settings, self.report, self.groups, self.chunks = report.settings, report, groups, chunks
        self.room = ""  # where a checkpoint is being written
        super().__init__(callbacks=[report], **given)

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        self.report.read(inputs)
        loss = super().training_step(model, inputs, num_items_in_batch)
        self.report.heed(loss)
        return loss

    def compute_loss(self, *args: Any, **given: Any) -> Any:
        with self.chunks.active() if self.chunks else nullcontext():
            return super().compute_loss(*args, **given)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        if self.optimizer is None:
            trained = self.model if model is None else model
            if self.settings.optimizer == "muon":
                self.optimizer = _muon(self.report.model, self.settings)
            else:
                kind, options = self.get_optimizer_cls_and_kwargs(self.args, trained)
                self.optimizer = kind(_grouped(trained, self.groups, set(self.get_decay_parameter_names(trained)), self.settings), **options)
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> LambdaLR:
        self.lr_scheduler = LambdaLR(optimizer or self.optimizer, lambda step: rate(self.settings, step, self.report.share(step)))
        self._created_lr_scheduler = True
        return self.lr_scheduler

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler | None:
        given = self.train_dataset if train_dataset is None else train_dataset
        return SequentialSampler(given) if hasattr(given, "__len__") else None

    def _get_output_dir(self, trial: Any) -> str:
        return self.room or super()._get_output_dir(trial)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        trained = [p for p in self.model.parameters() if p.requires_grad]
        if not all(bool(torch.isfinite(p).all()) for p in trained):
            raise RunFailed(f"Weights became NaN or infinite at step {self.report.step}; lower the learning rate and run it again.{self.report.kept()}")
        size = sum(3 * p.numel() * p.element_size() for p in trained)  # each with two states of the optimizer
        with self.report.beside(), resuming.writing(self.report.work, self.report.step, self.report.so_far(), size) as room:
            self.room = str(room)
            try:
                super()._save_checkpoint(model, trial)
            finally:
                self.room = ""

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        resuming.save_trained(self.model, Path(output_dir))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if self.is_fsdp_enabled:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        else:
            resuming.load_trained(self.model, Path(resume_from_checkpoint))


@contextmanager
def trainer(model: PreTrainedModel, blocks: Dataset, report: Report, scratch: str, collate: Callable[..., Any] | None, groups: Groups) -> Iterator[Scheduled]:
    """The Trainer, and the model as it was before after it."""
    from .data import collate as stacked

    settings = report.settings
    chunks = chunked(model) if _wants_chunks(model, blocks, settings) else None
    try:
        made = Scheduled(
            report, groups, chunks, model=model, args=arguments(settings, scratch), train_dataset=_endless(blocks), data_collator=collate or stacked
        )
        made.remove_callback(PrinterCallback)
        yield made
    finally:
        if chunks:
            chunks.undo()
        if settings.gradient_checkpointing:
            model.gradient_checkpointing_disable()


def arguments(settings: Settings, folder: str) -> TrainingArguments:
    """Ours as transformers'. Nothing is printed or sent anywhere; when to save is the report's decision."""
    device = devices.pick(settings.device)
    half = devices.number_format(settings.dtype, device)
    return TrainingArguments(
        output_dir=folder, save_strategy="no", report_to="none", disable_tqdm=True, remove_unused_columns=False,
        max_steps=settings.steps, per_device_train_batch_size=settings.batch_size, gradient_accumulation_steps=settings.accumulate, seed=settings.seed,
        learning_rate=settings.learning_rate, weight_decay=settings.weight_decay, max_grad_norm=settings.max_grad_norm, adam_beta2=0.95,
        use_cpu=device.type == "cpu", bf16=half == torch.bfloat16, fp16=half == torch.float16, torch_compile=settings.compile,
        dataloader_pin_memory=device.type == "cuda", logging_steps=settings.log_every, logging_first_step=True, logging_nan_inf_filter=False,
        ddp_find_unused_parameters=False, **(_recomputed() if settings.gradient_checkpointing else {}),
    )  # fmt: skip


def _recomputed() -> dict[str, Any]:
    """Activations computed again in the backward pass; transformers is renaming the argument."""
    name = "activation_checkpointing" if hasattr(TrainingArguments, "activation_checkpointing") else "gradient_checkpointing"
    return {name: True, f"{name}_kwargs": {"use_reentrant": False}}


def _endless(blocks: Dataset) -> Dataset:
    """An iterable that begins anew where it ends: Trainer can find its place again only within one pass."""
    if hasattr(blocks, "__len__"):
        return blocks
    from .data import repeat

    class Endless(IterableDataset):
        def __iter__(self) -> Iterator[Any]:
            return repeat(lambda _: iter(blocks))

    return Endless()


def _wants_chunks(model: PreTrainedModel, blocks: Dataset, settings: Settings) -> bool:
    if settings.chunked != "auto" or settings.compile:
        return settings.chunked == "on" and not settings.compile
    from .estimating import block_of

    head = model.get_output_embeddings()
    return head is not None and settings.batch_size * block_of(blocks) * head.weight.shape[0] >= LARGE


def _grouped(model: torch.nn.Module, groups: Groups, decayed: set[str], settings: Settings) -> list[dict[str, Any]]:
    """Parameter groups for the optimizer: the settings' rate first, then each group's own; weight decay for matrices only."""
    matches = [(names if callable(names) else set(names).__contains__, speed) for names, speed in groups]
    found: dict[tuple[float, bool], list[torch.nn.Parameter]] = {}
    for name, p in model.named_parameters():
        if p.requires_grad:
            speed = next((speed for match, speed in matches if match(name)), settings.learning_rate)
            found.setdefault((speed, name in decayed), []).append(p)
    order = sorted(found, key=lambda key: key[0] != settings.learning_rate)
    return [{"params": found[key], "lr": key[0], "weight_decay": settings.weight_decay if key[1] else 0.0} for key in order]


def _muon(model: PreTrainedModel, settings: Settings) -> Muon:
    """Muon for the matrices of the layers; AdamW for tables, norms and biases."""
    tables = {id(table.weight) for table in (model.get_input_embeddings(), model.get_output_embeddings()) if table is not None}
    trained = [p for p in model.parameters() if p.requires_grad]
    hidden = [p for p in trained if p.ndim == 2 and id(p) not in tables]
    others = [p for p in trained if p.ndim != 2 or id(p) in tables]
    return Muon(hidden, others, lr=settings.learning_rate, weight_decay=settings.weight_decay)
