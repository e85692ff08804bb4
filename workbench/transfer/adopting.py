"""A tokenizer that comes from elsewhere, made fit for the model that shall have it: its roles, what stands around a text, its chat template."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import WorkbenchError
from ..tokenizer.alphabet import BYTE_PIECE, kind_of

if TYPE_CHECKING:
    import tokenizers
    from transformers import PreTrainedTokenizerFast

ROLES = ("bos", "eos", "pad")  # without these a model can neither begin, end nor be batched as it was trained to
_LIMITS = ("model_max_length", "model_input_names", "padding_side", "truncation_side")  # the model's, not the tokenizer's


@dataclass(frozen=True)
class Adopted:
    """The tokenizer to write, the tokens it got from the source, and what was changed in plain sentences; the tokenizer itself where nothing was."""

    tokenizer: PreTrainedTokenizerFast
    added: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()


class Around(NamedTuple):
    """The tokens that a tokenizer puts before and after a text."""

    before: tuple[str, ...]
    after: tuple[str, ...]

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerFast) -> Around:
        found = tokenizer.backend_tokenizer.encode("a")
        real = [(token, part) for token, part, used in zip(found.tokens, found.sequence_ids, found.attention_mask, strict=True) if used]
        text = [n for n, (_, part) in enumerate(real) if part is not None]
        first, last = (text[0], text[-1] + 1) if text else (len(real), len(real))  # it may know neither the letter nor a token for the unknown
        return cls(tuple(token for token, _ in real[:first]), tuple(token for token, _ in real[last:]))

    def __str__(self) -> str:
        return " ".join([*self.before, "…", *self.after])


def adopt(source: PreTrainedTokenizerFast, target: PreTrainedTokenizerFast, named: Iterable[int] = ()) -> Adopted:
    """`target` with the source's policy: the tokens it puts before and after a text, its chat template, and the tokens these and the roles need.

    The template of BERT ([CLS] … [SEP]) is what an encoder was trained with; a decoder that takes over its vocabulary goes on with its own
    <s> and </s>, whose rows it keeps. Tokens are matched by role, then by name; what is missing is appended behind the last id. A tokenizer that
    already does as the source does (an extended or pruned one) is returned as it is. Neither argument is changed.

    Args:
        named: source ids that the model's configs name (all of its ends of text), which must have a counterpart too.

    Raises WorkbenchError if an id would be used twice.
    """
    mine, now = Around.of(source), Around.of(target)
    starts, ends = _counterparts(source, target, "bos"), _counterparts(source, target, "eos")
    policy = Around(tuple(starts.get(t, t) for t in mine.before), tuple(ends.get(t, t) for t in mine.after))
    template, spoken = _template(source, target, ends)
    roles = {r: str(t) for r in ROLES if (t := getattr(source, f"{r}_token")) is not None and getattr(target, f"{r}_token") is None}
    missing = _missing(source, target, {*roles.values(), *mine.before, *mine.after, *spoken, *_named(source, named)} - ends.keys())
    roles = {role: ends.get(token, token) for role, token in roles.items()}
    if not missing and not roles and policy == now and template == target.chat_template:
        return Adopted(target)
    made = _with_tokens(source, target, missing, roles, template)
    changes = []
    if missing:
        changes.append(f"Appended {', '.join(t.content for t in missing)}: the tokenizer had no such tokens, and the model needs them.")
    if named_so := {role: token for role, token in roles.items() if token not in {t.content for t in missing}}:
        changes.append("Named " + ", ".join(f"{token} as {role}" for role, token in named_so.items()) + ", as the source tokenizer has that role.")
    if len(made.added_tokens_decoder) < len(target.added_tokens_decoder) + len(missing):
        changes.append("Its byte pieces are no longer marked special: as such they would be left out of every reply.")
    if policy != now:
        made.backend_tokenizer.post_processor = _processor(made.backend_tokenizer.post_processor, policy, made.get_vocab())
        changes.append(f"A text is now written {policy}, as the model has learnt it, and no longer {now}.")
    if template != target.chat_template:
        changes.append("Took the source's chat template." if target.chat_template is None else "Replaced its chat template by the source's.")
    return Adopted(made, tuple(t.content for t in missing), tuple(changes))


def _with_tokens(
    source: PreTrainedTokenizerFast, target: PreTrainedTokenizerFast, missing: list[tokenizers.AddedToken], roles: dict[str, str], template: Any
) -> PreTrainedTokenizerFast:
    """A copy of the target with tokens behind its last id, roles, template, and the limits of the source's model in place of its own."""
    from ..tokenizer.loading import settings, wrap

    limits = {key: value for key, value in settings(source).items() if key in _LIMITS}
    own = {key: value for key, value in settings(target).items() if key not in (*_LIMITS, "chat_template")}
    made = wrap(_plain_bytes(target.backend_tokenizer), own, limits, {} if template is None else {"chat_template": template})
    made.backend_tokenizer.no_truncation()
    made.backend_tokenizer.no_padding()
    first = max(target.get_vocab().values()) + 1
    made.add_tokens(missing)
    ids = made.get_vocab()
    if any(ids[token.content] < first for token in missing):
        raise WorkbenchError("The tokenizer's ids have holes, so that tokens appended to it would take ids already used; renumber its ids first.")
    for role, token in roles.items():
        setattr(made, f"{role}_token", token)
    extra = [str(t) for each in (target, source) for t in getattr(each, "extra_special_tokens", ()) or () if str(t) in ids]
    if extra:
        made.extra_special_tokens = list(dict.fromkeys(extra))
    return made


def _plain_bytes(backend: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    """The tokenizer with its byte pieces as ordinary tokens: marked special, as some trainers leave them, they would be left out of every reply."""
    from tokenizers import Tokenizer

    special = {token.content for token in backend.get_added_tokens_decoder().values() if token.special and BYTE_PIECE.fullmatch(token.content)}
    if not special or kind_of(backend) != "metaspace":
        return backend
    spec = json.loads(backend.to_str())
    spec["added_tokens"] = [token for token in spec["added_tokens"] if token["content"] not in special or token["content"] not in spec["model"]["vocab"]]
    return Tokenizer.from_str(json.dumps(spec))


def _counterparts(source: PreTrainedTokenizerFast, target: PreTrainedTokenizerFast, first: str) -> dict[str, str]:
    """Source token → target token of the same role, where both have one; where one token has several roles, `first` and then bos and eos prevail.

    A token that begins or ends texts is no other's counterpart: GPT-2 has one for everything, and a text must not end with [UNK] or [PAD].
    """
    roles = ("mask", "sep", "cls", "unk", "pad", "eos", "bos", first)
    mine, theirs = ({role: str(t) for role in roles if (t := getattr(each, f"{role}_token")) is not None} for each in (source, target))
    ends = {mine.get("bos"), mine.get("eos")}
    return {mine[role]: theirs[role] for role in roles if role in mine and role in theirs and (role in ("bos", "eos") or mine[role] not in ends)}


def _missing(source: PreTrainedTokenizerFast, target: PreTrainedTokenizerFast, needed: Iterable[str]) -> list[tokenizers.AddedToken]:
    """Those of the needed source tokens that the target lacks, in the order of their ids and with their flags."""
    from tokenizers import AddedToken

    mine, theirs, known = source.backend_tokenizer.token_to_id, target.backend_tokenizer.token_to_id, source.added_tokens_decoder
    found = sorted((i, token) for token in needed if (i := mine(token)) is not None and theirs(token) is None)
    return [known.get(i) or AddedToken(token, special=True, normalized=False) for i, token in found]


def _named(source: PreTrainedTokenizerFast, ids: Iterable[int]) -> list[str]:
    """The special and added tokens among the ids that a config names."""
    known = {i: token.content for i, token in source.added_tokens_decoder.items()} | dict(zip(source.all_special_ids, source.all_special_tokens, strict=True))
    return [known[i] for i in ids if i in known]


def _template(source: PreTrainedTokenizerFast, target: PreTrainedTokenizerFast, names: dict[str, str]) -> tuple[Any, list[str]]:
    """The chat template to have and the source tokens that it writes.

    It is the source's, which its model was tuned with, and in it the role tokens by the names they have now. The target's own stays where the
    source has none, and where the target has all tokens of the source's: then it belongs to this model already, and somebody chose it.
    """
    if source.chat_template is None:
        return target.chat_template, []
    spoken = _chat_tokens(source)
    if target.chat_template is not None and None not in map(target.backend_tokenizer.token_to_id, spoken):
        return target.chat_template, spoken

    def renamed(text: str) -> str:
        for mine, theirs in names.items():
            text = text.replace(mine, theirs)
        return text

    template = source.chat_template
    return {name: renamed(text) for name, text in template.items()} if isinstance(template, dict) else renamed(template), spoken


def _chat_tokens(source: PreTrainedTokenizerFast) -> list[str]:
    """The added tokens that a conversation is written with: those that the template names, and those that appear where it puts them together itself."""
    template = source.chat_template
    texts = [*(template.values() if isinstance(template, dict) else [template])]
    user, reply = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
    for conversation in ([user, reply, user], [{"role": "system", "content": "c"}, user, reply]):
        for prompt in (True, False):
            try:
                texts.append(source.apply_chat_template(conversation, tokenize=False, add_generation_prompt=prompt))
            except Exception:  # templates refuse what their model was not taught (a system message) by raising whatever they like
                continue
    return [token.content for _, token in sorted(source.added_tokens_decoder.items()) if any(token.content in text for text in texts)]


def _processor(old: Any, policy: Around, ids: dict[str, int]) -> Any:
    """A post-processor that puts `policy` around every text, beside what the old one does to offsets."""
    from tokenizers import processors

    def written(name: str, number: int) -> list[dict[str, Any]]:
        before, after = ([{"SpecialToken": {"id": token, "type_id": number}} for token in part] for part in policy)
        return [*before, {"Sequence": {"id": name, "type_id": number}}, *after]

    special = {token: {"id": token, "ids": [ids[token]], "tokens": [token]} for part in policy for token in part}
    template = processors.TemplateProcessing(single="$A", pair="$A $B:1", special_tokens=[])
    state = {"type": "TemplateProcessing", "single": written("A", 0), "pair": written("A", 0) + written("B", 1), "special_tokens": special}
    template.__setstate__(json.dumps(state).encode())
    kept = [processors.ByteLevel(trim_offsets=node["trim_offsets"]) for node in _flat(old) if node["type"] == "ByteLevel"]
    every = [*kept, template] if special else kept
    return processors.Sequence(every) if len(every) > 1 else every[0] if every else None


def _flat(part: Any) -> list[dict[str, Any]]:
    """The JSON of a post-processor, or of each in a sequence of them."""
    state = {"type": "Sequence", "processors": []} if part is None else json.loads(part.__getstate__())
    return state["processors"] if state["type"] == "Sequence" else [state]
