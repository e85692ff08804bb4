"""GPT-2's vocab.json with merges.txt, and the same two files of RoBERTa and Qwen2, as a `tokenizers.Tokenizer`."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WorkbenchError
from .convert_tiktoken import FAMILIES, Family, build, compiles
from .stated import added, ids, roles

if TYPE_CHECKING:
    import tokenizers

_GPT2 = FAMILIES["gpt2"]
_ROBERTA = Family(
    _GPT2.regex,
    roles={
        "bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>"
    },
)  # fmt: skip
# The first three special tokens are those of Qwen; the 205 spare ones exist only beside a rank file.
_QWEN = replace(FAMILIES["qwen"], specials=FAMILIES["qwen"].specials[:3])
# By the class in tokenizer_config.json, without "Tokenizer" and "Fast".
_CLASSES = {"GPT2": _GPT2, "CodeGen": _GPT2, "Qwen2": _QWEN, "Roberta": _ROBERTA, "Bart": _ROBERTA, "Longformer": _ROBERTA, "LED": _ROBERTA}
_NAMED = {"gpt2": _GPT2, "qwen": _QWEN, "llama3": FAMILIES["llama3"], "roberta": _ROBERTA}
_ANY = ("", "PreTrained", "TokenizersBackend", "Auto")


def convert(path: Path, vocab: dict[str, int], stated: dict[str, Any], pattern: str | None = None) -> tuple[tokenizers.Tokenizer, dict[str, str]]:
    """The tokenizer of a vocab.json, parsed as `vocab`, with the merges beside it, and its roles. `stated` is what the other files beside it say.

    The text is cut as by the class that is stated, else like GPT-2's; `pattern` (a family's name or a regular expression) overrides that. Added tokens
    keep the ids stated for them. Raises WorkbenchError where the two files do not fit, and for a class that cuts text otherwise.
    """
    merges_file = merges_beside(path)
    merges = _merges(path, merges_file)
    family = _family(path, vocab, stated, pattern)
    given = roles(stated)
    known = vocab | ids(stated)
    names = {role: token for role, token in family.roles.items() if token in known or (token in family.specials and not given)} | given
    specials = [token for token in family.specials if token in known or not given]
    lacking = [token for token in dict.fromkeys([*specials, *names.values()]) if token not in known]
    known |= {token: max(known.values()) + 1 + i for i, token in enumerate(lacking)}
    family = replace(family, specials=(), roles=names, bos=bool(stated.get("add_bos_token")) and "bos_token" in names)
    try:
        backend = build(known, merges, family)  # type: ignore[arg-type] # merges that are no pairs are refused here
    except Exception as error:  # the library raises bare Exception: a merge whose part is no token, a line that is no pair
        raise WorkbenchError(f"{merges_file} does not fit {path} ({error}); give both files of one tokenizer.") from None
    _finish(backend, family, stated, [*specials, *names.values()])
    return backend, names


def merges_beside(path: Path) -> Path:
    """vocab.json → merges.txt, NAME-vocab.json → NAME-merges.txt, encoder.json → vocab.bpe."""
    return path.with_name("vocab.bpe") if path.name == "encoder.json" else path.with_name(path.name.replace("vocab", "merges")).with_suffix(".txt")


def vocab_beside(path: Path) -> Path | None:
    """The vocab.json of a file of merges, or None where the name is not that of one."""
    if path.suffix == ".bpe":
        return path.with_name("encoder.json")
    return path.with_name(path.name.replace("merges", "vocab")).with_suffix(".json") if path.stem.endswith("merges") else None


def _merges(path: Path, merges_file: Path) -> list[tuple[str, ...]]:
    try:
        lines = merges_file.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise WorkbenchError(f"{path} and {merges_file} cannot be read together ({type(error).__name__}); give both files of one tokenizer.") from None
    if any(line.endswith("</w>") for line in lines):
        raise WorkbenchError(f"{merges_file} marks the ends of words by </w>, as CLIP's does, which is not read here; give the tokenizer.json of its authors.")
    return [tuple(line.split(" ")) for line in lines if line.strip() and not line.startswith("#version")]


def _family(path: Path, vocab: dict[str, int], stated: dict[str, Any], pattern: str | None) -> Family:
    if pattern:
        return _NAMED.get(pattern) or Family(compiles(pattern))
    kind = re.sub(r"(Tokenizer)?(Fast)?$", "", str(stated.get("tokenizer_class") or ""))
    if kind in _CLASSES:
        return _CLASSES[kind]
    if kind not in _ANY:
        raise WorkbenchError(f"{path} belongs to a {kind}Tokenizer, whose way to cut text is not known here; give its tokenizer.json, or pattern=.")
    if len(vocab) == FAMILIES["qwen"].size:
        return _QWEN
    return _ROBERTA if {"<s>", "</s>", "<unk>", "<mask>"} <= vocab.keys() else _GPT2


def _finish(backend: tokenizers.Tokenizer, family: Family, stated: dict[str, Any], special: list[str]) -> None:
    """What the class adds to the two files: added tokens with their flags, a space in front, RoBERTa's <s> and </s>."""
    from tokenizers import pre_tokenizers, processors

    space, mask = bool(stated.get("add_prefix_space")), family.roles.get("mask_token")
    if mask and not isinstance(stated.get("mask_token"), dict):
        stated = stated | {"mask_token": {"content": mask, "lstrip": True}}  # <mask> takes in the space before it
    tokens = added(stated, special)
    backend.add_special_tokens([token for token in tokens if token.special])
    backend.add_tokens([token for token in tokens if not token.special])
    if space and family.regex == _GPT2.regex:
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    if {"cls_token", "sep_token"} <= family.roles.keys():
        (end, start) = ((family.roles[role], backend.token_to_id(family.roles[role])) for role in ("sep_token", "cls_token"))
        backend.post_processor = processors.RobertaProcessing(end, start, trim_offsets=True, add_prefix_space=space)
