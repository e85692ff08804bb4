"""A tekken.json (Mistral Nemo and later) as a `tokenizers.Tokenizer` that gives the same ids: the special tokens first, then tiktoken ranks.

Format: mistral-common, tokens/tokenizers/tekken.py.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WorkbenchError
from .alphabet import to_letters
from .convert_tiktoken import Family, build, compiles
from .merges import merges_of
from .verify import same_ids

if TYPE_CHECKING:
    import tokenizers

# Files up to version 7 leave these out; later ones list their own.
_UNSTATED = (
    "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]",
    "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]",
)  # fmt: skip
_ROLES = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}


def is_tekken(content: dict[str, Any]) -> bool:
    """Whether the JSON of a file is a tekken.json: ranks in a list, and how to cut text in `config`."""
    return isinstance(content.get("vocab"), list) and isinstance(content.get("config"), dict)


def convert(path: Path, content: dict[str, Any]) -> tuple[tokenizers.Tokenizer, dict[str, str]]:
    """The tokenizer of a tekken.json, parsed as `content`, and its roles. BOS is put before every text, as Mistral does.

    Of the ranks in the file only the first `default_vocab_size` − `default_num_special_tokens` are tokens; rank r has id r + `default_num_special_tokens`.
    Raises WorkbenchError for a file that lacks a part, and where the ids differ from tiktoken's.
    """
    try:
        first, size = int(content["config"]["default_num_special_tokens"]), int(content["config"]["default_vocab_size"])
        pattern = str(content["config"]["pattern"])
        ranks = {base64.b64decode(token["token_bytes"], validate=True): int(token["rank"]) for token in content["vocab"] if token["rank"] < size - first}
        specials = _specials(content, first)
    except (KeyError, TypeError, ValueError) as error:
        raise WorkbenchError(f"{path} lacks a part of a tekken.json ({type(error).__name__}: {error}); check that the file is whole.") from None
    if sorted(ranks.values()) != list(range(size - first)) or sum(len(token) == 1 for token in ranks) != 256:
        raise WorkbenchError(f"{path} does not hold the ranks 0 to {size - first - 1} with all 256 single bytes; check that the file is whole.")
    letters = {to_letters(token): first + rank for token, rank in ranks.items()}
    if twice := letters.keys() & set(specials):
        raise WorkbenchError(f"{path} has {sorted(twice)[0]} both as a special token and as text; give the tokenizer.json of its authors.")
    family = Family(compiles(pattern), specials, {role: token for role, token in _ROLES.items() if token in specials}, bos="<s>" in specials)
    merges, dead = merges_of(ranks)
    vocab = {token: i for i, token in enumerate(specials)} | letters
    # As with a rank file: tiktoken gives a piece that is a token as a whole without merging.
    backend = build(vocab, [(to_letters(left), to_letters(right)) for left, right in merges], family, ignore_merges=bool(dead))
    _check(backend, ranks, pattern, first)
    return backend, family.roles


def _specials(content: dict[str, Any], count: int) -> tuple[str, ...]:
    """The special tokens by id, filled up to `count` as the authors do."""
    stated = content.get("special_tokens")
    named = {int(token["rank"]): str(token["token_str"]) for token in stated} if stated else dict(enumerate(_UNSTATED[:count]))
    if (stated and set(named) != set(range(len(stated)))) or len(named) > count:
        raise ValueError(f"{len(named)} special tokens that are not numbered 0 to {count - 1}")
    return tuple(named.get(i, f"<SPECIAL_{i}>") for i in range(count))


def _check(backend: tokenizers.Tokenizer, ranks: dict[bytes, int], pattern: str, first: int) -> None:
    import tiktoken

    original = tiktoken.Encoding("original", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    same_ids(
        lambda text: backend.encode(text, add_special_tokens=False).ids,
        lambda text: [first + rank for rank in original.encode_ordinary(text)],
        "tiktoken",
    )
