"""Special tokens of a new tokenizer: those of a base by role and name, with its chat template and what it puts around a text; or new ones."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WorkbenchError
from .alphabet import BYTE_PIECE, BYTES, MARK, show
from .cutting import Alphabet
from .loading import settings

if TYPE_CHECKING:
    import tokenizers
    from transformers import PreTrainedTokenizerFast

OWN = {"unk": "<unk>", "bos": "<s>", "eos": "</s>"}  # without a base, as SentencePiece names them
ROLES = ("unk", "bos", "eos", "pad", "cls", "sep", "mask")  # in the order of the ids they get where a base has none
_SHARED = {"bos", "eos", "pad"}  # one token may have several of these roles: Qwen pads with its end of text


@dataclass(frozen=True)
class Specials:
    """Tokens that come before all others, in this order, and the settings that go with them."""

    tokens: tuple[tokenizers.AddedToken, ...]
    config: dict[str, Any]  # as tokenizer_config.json has it
    processor: Any  # the post-processor's JSON, with the ids of the base; None where nothing is put around a text

    @property
    def ids(self) -> dict[str, int]:
        return {token.content: i for i, token in enumerate(self.tokens)}


def gather(base: PreTrainedTokenizerFast | None, given: Mapping[str, str | None], more: Iterable[str], template: str | None, unknown: bool) -> Specials:
    """The special tokens: the base's special and added tokens in the order of their ids, then those in `given` (by role) and `more` that it lacks.

    `template`: a Jinja chat template, or the path of one; else the base's. `unknown`: a token for the unknown is needed (Unigram). Raises
    WorkbenchError for an empty string, one given twice, roles that may not share a token, and a template that names a token that is not there.
    """
    wanted = {role: token for role, token in given.items() if token is not None}
    _check_given(wanted, list(more))
    config = settings(base) if base else {f"{role}_token": token for role, token in OWN.items()}
    tokens = _carried(base) if base else {}
    processor = json.loads(base.backend_tokenizer.to_str())["post_processor"] if base else None
    if unknown and "unk_token" not in config:
        wanted.setdefault("unk", OWN["unk"])
    renamed = {config[f"{role}_token"]: token for role, token in wanted.items() if f"{role}_token" in config}
    changed = {role: token for role, token in wanted.items() if config.get(f"{role}_token") != token}
    config |= {f"{role}_token": token for role, token in wanted.items()}
    roles = {role: config[f"{role}_token"] for role in ROLES if f"{role}_token" in config}
    _check_apart(changed, roles)
    # A clean-up after decoding ("do n't" → "don't") belongs to tokenizers that drop spaces; here it would change the text.
    config["clean_up_tokenization_spaces"] = False
    for name in (*roles.values(), *more):
        tokens.setdefault(name, _special(name))
    if base is None:
        processor = _front(config["bos_token"])
    if template is not None:
        config["chat_template"] = _template(template, config, tokens)
    return Specials(tuple(tokens.values()), config, _renamed(processor, renamed))


def check_alphabet(specials: Specials, alphabet: Alphabet) -> None:
    """Raises WorkbenchError for a special token that is also one of the 256 that stand for a byte, or in SentencePiece's alphabet the piece of a space."""
    for token in specials.tokens:
        # The model would give the special token's id for plain spaces, and decoding, which skips special tokens, would lose them.
        if alphabet == "sentencepiece" and token.special and token.content.startswith(MARK):
            raise WorkbenchError(f"The special token '{_shown(token.content)}' starts with {MARK}, a space in the {alphabet} alphabet; give it another name.")
        if token.content in BYTES if alphabet == "byte-level" else BYTE_PIECE.fullmatch(token.content):
            raise WorkbenchError(f"The special token '{_shown(token.content)}' is also the token of a byte in the {alphabet} alphabet; give it another name.")


def processor(specials: Specials, byte_level: bool) -> dict[str, Any] | None:
    """The post-processor's JSON for a new tokenizer: what the base puts around a text, with the ids that the tokens have now."""
    ids = specials.ids
    nodes: list[dict[str, Any]] = [{"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}] if byte_level else []
    nodes += [_numbered(node, ids) for node in _nodes(specials.processor)]
    return nodes[0] if len(nodes) == 1 else {"type": "Sequence", "processors": nodes} if nodes else None


def _check_given(wanted: Mapping[str, str], more: list[str]) -> None:
    for token in (*wanted.values(), *more):
        if not token.strip():
            raise WorkbenchError(f"A special token is empty ('{_shown(token)}'); give each at least one visible character.")
    every = [*dict.fromkeys(wanted.values()), *more]
    for token in every:
        if every.count(token) > 1:
            raise WorkbenchError(f"The special token '{_shown(token)}' is given twice; give each once.")


def _check_apart(changed: Mapping[str, str], roles: Mapping[str, str]) -> None:
    """Roles that were changed may not share a token with another (what a base shares already is its authors' choice)."""
    for role, token in changed.items():
        for other, same in roles.items():
            if role != other and token == same and not {role, other} <= _SHARED:
                raise WorkbenchError(f"{role} and {other} would both be '{_shown(token)}'; only bos, eos and pad may share a token.")


def _carried(base: PreTrainedTokenizerFast) -> dict[str, tokenizers.AddedToken]:
    """Name → token, in the order of the base's ids: all added tokens, and those of the roles and the post-processor that are in the model alone."""
    backend = base.backend_tokenizer
    found = dict(backend.get_added_tokens_decoder().items())
    role_tokens = [token for key, token in settings(base).items() if key.endswith("_token")]
    for name in (*role_tokens, *_mentioned(json.loads(backend.to_str())["post_processor"])):
        if (i := backend.token_to_id(name)) is not None:
            found.setdefault(i, _special(name))
    return {token.content: _as_written(token) for _, token in sorted(found.items(), key=lambda item: item[0])}


def _as_written(token: tokenizers.AddedToken) -> tokenizers.AddedToken:
    """The token, looked for before the normaliser: behind one that puts a space in front, it would be found after a space only (Mistral's symbols)."""
    import tokenizers

    flags = {name: getattr(token, name) for name in ("single_word", "lstrip", "rstrip", "special")}
    return tokenizers.AddedToken(token.content, normalized=False, **flags)


def _special(name: str) -> tokenizers.AddedToken:
    import tokenizers

    return tokenizers.AddedToken(name, special=True, normalized=False)


def _front(bos: str) -> dict[str, Any]:
    """BOS in front of every text, as Llama and Mistral have it."""
    start = [{"SpecialToken": {"id": bos, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    second = [{"SpecialToken": {"id": bos, "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}]
    return {"type": "TemplateProcessing", "single": start, "pair": start + second, "special_tokens": {bos: {"id": bos, "ids": [0], "tokens": [bos]}}}


def _nodes(part: Any) -> Iterator[dict[str, Any]]:
    """The post-processors that put tokens around a text, out of a sequence of them."""
    if part and part["type"] == "Sequence":
        for inner in part["processors"]:
            yield from _nodes(inner)
    elif part and part["type"] != "ByteLevel":
        yield part


def _mentioned(part: Any) -> list[str]:
    found: list[str] = []
    for node in _nodes(part):
        found += [name for entry in node.get("special_tokens", {}).values() for name in entry["tokens"]]
        found += [node[key][0] for key in ("cls", "sep") if key in node]
    return found


def _renamed(part: Any, names: Mapping[str, str]) -> Any:
    """The JSON with every string that is one of `names` replaced."""
    if isinstance(part, dict):
        return {names.get(key, key): _renamed(value, names) for key, value in part.items()}
    if isinstance(part, list):
        return [_renamed(value, names) for value in part]
    return names.get(part, part) if isinstance(part, str) else part


def _numbered(node: dict[str, Any], ids: Mapping[str, int]) -> dict[str, Any]:
    if "special_tokens" in node:
        entries = {key: entry | {"ids": [ids[name] for name in entry["tokens"]]} for key, entry in node["special_tokens"].items()}
        return node | {"special_tokens": entries}
    return node | {key: [node[key][0], ids[node[key][0]]] for key in ("cls", "sep") if key in node}


def _template(given: str, config: Mapping[str, Any], tokens: Mapping[str, Any]) -> str:
    """The text of a chat template, given itself or by its path."""
    if "{" not in given:
        try:
            given = Path(given).expanduser().read_text(encoding="utf-8")
        except (OSError, ValueError, RuntimeError):
            raise WorkbenchError(f"The chat template {given} cannot be read; give the path of a UTF-8 file with a Jinja template, or the template.") from None
    _check_jinja(given)
    for key in re.findall(r"\b(?:bos|eos|unk|pad|cls|sep|mask)_token\b", given):
        if key not in config:
            raise WorkbenchError(f"The chat template uses {key}, and the tokenizer has none; give {key.removesuffix('_token')}, or change the template.")
    for name in re.findall(r"<\|[^\s|'\"]+\|>", given):
        if name not in tokens:
            raise WorkbenchError(f"The chat template names '{_shown(name)}', which is no special token here; add it to specials, or change the template.")
    return given


def _check_jinja(template: str) -> None:
    import jinja2

    # transformers' own tag around a reply, which jinja2 alone does not know.
    plain = re.sub(r"\{%([-+]?\s*)(?:end)?generation(\s*[-+]?)%\}", r"{%\1set _ = 0\2%}", template)
    try:
        jinja2.Environment(extensions=["jinja2.ext.loopcontrols"]).compile(plain)
    except jinja2.TemplateSyntaxError as error:
        raise WorkbenchError(f"The chat template is no Jinja ({str(error.message).rstrip('.')}, line {error.lineno}); correct it.") from None


def _shown(token: str) -> str:
    return show(token.encode("utf-8", "surrogatepass"))
