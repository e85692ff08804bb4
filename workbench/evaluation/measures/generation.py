"""Generation tasks: summaries, translations and answers from a text, greedy, with or without examples shown before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from ...corpus.scripts import script_shares, spaceless, words
from ...progress import Progress
from ..base import Column, Found, Measure, Sides, Subject, before
from ..scoring import Score, corpus_metric, corpus_stats, mean
from ..taskfiles import read_task

if TYPE_CHECKING:
    from ..steps import Evaluate

ASKED = {
    "summary": "Summarise the following text.", "translation": "Translate the following text.", "question on a text": "Answer the question from the text.",
}  # fmt: skip
ROUGE = {"rouge_1": "rouge1", "rouge_2": "rouge2", "rouge_l": "rougeL"}


class Generation(Measure):
    """Greedy answers to the items of a file against their references: ROUGE of summaries, chrF and BLEU of translations, exact match and F1 of answers."""

    kind: ClassVar[str] = "generation"
    given: ClassVar[bool] = True
    columns: ClassVar[dict[str, Column]] = {
        "rouge_1": Column("ROUGE-1", "more", "Words that summary and reference share, F-measure."),
        "rouge_2": Column("ROUGE-2", "more", "Pairs of words that summary and reference share, F-measure."),
        "rouge_l": Column("ROUGE-L", "more", "Longest common sequence of words of summary and reference, F-measure."),
        "chrf": Column("chrF", "more", "Character n-grams that translation and reference share, 0 to 100 (sacrebleu)."),
        "bleu": Column("BLEU", "more", "Word n-grams that translation and reference share, 0 to 100 (sacrebleu)."),
        "answer_exact": Column("answers exact", "more", "Share of answers that are one of the right ones, case and punctuation aside."),
        "answer_f1": Column("answers F1", "more", "Words that an answer shares with the right one, F-measure."),
    }
    file: str = Field(description="A JSONL file of summaries, translations or questions on texts.")
    count: int = Field(200, ge=1, description="Items at most.")
    shots: int = Field(0, ge=0, description="Items at the beginning of the file that are shown with their answers, and not asked.")

    @classmethod
    def asked(cls, knobs: Evaluate, side: Sides) -> Sequence[Measure]:
        files = [each for each in getattr(knobs, f"{before(side)}tasks") if read_task(each).kind != "choice"]
        return [cls(side=side, file=each, count=knobs.count, shots=knobs.shots) for each in files]

    @property
    def text(self) -> str:
        return self.file

    def items(self) -> list[dict[str, Any]]:
        """{"question", "answers"} of every item; the first `shots` of them are shown."""
        found = read_task(self.file, self.count + self.shots)
        return [{"kind": found.kind, "question": question(found.kind, item), "answers": answers(found.kind, item)} for item in found.items]

    def take(self, subject: Subject, items: list[dict[str, Any]], progress: Progress) -> Found:
        from ..prompting import answer

        shown, items = items[: self.shots], items[self.shots :]
        shots = [(item["question"], item["answers"][0]) for item in shown]
        likely = [max(item["answers"], key=len) for item in items]
        said = answer(subject, [item["question"] for item in items], likely, shots, progress)
        kind = items[0]["kind"]
        scores, notes = {"summary": summaries, "translation": translations, "question on a text": replies}[kind](said, [item["answers"] for item in items])
        firsts = scores[-1].stats
        examples = [
            {"question": item["question"], "wanted": item["answers"][0], "reply": text or "", "score": None if kind == "translation" else float(stats[0])}
            for item, text, stats in zip(items, said, firsts, strict=True)
            if text is not None
        ]
        return Found(scores, examples=examples, notes=notes)


def question(kind: str, item: dict[str, Any]) -> str:
    """What a model is asked: the item's own instruction, or a plain one, and the text."""
    head = item.get("instruction") or ASKED[kind]
    body = {"summary": "{text}", "translation": "{source}", "question on a text": "{context}\n\n{question}"}[kind]
    return f"{head}\n\n{body.format_map(item)}"


def answers(kind: str, item: dict[str, Any]) -> list[str]:
    return {"summary": [item.get("summary")], "translation": [item.get("target")]}.get(kind) or item["answers"]


class Words:
    """Words of any language, lower case. rouge-score's own tokenizer keeps only a to z and 0 to 9, under which all Russian summaries are alike."""

    def tokenize(self, text: str) -> list[str]:
        return tokens(text)


def tokens(text: str) -> list[str]:
    """Its words without case; its letters where its script has no spaces between words."""
    folded = text.casefold()
    return [c for c in folded if c.isalnum()] if without_spaces(text) else words(folded)


def without_spaces(text: str) -> bool:
    return spaceless(script_shares(Counter(text)))


def summaries(said: list[str | None], wanted: list[list[str]]) -> tuple[list[Score], list[str]]:
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(list(ROUGE.values()), tokenizer=Words())
    rows = [None if text is None else scorer.score(right[0], text) for text, right in zip(said, wanted, strict=True)]
    return [mean(name, [float("nan") if row is None else row[key].fmeasure for row in rows]) for name, key in ROUGE.items()], []


def translations(said: list[str | None], wanted: list[list[str]]) -> tuple[list[Score], list[str]]:
    bleu = "bleu_char" if without_spaces("".join(right[0] for right in wanted)) else "bleu"
    scores, notes = [], []
    for name, rule in (("chrf", "chrf"), ("bleu", bleu)):
        stats = corpus_stats(rule, [text or "" for text in said], [right[0] for right in wanted])
        stats[[text is None for text in said]] = float("nan")
        scores.append(Score(name, stats, rule))
        notes.append(f"{name}: {corpus_metric(rule).get_signature()}")
    return scores, notes


def replies(said: list[str | None], wanted: list[list[str]]) -> tuple[list[Score], list[str]]:
    exact, overlap = [], []
    for text, right in zip(said, wanted, strict=True):
        mine = None if text is None else tokens(text)
        exact.append(float("nan") if mine is None else float(any(mine == tokens(each) for each in right)))
        overlap.append(float("nan") if mine is None else max(f1(mine, tokens(each)) for each in right))
    return [mean("answer_exact", exact, "share"), mean("answer_f1", overlap)], []


def f1(mine: list[str], right: list[str]) -> float:
    """Harmonic mean of the shares of each one's words that the other has, words counted as often as they occur (SQuAD)."""
    shared = (Counter(mine) & Counter(right)).total()
    return 2 * shared / (len(mine) + len(right)) if shared else float(mine == right)
