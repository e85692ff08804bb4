"""The stages of an adaptation, each a step that makes a model from a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from ..errors import WorkbenchError
from ..progress import Progress
from ..specs import ModelRef, ModelStep, TextRef

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from ..checkpoint import Checkpoint
    from .data import Block
    from .fitting import Fit, Settings


class Align(ModelStep):
    """Train a model's embedding table and head on text of the new language; everything between them stays as it is."""

    command: ClassVar[str] = "train"
    makes: ClassVar[str] = "model"
    main: ClassVar[tuple[str, ...]] = ("model", "text")
    stage: Literal["align"] = Field("align", description="Which stage of the adaptation: align trains embeddings and head only.")
    model: ModelRef = Field(description="The model to train, as a rule one that a transfer made.")
    text: TextRef = Field(description="Text in the new language.")
    source_text: TextRef | None = Field(None, description="Text in the language the model already knows, mixed in so that it is not lost.")
    source_share: float = Field(0.2, ge=0.0, lt=1.0, description="Share of source text among the blocks, where source text is given.")
    steps: int = Field(600, ge=1, description="Training steps at most. (LEP, arXiv:2412.21140: one pass over its text.)")
    minutes: float = Field(0.0, ge=0.0, description="Minutes at most; 0 is no limit. The learning rate falls to 0 by whichever limit is nearer.")
    batch_size: int = Field(8, ge=1, description="Blocks per step and process (LEP: 256).")
    block: int = Field(128, ge=8, description="Tokens per block (LEP: 1024).")
    learning_rate: float = Field(
        5e-3, gt=0.0, le=1.0, description="Peak learning rate; the demo's is high because its model is small (LEP: 1e-4 Mistral, 2e-4 LLaMa-3)."
    )
    warmup_steps: int = Field(20, ge=0, description="Steps over which the learning rate rises (LEP: 100); it falls as a cosine after them.")
    weight_decay: float = Field(0.0, ge=0.0, le=1.0, description="AdamW weight decay (LEP: 0.1).")
    rows: Literal["all", "new"] = Field("all", description="Which rows of the two tables are trained: all, or only those that the transfer filled in.")
    eval_every: int = Field(
        100, ge=0, description="Steps between two looks: bits per byte, and a sample of what it writes; 0 for none.", json_schema_extra={"advanced": True}
    )
    eval_documents: int = Field(
        100, ge=1, description="Held-out documents on which bits per byte are measured, before and after.", json_schema_extra={"advanced": True}
    )
    seed: int = Field(0, ge=0, description="Decides the order of the text.", json_schema_extra={"advanced": True})

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        from .. import checkpoint, corpus, refs, tokenizer

        progress.at(0, "opening the model and the texts")
        source = checkpoint.Checkpoint.open(refs.locate(self.model))
        tokens = tokenizer.load(source.path)
        source.check_fits(len(tokens))
        check_block(source, self.block)
        texts = {"target": corpus.open(self.text, seed=self.seed)}
        if self.source_text and self.source_share:
            texts["source"] = corpus.open(self.source_text, seed=self.seed)
        for text in texts.values():
            _enough(tokens, text.train, self.block)
        new = new_rows(self.model) if self.rows == "new" else None
        model = self._load(source)
        held_out = {name: _held_out(text, self.eval_documents) for name, text in texts.items()}
        progress.at(0.02, "measuring bits per byte before")
        before = self._bits(model, tokens, held_out)
        progress.metric(step=0, **_as_metrics(before))
        done = self._train(model, tokens, [t.train for t in texts.values()], new, held_out, progress.part(0.05, 0.95))
        # After a stop the model is written all the same, but not measured: whoever asked for it is waiting.
        after = self._bits(model, tokens, held_out) if done.ended != "stop" else {}
        _write(source, model, out)
        tokenizer.save(tokens, out)
        return {
            "bits_per_byte": {name: {"before": before[name], "after": after.get(name)} for name in before}, "loss": done.rows, "steps": done.steps,
            "tokens": done.tokens, "seconds": done.seconds, "ended": done.ended, "rows_trained": len(new) if new is not None else source.shape[0],
        }  # fmt: skip

    def settings(self) -> Settings:
        from .fitting import Settings

        same = ("steps", "minutes", "batch_size", "learning_rate", "warmup_steps", "weight_decay", "seed", "device", "dtype")
        return Settings(**{name: getattr(self, name) for name in same})

    def _load(self, source: Checkpoint) -> PreTrainedModel:
        """The model in fp32, its tables the only part that learns."""
        from ..models import open_model
        from .fitting import frozen_body

        return frozen_body(open_model(source.path, self.device, "fp32")[0])

    def _bits(self, model: Any, tokens: PreTrainedTokenizerFast, held_out: dict[str, list[str]]) -> dict[str, float]:
        from ..evaluation.bits import bits_per_byte

        return {name: bits_per_byte(model, tokens, texts, context=self.block).bits_per_byte for name, texts in held_out.items()}

    def _train(
        self,
        model: PreTrainedModel,
        tokens: PreTrainedTokenizerFast,
        texts: list[Iterable[str]],
        new: list[int] | None,
        held_out: dict[str, list[str]],
        progress: Progress,
    ) -> Fit:
        from .data import stream
        from .fitting import fit

        trained = only_rows(model, new) if new is not None else model
        shares = [1 - self.source_share, self.source_share][: len(texts)]
        prompt = " ".join(held_out["target"][0].split()[:3])

        def look(step: int) -> None:
            progress.metric(step=step, **_as_metrics(self._bits(trained, tokens, held_out)))
            progress.sample(continuation(trained, tokens, prompt), step=step, prompt=prompt)

        done = fit(trained, stream(lambda: blocks(tokens, texts, shares, self.block, self.seed)), self.settings(), progress, every=self.eval_every, hook=look)
        if new is not None:
            trained.merge_and_unload()
        return done


def _as_metrics(bits: dict[str, float]) -> dict[str, float]:
    return {f"bits_per_byte_{name}": value for name, value in bits.items()}


def blocks(tokenizer: PreTrainedTokenizerFast, texts: list[Iterable[str]], shares: list[float], block: int, seed: int) -> Iterator[Block]:
    """Endless blocks of several texts in these proportions; a text that ends is shuffled anew and read again."""
    from .data import mix, pack, plain, repeat, shuffled

    pad = tokenizer.pad_token_id or 0

    def read(text: Iterable[str], number: int) -> Iterator[Block]:
        return repeat(lambda epoch: pack(plain(tokenizer, shuffled(text, f"{seed}:{number}:{epoch}")), block, pad))

    return mix([read(text, n) for n, text in enumerate(texts)], shares, seed)


def check_block(source: Checkpoint, block: int) -> None:
    longest = (source.config.get("text_config") or source.config).get("max_position_embeddings", block)
    if block > longest:
        raise WorkbenchError(f"block={block} is more than the {longest} tokens that this model can read at once; use --block {longest} or less.")


def _enough(tokenizer: PreTrainedTokenizerFast, text: Iterable[str], block: int) -> None:
    from .data import plain

    total = 0
    for document in plain(tokenizer, text):
        total += len(document.ids)
        if total >= block:
            return
    raise WorkbenchError(f"{text!r} has only {total} tokens to train on, less than one block of {block}; give more text or a smaller block.")


def _held_out(text: Any, count: int) -> list[str]:
    found = text.held_out.take(count)
    if not found:
        raise WorkbenchError(f"{text!r} has no held-out documents to measure on; give more text.")
    return found


def new_rows(reference: str) -> list[int]:
    """The ids of the rows that a transfer filled in, also where the model was trained since.

    Raises WorkbenchError for a model that no transfer made.
    """
    from .. import refs, store
    from ..transfer.assemble import BLEND
    from ..transfer.base import COPY, Blend

    place = refs.locate(reference)
    while not (place / BLEND).is_file():
        earlier = getattr(store.open_artefact(place.name).step, "model", None) if (place / "manifest.json").is_file() else None
        if earlier is None:
            raise WorkbenchError(f"'{reference}' was not made by a transfer, so it has no new rows; use --rows all.")
        place = refs.locate(earlier)
    found = [int(i) for i in (Blend.load(place / BLEND).kind != COPY).nonzero()[0]]
    if not found:
        raise WorkbenchError(f"The transfer that made '{reference}' filled in no row; use --rows all.")
    return found


def only_rows(model: PreTrainedModel, ids: list[int]) -> Any:
    """The model wrapped by peft so that only these rows of its tables are trained (no optimizer state for the others)."""
    from peft import TrainableTokensConfig, get_peft_model

    tables = [model.get_input_embeddings()] + ([] if model.config.get_text_config().tie_word_embeddings else [model.get_output_embeddings()])
    names = [name for name, module in model.named_modules() if any(module is table for table in tables)]
    return get_peft_model(model, TrainableTokensConfig(target_modules=names, token_indices=ids))


def _write(source: Checkpoint, model: PreTrainedModel, out: Path) -> None:
    """The trained tables in the number format of the file they came from; the rest is passed through."""
    from .. import checkpoint

    first = _as_stored(model.get_input_embeddings().weight, source.input())
    second = None if source.tied else _as_stored(model.get_output_embeddings().weight, source.output())
    checkpoint.write(source, out, first, second)


def _as_stored(table: torch.Tensor, stored: torch.Tensor) -> torch.Tensor:
    """Rows that did not move keep their bits."""
    return table.detach().cpu().to(stored.dtype)


def continuation(model: Any, tokenizer: PreTrainedTokenizerFast, text: str, tokens: int = 24) -> str:
    """How the model goes on after a text, greedily."""
    from ..evaluation.asking import replies
    from .data import encode, start_ids

    return replies(model, tokenizer, [start_ids(tokenizer) + encode(tokenizer, text)], tokens)[0]
