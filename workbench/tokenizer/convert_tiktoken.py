"""A tiktoken rank file as a `tokenizers.Tokenizer` that gives the same ids."""

from __future__ import annotations

import base64
import binascii
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WorkbenchError
from .alphabet import to_letters
from .merges import merges_of
from .verify import same_ids

if TYPE_CHECKING:
    import tokenizers

_GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def _llama3_specials() -> tuple[str, ...]:
    named = {0: "begin_of_text", 1: "end_of_text", 6: "start_header_id", 7: "end_header_id", 9: "eot_id"}
    spare = iter(range(256))
    return tuple(f"<|{named[i]}|>" if i in named else f"<|reserved_special_token_{next(spare)}|>" for i in range(256))


@dataclass(frozen=True)
class Family:
    """What a rank file does not say: how text is cut, and the special tokens after the ranks, as the model's authors define them."""

    regex: str
    specials: tuple[str, ...] = ()
    roles: dict[str, str] = field(default_factory=dict)
    nfc: bool = False
    bos: bool = False  # put before every text
    size: int = 0  # ranks in the well-known file, by which it is recognised


FAMILIES = {
    "gpt2": Family(_GPT2, ("<|endoftext|>",), dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<|endoftext|>"), size=50256),
    # Meta-Llama-3, tokenizer.py
    "llama3": Family(_LLAMA3, _llama3_specials(), {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>"}, bos=True, size=128000),
    # Qwen, tokenization_qwen.py: NFC, one digit at a time, 208 special tokens
    "qwen": Family(
        _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}"),
        ("<|endoftext|>", "<|im_start|>", "<|im_end|>", *(f"<|extra_{i}|>" for i in range(205))),
        {"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"},
        nfc=True,
        size=151643,
    ),
}


def convert(path: Path, pattern: str | None = None) -> tuple[tokenizers.Tokenizer, dict[str, str]]:
    """The tokenizer of a rank file and its roles. `pattern` is a family's name or the regular expression that cuts the text.

    Raises WorkbenchError for lines that are no ranks, a size from which the pattern cannot be told, and where the ids differ.
    """
    ranks = read(path)
    family = _family(path, len(ranks), pattern)
    merges, dead = merges_of(ranks)
    vocab = {to_letters(token): rank for token, rank in ranks.items()}
    # tiktoken gives a piece that is a token as a whole without merging: it matters only where a token cannot be merged.
    backend = build(vocab, [(to_letters(left), to_letters(right)) for left, right in merges], family, ignore_merges=bool(dead))
    _check(backend, ranks, family)
    return backend, family.roles


def read(path: Path) -> dict[bytes, int]:
    """Token bytes → rank. Raises WorkbenchError with the first line that is none."""
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except (ValueError, binascii.Error):
            raise WorkbenchError(
                f"Line {number} of {path} is not a base64 token and its rank; check that the file is whole and a tiktoken rank file."
            ) from None
    if missing := 256 - sum(len(token) == 1 for token in ranks):
        raise WorkbenchError(f"{path} lacks {missing} of the 256 single bytes a tiktoken rank file starts with; check that the file is whole.")
    return ranks


def build(vocab: dict[str, int], merges: list[tuple[str, str]], family: Family, ignore_merges: bool = False) -> tokenizers.Tokenizer:
    """A byte-level BPE tokenizer; the family's special tokens come after the vocabulary where they are not in it."""
    import tokenizers
    from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

    after = max(vocab.values()) + 1
    lacking = [s for s in family.specials if s not in vocab]
    backend = tokenizers.Tokenizer(models.BPE(vocab | {s: after + i for i, s in enumerate(lacking)}, merges, ignore_merges=ignore_merges))
    if family.nfc:
        backend.normalizer = normalizers.NFC()
    cut = pre_tokenizers.Split(tokenizers.Regex(family.regex), "isolated")
    backend.pre_tokenizer = pre_tokenizers.Sequence([cut, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([tokenizers.AddedToken(s, normalized=False, special=True) for s in family.specials])
    backend.post_processor = processors.ByteLevel(trim_offsets=False)
    if family.bos:
        bos = family.roles["bos_token"]
        template = processors.TemplateProcessing(single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1", special_tokens=[(bos, backend.token_to_id(bos))])
        backend.post_processor = processors.Sequence([backend.post_processor, template])
    return backend


def _family(path: Path, size: int, pattern: str | None) -> Family:
    if pattern in FAMILIES:
        return FAMILIES[pattern]
    if pattern:
        return Family(compiles(pattern))
    for family in FAMILIES.values():
        if family.size == size:
            return family
    raise WorkbenchError(
        f"{path} has {size} ranks, from which its pattern cannot be told; "
        f"give pattern= one of {', '.join(FAMILIES)}, or the regular expression that cuts its text."
    )


def compiles(pattern: str, names: Iterable[str] = tuple(FAMILIES)) -> str:
    """The regular expression as it is. Raises WorkbenchError where it is none, with the `names` that could be given in its place."""
    import tokenizers

    try:
        tokenizers.Regex(pattern)
    except Exception as error:  # the library raises bare Exception
        raise _no_pattern(pattern, error, names) from None
    return pattern


def _no_pattern(pattern: str, error: Exception, names: Iterable[str]) -> WorkbenchError:
    reason = str(error).strip().split("\n")[-1].rstrip(".")
    return WorkbenchError(f"The pattern '{pattern}' is no regular expression ({reason}); correct it, or give one of {', '.join(names)}.")


def _check(backend: tokenizers.Tokenizer, ranks: dict[bytes, int], family: Family) -> None:
    import tiktoken

    try:
        original: Any = tiktoken.Encoding("original", pat_str=family.regex, mergeable_ranks=ranks, special_tokens={})
    except ValueError as error:  # its expressions are not quite those of tokenizers
        raise _no_pattern(family.regex, error, FAMILIES) from None
    same_ids(
        lambda text: backend.encode(text, add_special_tokens=False).ids,
        lambda text: original.encode_ordinary(unicodedata.normalize("NFC", text) if family.nfc else text),
        "tiktoken",
    )
