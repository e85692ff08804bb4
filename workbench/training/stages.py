"""The stages of an adaptation on running text, each a step that makes a model from a model: align, monolingual, full."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator

from ..errors import WorkbenchError
from ..progress import Progress
from ..specs import PairsRef, TextRef
from . import feeds
from .base import ADVANCED, ROWS, Lora, Rows, Stage
from .choosing import new_rows
from .running import check_block, continuation

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from .adapters import Learner
    from .data import Block
    from .feeds import Data

__all__ = ["Align", "Full", "Monolingual", "blocks", "check_block", "continuation", "new_rows"]


class OnText(Stage):
    """The base of stages that learn running text, sentence pairs, or both."""

    text: TextRef | None = Field(None, description="Text in the new language; needed unless there are pairs.")
    source_text: TextRef | None = Field(None, description="Text in the language the model already knows, mixed in so that it is not lost.")
    source_share: float = Field(0.2, ge=0.0, lt=1.0, description="Share of source text among the blocks, where source text is given.")
    pairs: PairsRef | None = Field(None, description="Sentence pairs of both languages, such as demo:en-ru; in the place of the text, or beside it.")
    pairs_share: float = Field(0.5, gt=0.0, lt=1.0, description="Share of pairs among the blocks that are not source text, where text is given too.")
    pair_template: str = Field(feeds.PAIR, description="How a pair is written; either language comes first, by the seed.", json_schema_extra=ADVANCED)

    @field_validator("pair_template")
    @classmethod
    def _has_both_sides(cls, value: str) -> str:
        if "{first}" not in value or "{second}" not in value:
            raise ValueError("It needs {first} and {second}, and may have {first_language} and {second_language}")
        return value

    def data(self, tokens: PreTrainedTokenizerFast, progress: Progress) -> Data:
        """Text, pairs and source text by their shares; bits per byte are measured on the two sides of the pairs where there is no text for a language."""
        from .. import corpus

        if not self.text and not self.pairs:
            raise WorkbenchError("train needs 'text' or 'pairs' to learn from; give one of them, such as --text demo:ru.")
        source_share = self.source_share if self.source_text else 0.0
        pairs_share = 0.0 if not self.pairs else self.pairs_share if self.text else 1.0
        texts, made = {}, []
        if self.text:
            texts["target"] = corpus.open(self.text, seed=self.seed), (1 - source_share) * (1 - pairs_share)
        if self.source_text:
            texts["source"] = corpus.open(self.source_text, seed=self.seed), source_share
        if self.pairs:
            pairs = corpus.open_parallel(self.pairs, seed=self.seed)
            made.append(feeds.pairs_feed(tokens, pairs, self.pair_template, self.seed, (1 - source_share) * pairs_share))
        given = {"target": self.text, "source": self.source_text}
        made += [feeds.text_feed(tokens, text.train, n, self.seed, share, [given[name]]) for n, (name, (text, share)) in enumerate(texts.items()) if share]
        made = [feeds.checked(feed, self.block) for feed in (made[1:] + made[:1] if self.text and self.pairs else made)]
        held_out = {}
        if self.pairs:
            sides = feeds.held_out(pairs, self.eval_documents)
            held_out = {"target": [b for _, b in sides], "source": [a for a, _ in sides]}
        return feeds.Data(made, held_out | {name: feeds.held_out(text, self.eval_documents) for name, (text, _) in texts.items()})


class Align(OnText):
    """Train a model's embedding table and head on text of the new language; everything between them stays as it is."""

    stage: Literal["align"] = Field("align", description="Which stage of the adaptation: align trains embeddings and head only.")
    rows: Rows = ROWS

    def learner(self, model: PreTrainedModel) -> Learner:
        from .adapters import learner

        return learner(model, self.trained_rows())


class Monolingual(Lora, OnText):
    """Train the tables and, by LoRA, the layers between them on text of the new language (Persian, arXiv:2412.13375: its second stage)."""

    stage: Literal["monolingual"] = Field("monolingual", description="Which stage of the adaptation: monolingual trains tables and LoRA in all layers.")


class Full(OnText):
    """Train every weight on text of the new language, for comparison with the stages that train few."""

    kind: ClassVar[str] = "full"
    stage: Literal["full"] = Field("full", description="Which stage of the adaptation: full trains every weight.")
    body_learning_rate: float = Field(1e-3, ge=0.0, le=1.0, description="Peak learning rate of all weights outside the tables; 0 takes learning_rate.")
    forget: bool = Field(
        False, description="Begin with random weights: a model of the same shape trained from nothing, as a control.", json_schema_extra=ADVANCED
    )

    def learner(self, model: PreTrainedModel) -> Learner:
        from .adapters import forgotten, whole

        return whole(forgotten(model, self.seed) if self.forget else model)


def blocks(tokenizer: PreTrainedTokenizerFast, texts: list[Iterable[str]], shares: list[float], block: int, seed: int) -> Iterator[Block]:
    """Endless blocks of several texts in these proportions; a text that ends is shuffled anew and read again."""
    made = [feeds.text_feed(tokenizer, text, n, seed, share) for n, (text, share) in enumerate(zip(texts, shares, strict=True))]
    return feeds.endless(made, block, tokenizer.pad_token_id or 0, seed)
