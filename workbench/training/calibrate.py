"""Self-calibration (LEP, arXiv:2412.21140): an adapted chat model learns what the original one answers, and to copy."""

from __future__ import annotations

import json
import random
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from .. import contents, processes, refs, store
from ..errors import Stopped, WorkbenchError
from ..progress import Progress
from ..specs import ArtefactRef, ModelRef, TextRef, command_line
from . import feeds
from .conversations import ANSWERS, Conversations, Messages
from .instruct import OnChats

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from .answering import Answered
    from .feeds import Data

ASKED, COUNTS = "asked.jsonl", "answers.json"  # answers as they come, and how many were kept and left out once all are there


class Calibrate(OnChats):
    """Let a chat model that LEP made learn the original's own answers and copy tasks, by LoRA in its first and last layer and the tables.

    The same calibration of the original itself is the control: what remains between the two is what the new vocabulary is worth. The metrics
    give its command.
    """

    main: ClassVar[tuple[str, ...]] = ("model", "instruct", "prompts")
    stage: Literal["calibrate"] = Field("calibrate", description="Which stage of the adaptation: calibrate learns the original's own answers.")
    instruct: ModelRef = Field("", description="The original chat model, which answers the prompts; give it as the model too for the control.")
    prompts: tuple[TextRef, ...] = Field((), description="Prompts: instruction files, of which the replies are not used, lines of a .txt, or demo:ru.")
    answers: ArtefactRef = Field("", description="A calibrated model or a file, whose answers are used instead of asking again; a control takes its rival's.")
    prompt_limit: int = Field(300, ge=1, description="Prompts at most (LEP kept 13531 answers).")
    reply_tokens: int = Field(96, ge=1, description="Tokens of an answer at most; one that goes on is left out as cut.")
    reply_script: str = Field("prompt", description="Script that an answer must be in: that of its prompt, any, or a name such as Cyrillic.")
    copy_tasks: int = Field(200, ge=0, description="Tasks to repeat a sentence or paragraph of the text (LEP: 10000).")
    epochs: float = Field(1.0, ge=0.0, description="Passes over answers and copy tasks at most; 0 is no limit (LEP: 1).")
    block: int = Field(256, ge=8, description="Tokens per block (LEP: 1024).")
    learning_rate: float = Field(2e-3, gt=0.0, le=1.0, description="Peak learning rate of the tables (LEP: 2.5e-5).")
    body_learning_rate: float = Field(2e-3, ge=0.0, le=1.0, description="Peak learning rate of the adapters; 0 takes learning_rate (LEP: 2.5e-5).")
    warmup_steps: float = Field(0.05, ge=0, description="Steps, or below 1 their share, over which the learning rate rises; a cosine follows.")
    lora_alpha: float = Field(1.0, gt=0.0, description="What the adapters add is scaled by alpha / r.")
    lora_dropout: float = Field(0.0, ge=0.0, lt=1.0, description="Share of their inputs that the adapters do not see at a step.")
    lora_layers: Literal["all", "ends"] = Field("ends", description="Blocks of the model whose layers get adapters: all, or the first and the last (ends).")
    ask_batch: int = Field(16, ge=1, description="Prompts answered at a time.", json_schema_extra={"advanced": True})

    def data(self, tokens: PreTrainedTokenizerFast, progress: Progress) -> Data:
        if not tokens.chat_template:
            raise WorkbenchError(f"{self.model} has no chat template, so it is no chat model; calibrate what lep made of one.")
        kept, counts = self._given() if self.answers else self._asked(progress.part(0, 0.5))
        copies, few = self.copies(tokens, *self.others())
        both = [*kept, *copies]
        random.Random(f"{self.seed}:calibrate").shuffle(both)
        mixed = Conversations([both], self.seed)
        whole = bool(self.answers) or self.prompts_asked() == self.prompt_limit
        least = self.block if whole else 1  # the few answers of a preview need not fill what all of them will
        feed = feeds.checked(feeds.chats_feed(tokens, mixed.train, self.block, self.seed, "calibrate"), least)
        said = [*few, *self.looked_at(tokens, "the answers", mixed.train)]
        found = {"answers": counts, "copies": len(copies)}
        return feeds.Data([feed], self.measured(), {"target": self.asked(tokens, mixed)}, found, said, kept)

    def keep(self, data: Data, out: Path) -> dict[str, Any]:
        _write(data.kept, out / ANSWERS)
        if processes.count() > 1 and processes.main():  # all have learnt from them by now
            shutil.rmtree(self._shared(), ignore_errors=True)
        return self.control(store.made_in(out))

    def prompts_asked(self) -> int:
        return self.prompt_limit

    def control(self, made: str) -> dict[str, Any]:
        """The command of the control of what this has `made`, by whose answers it copies the same texts (see `others`), or that this is one."""
        original = self.instruct
        if original and refs.locate(original) == refs.locate(self.model):
            return {"is_control": True}
        return {"control": command_line(self.model_copy(update={"model": original or "ORIGINAL", "prompts": (), "answers": made or "CALIBRATED"}))}

    def others(self) -> list[PreTrainedTokenizerFast]:
        """Tokenizers of the original and of the rival whose answers are taken: what fits with all of them a calibration and its control copy alike.

        Each by its own, the original of the demo copied two thirds of what its rival did, and 10 texts of 200 were the same.
        """
        from ..tokenizer import load

        named = [each for each in (self.instruct, self.answers if store.ID.fullmatch(self.answers) else "") if each]
        return [each for each in (load(refs.locate(name)) for name in named) if each.chat_template]

    def _given(self) -> tuple[list[Messages], dict[str, int]]:
        opened = Conversations([self.answers], self.seed, held_out=0.0)
        return list(opened.train), {"kept": opened.count}

    def _asked(self, progress: Progress) -> tuple[list[Messages], dict[str, int]]:
        """The original's answers; asked once, by the first of several processes, and also where the step is stopped or killed and gone on with."""
        if not self.instruct or not self.prompts:
            raise WorkbenchError("train --stage calibrate needs 'instruct' and 'prompts' to ask the original model, or 'answers' of an earlier calibration.")
        room = progress.work or (self._shared() if processes.count() > 1 else None)
        while room and not processes.main() and not (room / ANSWERS).is_file():
            progress.at(0, "the first process asks the original model")
            if progress.leaving():  # it has been stopped, or has failed, and a launcher that has to kill the others waits for half a minute first
                raise Stopped("Stopped while the first process asked the original model; run it again to go on.")
            time.sleep(0.2)  # not a barrier, which gives up after minutes: asking can take hours
        if not room:
            found = self._ask(progress, None)
            return found.kept, found.counts
        if not (room / ANSWERS).is_file():
            found = self._ask(progress, room / ASKED)
            store.write_json(room / COUNTS, found.counts)
            _write(found.kept, room / ANSWERS)
            (room / ASKED).unlink(missing_ok=True)
        counts = json.loads((room / COUNTS).read_text(encoding="utf-8"))
        return list(Conversations([str(room / ANSWERS)], self.seed, held_out=0.0).train), counts

    def _shared(self) -> Path:
        """Where several processes find the answers if no folder is kept to go on from; under a name that another step cannot have."""
        return store.home() / "cache" / "answers" / contents.fingerprint(self)

    def _ask(self, progress: Progress, keep: Path | None) -> Answered:
        from ..models import open_model
        from .answering import self_answers

        prompts = Conversations(self.prompts, self.seed, held_out=0.0, replied=False).train.take(self.prompts_asked())
        progress.at(0, "loading the original model")
        model, tokenizer = open_model(self.instruct, self.device, self.dtype)
        if not tokenizer.chat_template:
            raise WorkbenchError(f"{self.instruct} has no chat template, so it cannot be asked; give the original chat model.")
        found = self_answers(
            model, tokenizer, prompts, tokens=self.reply_tokens, batch_size=self.ask_batch, wanted=self.reply_script, progress=progress, keep=keep
        )  # fmt: skip
        if not found.kept:
            reasons = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in found.counts.items() if count)
            raise WorkbenchError(f"None of {len(prompts)} answers is fit to learn from ({reasons}); give other prompts, more --reply-tokens or another script.")
        return found


def _write(conversations: list[Messages], path: Path) -> None:
    """As messages, one conversation a line; whole or not at all."""
    with store.whole(path) as file:
        file.writelines(json.dumps({"messages": each}, ensure_ascii=False).encode() + b"\n" for each in conversations)
