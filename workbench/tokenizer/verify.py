"""A converted tokenizer must give the ids of the library it came from; this text, of many scripts, is where they may differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..errors import WorkbenchError

SAMPLE = (
    "The quick brown fox can't jump over 1234567890 lazy dogs, don't you think?",
    "Съешь же ещё этих мягких французских булок, да выпей чаю. Ёлка, подъезд — «и так далее…»",
    "می‌خواهم کتاب‌های تازه را بخوانم؛ این ۱۲۳ صفحه است. لُغَتٌ عَرَبِيَّةٌ، يك ى",
    "한국어 문장은 띄어쓰기가 있다. 값이 없는 닭을 읽다 ㅋㅋㅋ 힣",
    "吾輩は猫である。名前はまだ無い。カタカナ、ﾊﾝｶｸ、１２３。我们在北京学习中文，龘。",
    "हिन्दी में क्षत्रिय और ज्ञान, श्री १२३। বাংলা ভাষা தமிழ் ไทยไม่มีวรรค",
    "😀👩‍👩‍👧‍👦🏳️‍🌈 1️⃣ é e\u0301 ﬁ ½ Å \u00a0nbsp\u2009thin\u3000wide\u200bzero",
    "def f(x):\n\treturn {'a': x ** 2}  # ok\n\n\n    if x != 0:\r\n        print(f\"{x:>10}\")\n",
    "  leading and trailing   ",
    "x" + "".join(f"{' ' * n}x" for n in range(1, 40)) + "\n" * 7 + "\t" * 5 + " \n \n",
    "aaa aaaa aaaaaaa ======== ....... -----> !!!!!! 00000000 ▁ ▁▁ a▁b",
    " ",
    "\n",
    "𝔘𝔫𝔦 \U00010348 \U0010ffff \u0001 \ufeff \ufffd",
)


def same_ids(mine: Callable[[str], list[int]], original: Callable[[str], list[int]], library: str, extra: Iterable[str] = ()) -> None:
    """Compare on the sample. Raises WorkbenchError with the first difference."""
    for text in (*SAMPLE, *extra):
        here, there = mine(text), original(text)
        if here == there:
            continue
        at = next((i for i, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), min(len(here), len(there)))
        raise WorkbenchError(
            f"The converted tokenizer does not agree with {library}: for {text[:40]!r} token {at} is {here[at : at + 3]} and should be {there[at : at + 3]}; "
            "use a tokenizer.json made by the model's authors instead."
        )
