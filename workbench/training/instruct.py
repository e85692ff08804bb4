"""The stage that teaches to follow instructions, in the new language and the one the model knows (Persian, arXiv:2412.13375: its third stage)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from ..progress import Progress
from ..specs import TextRef
from . import feeds
from .base import ADVANCED, Lora
from .copying import WORDINGS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from ..checkpoint import Checkpoint
    from .conversations import Conversations, Messages
    from .data import Document
    from .feeds import Data

LOOKED_AT = 500  # conversations whose lengths are compared with the block before the training


class OnChats(Lora):
    """The base of stages that learn conversations: loss on the replies only, in the template in which the model is asked later."""

    text: TextRef | None = Field(None, description="Text in the new language: bits per byte are measured on it, copy tasks and rows=target made of it.")
    source_text: TextRef | None = Field(None, description="Text in the language the model already knows, to measure bits per byte on, and for rows=target.")
    copy_tasks: int = Field(0, ge=0, description="Tasks to repeat a sentence or paragraph of the text, mixed in (LEP: 2000 among its instructions).")

    copy_requests: tuple[str, ...] = Field(
        WORDINGS, min_length=1, description="How a copy is asked for, in one way or several; {text} stands for the text.", json_schema_extra=ADVANCED
    )

    @field_validator("copy_requests")
    @classmethod
    def _has_the_text(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all("{text}" in each for each in value):
            raise ValueError("Each of them needs {text}")
        return value

    def generation(self, tokens: PreTrainedTokenizerFast, source: Checkpoint) -> dict[str, Any]:
        """What ends a reply in the template also ends it when the model is asked."""
        from ..checkpoint import GENERATION, read_json
        from .conversations import end_ids

        path = source.path / GENERATION
        stated = (read_json(path) if path.is_file() else source.config).get("eos_token_id")
        ends = stated if isinstance(stated, list) else [] if stated is None else [stated]
        return {"eos_token_id": found} if (found := list(dict.fromkeys([*ends, *end_ids(tokens)]))) else {}

    def measured(self) -> dict[str, list[str]]:
        """Held-out text by language."""
        from .. import corpus

        texts = {"target": self.text, "source": self.source_text}
        return {name: feeds.held_out(corpus.open(ref, seed=self.seed), self.eval_documents) for name, ref in texts.items() if ref}

    def copies(self, *tokens: PreTrainedTokenizerFast) -> tuple[list[Messages], list[str]]:
        """The copy tasks, each of which fits into a block by every tokenizer, and what is to be said of them."""
        from .. import corpus
        from .copying import asked, copy_tasks
        from .data import chats, encode

        if not self.copy_tasks:
            return [], []
        if not self.text:
            return [], ["There is no text to make copy tasks of, so there are none; give --text."]
        around = max(len(d.ids) for each in tokens for d in chats(each, (asked(wording, "") for wording in self.copy_requests)))
        room = (self.block - around) // 2 - 2  # the text stands there twice; its ends may be cut otherwise beside their neighbours
        text = corpus.open(self.text, seed=self.seed)
        made = list(copy_tasks(text.train, self.copy_tasks, lambda part: max(len(encode(each, part)) for each in tokens), room, self.copy_requests, self.seed))
        few = f"Only {len(made)} of {self.copy_tasks} copy tasks could be made of {self.text}; give more text or a larger --block."
        return made, [few] if len(made) < self.copy_tasks else []

    def asked(self, tokens: PreTrainedTokenizerFast, conversations: Conversations) -> list[Document]:
        """Held-out conversations that fit into a block, to measure the replies on."""
        from .data import Refused

        found = feeds.taken(tokens, conversations.held_out.take(self.eval_documents))
        return [d for d in found if not isinstance(d, Refused) and len(d.ids) <= self.block and feeds.teaches(d, self.block)]

    def looked_at(self, tokens: PreTrainedTokenizerFast, name: str, conversations: Iterable[Messages]) -> list[str]:
        """Sentences about conversations that the template refuses, and about those that do not fit into a block.

        Raises WorkbenchError where the template refuses all.
        """
        from itertools import islice

        from .data import Refused

        found = list(feeds.taken(tokens, islice(conversations, LOOKED_AT)))
        refused = [each for each in found if isinstance(each, Refused)]
        if refused and len(refused) == len(found):
            raise refused[0]
        said = [f"{len(refused)} of the first {len(found)} conversations in {name} are left out: {refused[0]}"] if refused else []
        fit = [each for each in found if not isinstance(each, Refused)]
        if long := sum(len(d.ids) > self.block for d in fit):
            lost = sum(not feeds.teaches(d, self.block) for d in fit)
            said.append(
                f"{long} of the first {len(found)} conversations in {name} are longer than a block of {self.block} tokens: they are cut, "
                f"and {lost} whose reply begins behind it are left out; a larger --block keeps more."
            )
        return said


class Instruct(OnChats):
    """Teach a model to follow instructions in both languages, loss on the replies only, by LoRA in all layers and the tables."""

    main: ClassVar[tuple[str, ...]] = ("model", "instructions")
    stage: Literal["instruct"] = Field("instruct", description="Which stage of the adaptation: instruct learns replies to instructions.")
    instructions: tuple[TextRef, ...] = Field(
        min_length=1, description="Instructions in the new language: files of instruction, input and output or of messages (.json, .jsonl …), or demo:ru."
    )
    source_instructions: tuple[TextRef, ...] = Field((), description="The same in the language the model already knows, such as demo:en.")
    source_share: float = Field(0.5, ge=0.0, lt=1.0, description="Share of source instructions among the blocks, where they are given.")
    steps: int = Field(300, ge=1, description="Training steps at most.")
    block: int = Field(256, ge=8, description="Tokens per block; longer conversations are cut (Persian: 512).")
    learning_rate: float = Field(1e-3, gt=0.0, le=1.0, description="Peak learning rate of the tables (Persian: 1e-4).")
    body_learning_rate: float = Field(1e-3, ge=0.0, le=1.0, description="Peak learning rate of the adapters; 0 takes learning_rate (Persian: 1e-4).")
    warmup_steps: float = Field(0.03, ge=0, description="Steps, or below 1 their share, over which the learning rate rises; a cosine follows.")

    def data(self, tokens: PreTrainedTokenizerFast, progress: Progress) -> Data:
        from .conversations import Conversations, with_template

        said = ["This tokenizer has no chat template; a plain one is used, and written into it for whoever asks the model."] if with_template(tokens) else []
        opened = {"target": Conversations(self.instructions, self.seed)}
        if self.source_instructions and self.source_share:
            opened["source"] = Conversations(self.source_instructions, self.seed)
        copies, few = self.copies(tokens)
        said += few
        source = self.source_share if "source" in opened else 0.0
        repeats = (1 - source) * len(copies) / (len(copies) + opened["target"].count)
        shares = {"target": 1 - source - repeats, "source": source}
        given = {"target": self.instructions, "source": self.source_instructions}
        texts = [feeds.chats_feed(tokens, each.train, self.block, self.seed, name, shares[name], given[name]) for name, each in opened.items()]
        for each in opened.values():
            if each.skipped:
                said.append(f"{each.skipped} rows of {each.name} are no conversation and are left out; the first is {each.first_skipped}.")
            said += self.looked_at(tokens, each.name, each.train)
        made = [feeds.checked(feed, self.block) for feed in texts]
        if copies:  # however few, as they stand beside others
            made.append(feeds.chats_feed(tokens, copies, self.block, self.seed, "copies", repeats))
        bad = [each for each in opened.values() if each.skipped]
        found = {
            "conversations": {name: each.count for name, each in opened.items()} | ({"copies": len(copies)} if copies else {}),
            "rows_skipped": sum(each.skipped for each in bad), "first_skipped": bad[0].first_skipped if bad else None,
        }  # fmt: skip
        asked = {name: self.asked(tokens, each) for name, each in opened.items()}
        return feeds.Data(made, self.measured(), asked, found, said)
