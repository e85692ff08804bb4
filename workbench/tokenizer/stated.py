"""What the files beside a vocabulary say of it: roles, limits, chat template, added tokens."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WorkbenchError

if TYPE_CHECKING:
    import tokenizers

ROLES = ("bos", "eos", "unk", "pad", "cls", "sep", "mask")
# What is kept of tokenizer_config.json. The rest names Python classes, or repeats what tokenizer.json says.
KEPT = ("model_max_length", "padding_side", "truncation_side", "clean_up_tokenization_spaces", "model_input_names")
_FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; {} where there is no file. Raises WorkbenchError for anything else."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise WorkbenchError(f"{path} is not JSON; check that the file is whole.") from None
    if not isinstance(content, dict):
        raise WorkbenchError(f"{path} is not a JSON object; give a tokenizer.json.")
    return content


def read(folder: Path) -> dict[str, Any]:
    """Everything stated in a folder: tokenizer_config.json over special_tokens_map.json, and the ids of added_tokens.json as `added_tokens`."""
    stated = read_json(folder / "special_tokens_map.json") | read_json(folder / "tokenizer_config.json")
    return stated | {"added_tokens": read_json(folder / "added_tokens.json")}


def config(folder: Path) -> dict[str, Any]:
    """What a folder states about a tokenizer beyond its tokenizer.json: roles as text, limits, chat template."""
    stated = read(folder)
    found = {key: stated[key] for key in KEPT if stated.get(key) is not None} | roles(stated)
    extra = stated.get("additional_special_tokens") or stated.get("extra_special_tokens") or []
    if isinstance(extra, list) and extra:
        found["additional_special_tokens"] = [content(token) for token in extra]
    template = folder / "chat_template.jinja"
    if template.is_file():
        try:
            found["chat_template"] = template.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise WorkbenchError(f"{template} is not UTF-8 at byte {error.start}; save it as UTF-8.") from None
    elif stated.get("chat_template"):
        found["chat_template"] = stated["chat_template"]
    return found


def roles(stated: dict[str, Any]) -> dict[str, str]:
    """{"eos_token": "</s>", …} as far as they are stated."""
    return {f"{role}_token": content(token) for role in ROLES if (token := stated.get(f"{role}_token"))}


def content(token: Any) -> str:
    return str(token["content"]) if isinstance(token, dict) else str(token)


def added(stated: dict[str, Any], special: Iterable[str]) -> list[tokenizers.AddedToken]:
    """The added tokens: those in `special` (the roles' and a family's own), and all that are stated, with the flags stated for them."""
    import tokenizers

    extra = stated.get("additional_special_tokens") or stated.get("extra_special_tokens") or []
    extra, listed = extra if isinstance(extra, list) else [], stated.get("added_tokens_decoder")
    found = {name: {"special": False, "normalized": True} for name in stated.get("added_tokens", {})}
    found |= {name: {"special": True, "normalized": False} for name in (*special, *map(content, extra))}
    for token in (*(listed.values() if isinstance(listed, dict) else ()), *extra, *(stated.get(f"{role}_token") for role in ROLES)):
        if isinstance(token, dict):
            flags = found.setdefault(content(token), {"special": False, "normalized": True})
            flags |= {flag: bool(token[flag]) for flag in _FLAGS if flag in token}
    return [tokenizers.AddedToken(name, **flags) for name, flags in found.items()]


def ids(stated: dict[str, Any]) -> dict[str, int]:
    """The ids that are stated for added tokens. Raises WorkbenchError for one that is no number."""
    listed = stated.get("added_tokens_decoder")
    try:
        found = {content(token): int(i) for i, token in listed.items()} if isinstance(listed, dict) else {}
        return found | {name: int(i) for name, i in stated.get("added_tokens", {}).items()}
    except (KeyError, TypeError, ValueError):
        raise WorkbenchError("The added tokens beside the vocabulary are not numbered; check added_tokens.json and tokenizer_config.json.") from None
