"""Embedding tables straight from and to safetensors; every other tensor is passed through without being loaded.

A checkpoint here is a Hugging Face model folder: `config.json` and one safetensors file, or shards with an index. The
result of a change of tables keeps the shards that hold none (linked or copied), rewrites those that hold one without it,
and adds one shard, `model-tables.safetensors`. Nothing larger than a block of rows is held in memory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from . import shards, store
from .errors import WorkbenchError
from .shards import Rows, header, link_or_copy

if TYPE_CHECKING:
    import torch

INDEX = "model.safetensors.index.json"
TABLES = "model-tables.safetensors"
GENERATION = "generation_config.json"
INPUT_NAMES = (
    "model.embed_tokens.weight", "transformer.wte.weight", "wte.weight", "gpt_neox.embed_in.weight", "embed_tokens.weight", "model.decoder.embed_tokens.weight",
    "transformer.word_embeddings.weight", "word_embeddings.weight", "language_model.model.embed_tokens.weight", "model.language_model.embed_tokens.weight",
)  # fmt: skip
OUTPUT_NAMES = ("lm_head.weight", "embed_out.weight", "language_model.lm_head.weight")
MORE_TABLES = ("embed_tokens.weight", "embed_tokens_per_layer.weight")  # Gemma 3n; heads that predict several tokens, as DeepSeek-V3's
HEADS = {"gpt_neox": "embed_out.weight"}  # what the head of a tied model is called once it gets one; elsewhere lm_head.weight
ID_KEYS = ("_token_id", "_token_ids", "_token_index", "suppress_tokens", "bad_words_ids")


@dataclass(frozen=True)
class Checkpoint:
    """A model folder, opened without loading it."""

    path: Path
    config: dict[str, Any]
    shards: dict[str, Path]  # tensor name → file
    input_name: str
    output_name: str | None

    @classmethod
    def open(cls, path: str | Path) -> Checkpoint:
        """Read config and index. Raises WorkbenchError where the folder is no complete causal language model."""
        path = Path(path)
        config = read_json(path / "config.json", f"{path} holds no config.json; give the folder of a Hugging Face model.")
        if "quantization_config" in config:
            raise WorkbenchError(f"{path} is quantised, so its tables are not plain numbers; use the unquantised release of the model.")
        shards = shards_of(path)
        found = next((n for n in INPUT_NAMES if n in shards), None)
        if found is None:
            raise WorkbenchError(
                f"{path} ({config.get('model_type', 'unknown kind')}) has no embedding table under a known name; use a decoder language model such as Llama."
            )
        return cls(path, config, shards, found, next((n for n in OUTPUT_NAMES if n in shards), None))

    @property
    def tied(self) -> bool:
        """Whether one table serves as input and output: by the config, or because no head is stored."""
        return self.output_name is None or bool(self.config.get("tie_word_embeddings", False))

    def input(self) -> torch.Tensor:
        """The input embedding table (V, d), memory-mapped, in the dtype of the file."""
        return self.tensor(self.input_name)

    def output(self) -> torch.Tensor:
        """The output head (V, d); the input table where the model is tied."""
        return self.input() if self.tied else self.tensor(self.output_name)

    @property
    def bias_name(self) -> str | None:
        """The head's bias (V,), one number per token, where it has one (GPT-J, Phi)."""
        name = (self.output_name or OUTPUT_NAMES[0]).removesuffix("weight") + "bias"
        return name if name in self.shards else None

    def tensor(self, name: str) -> torch.Tensor:
        from safetensors import safe_open

        with safe_open(self.shards[name], framework="pt") as file:
            return file.get_tensor(name)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, width) of the input table, from the file's header."""
        rows, width = header(self.shards[self.input_name])[0][self.input_name]["shape"]
        return rows, width

    def check_fits(self, ids: int) -> None:
        """Raise WorkbenchError if a tokenizer with `ids` ids has more than this model has rows."""
        if ids > self.shape[0]:
            raise WorkbenchError(
                f"The tokenizer has {ids} ids but {self.path} only {self.shape[0]} embedding rows; use the tokenizer that came with this model."
            )

    def check_tables(self) -> None:
        """Raise WorkbenchError if yet another table has a row for each token: a new vocabulary would leave it as it is, and the model would not open."""
        if more := sorted(name for name in self.shards if name.endswith(MORE_TABLES) and name != self.input_name):
            raise WorkbenchError(
                f"{self.path} has another table with a row per token ({more[0]}), which cannot be carried over; use a model with embeddings and head only."
            )


@dataclass(frozen=True)
class Part:
    """One shard of the source and what becomes of it: `link` or `copy` as it is, `rewrite` without some tensors or with others in their place."""

    shard: Path
    name: str
    how: Literal["link", "copy", "rewrite"]
    kept: list[str]
    replaced: dict[str, Rows]
    bytes: int  # to be written


@dataclass(frozen=True)
class Plan:
    """What writing a checkpoint will do."""

    parts: list[Part]
    tables: dict[str, Rows]

    @property
    def bytes(self) -> int:
        """Bytes that will be written; a link needs none."""
        return sum(part.bytes for part in self.parts) + sum(rows.bytes for rows in self.tables.values())


def plan(
    source: Checkpoint,
    out: Path,
    input: torch.Tensor | Rows,
    output: torch.Tensor | Rows | None = None,
    *,
    replaced: Mapping[str, torch.Tensor | Rows] | None = None,
    link: bool = False,
    pad_to: int = 1,
) -> Plan:
    """What `write` with these arguments will do, found without writing; Raises WorkbenchError where the disk has too little room for it."""
    own = {source.input_name, *(OUTPUT_NAMES if source.output_name is None else [source.output_name])}
    tables = {source.input_name: Rows.of(input).padded(pad_to)}
    if output is not None:
        tables[source.output_name or HEADS.get(source.config.get("model_type", ""), "lm_head.weight")] = Rows.of(output).padded(pad_to)
    changed = {name: Rows.of(tensor) for name, tensor in (replaced or {}).items()}
    parts = []
    beside = next(p for p in (out, *out.absolute().parents) if p.exists())
    for shard in sorted(set(source.shards.values())):
        names = [n for n, p in source.shards.items() if p == shard]
        kept = [n for n in names if n not in own]
        if not kept:
            continue
        # transformers prefers a file of the single-file name to any index, so a part of a model must not be called that.
        name = "model-body.safetensors" if shard.name == "model.safetensors" else shard.name
        mine = {n: changed[n] for n in kept if n in changed}
        linked = (link and shards.same_disk(shard, beside)) or shards.may_link(shard, beside)
        how = "rewrite" if mine or len(kept) < len(names) else "link" if linked else "copy"
        sizes = {n: t["data_offsets"][1] - t["data_offsets"][0] for n, t in header(shard)[0].items()}
        size = {"link": 0, "copy": shard.stat().st_size, "rewrite": sum(mine[n].bytes if n in mine else sizes[n] for n in kept)}[how]
        parts.append(Part(shard, name, how, kept, mine, size))
    made = Plan(parts, tables)
    shards.check_room(out, made.bytes)
    return made


def write(
    source: Checkpoint,
    out: Path,
    input: torch.Tensor | Rows,
    output: torch.Tensor | Rows | None = None,
    *,
    config: Mapping[str, Any] | None = None,
    generation: Mapping[str, Any] | None = None,
    replaced: Mapping[str, torch.Tensor | Rows] | None = None,
    link: bool = False,
    pad_to: int = 1,
) -> dict[str, int]:
    """Write into the folder `out` the model `source` with other tables, and check it; returns what was written.

    Args:
        source: whose other tensors are passed through, byte for byte.
        out: a folder that holds no model yet; made where there is none.
        input, output: the new tables (rows, d), stored in the dtype they come in; `output=None` makes a tied model. `Rows` are made while they are written.
        config, generation: entries that replace those of config.json and generation_config.json.
        replaced: other tensors by name, written in the place of the source's; their shard is rewritten.
        link: hard-link whole shards also from a user's own folder; otherwise only from our home and the hub's cache, and copy elsewhere.
        pad_to: zero rows are added behind the tables up to a multiple of this; config.json states the rows with them.

    Raises WorkbenchError before anything is written where the disk has too little room or `out` holds a model; where a row is not finite (naming
    it); and where the result is not as planned. `config.json` is written last: whatever is interrupted opens as no model.
    """
    if (out / "config.json").exists():
        raise WorkbenchError(f"{out} holds a model already; name a folder that does not.")
    made = plan(source, out, input, output, replaced=replaced, link=link, pad_to=pad_to)
    out.mkdir(parents=True, exist_ok=True)
    try:
        for part in made.parts:
            if part.how == "rewrite":
                gone = {n for n, p in source.shards.items() if p == part.shard} - set(part.kept)
                shards.write(out / part.name, part.replaced, part.shard, gone)
            else:
                link_or_copy(part.shard, out / part.name, link)
        shards.write(out / TABLES, made.tables)
        total = _verified(made, out)
        weights = {n: part.name for part in made.parts for n in part.kept} | dict.fromkeys(made.tables, TABLES)
        store.write_json(out / INDEX, {"metadata": {"total_size": total}, "weight_map": dict(sorted(weights.items()))})
        generating = source.path / GENERATION
        if generating.is_file() or generation:
            before = read_json(generating) if generating.is_file() else {}
            store.write_json(out / GENERATION, before | dict(generation or {}))
        store.write_json(out / "config.json", _resized({**source.config, **(config or {})}, made.tables[source.input_name].shape[0], output is None))
    except BaseException:  # also a stop: nothing is left half-written
        for name in ("config.json", GENERATION, INDEX, TABLES, *(part.name for part in made.parts)):
            (out / name).unlink(missing_ok=True)
        raise
    how = [part.how for part in made.parts]
    return {"bytes_written": made.bytes} | {
        f"shards_{said}": how.count(kind) for kind, said in (("link", "linked"), ("copy", "copied"), ("rewrite", "rewritten"))
    }


def _verified(made: Plan, out: Path) -> int:
    """Compare names, dtypes and shapes of the written files with the plan; returns the bytes of all tensors."""
    total = 0
    wanted = {TABLES: {n: shards.described(rows) for n, rows in made.tables.items()}}
    for part in made.parts:
        theirs = header(part.shard)[0]
        wanted[part.name] = {n: shards.described(part.replaced[n]) if n in part.replaced else theirs[n] for n in part.kept}
    for name, tensors in wanted.items():
        found = header(out / name)[0]
        odd = next((n for n in sorted({*found, *tensors}) if any(found.get(n, {}).get(k) != tensors.get(n, {}).get(k) for k in ("dtype", "shape"))), None)
        if odd is not None:
            raise WorkbenchError(f"{out / name} does not hold {odd} as it should; another program may have changed the source, so try again.")
        total += sum(t["data_offsets"][1] - t["data_offsets"][0] for t in found.values())
    return total


def _resized(config: Mapping[str, Any], rows: int, tied: bool) -> dict[str, Any]:
    """The config with other tables; a model of several parts states its text part's sizes in `text_config`."""
    if isinstance(text := config.get("text_config"), dict) and "vocab_size" in text:
        stated = {key: value for key, value in (("vocab_size", rows), ("tie_word_embeddings", tied)) if key in text}
        return {**config, "text_config": text | stated, "tie_word_embeddings": tied} | ({"vocab_size": rows} if "vocab_size" in config else {})
    return {**config, "vocab_size": rows, "tie_word_embeddings": tied}


def carried_ids(settings: Mapping[str, Any], to_new: Mapping[int, int]) -> dict[str, Any]:
    """Every entry of a config that is a token id, or a list of them, moved to the new ids.

    An id that is gone is left out, and so is a banned sequence that lost a token: what remained of it would ban another text.
    """

    def move(value: Any) -> Any:
        if isinstance(value, list) and any(isinstance(v, list) for v in value):
            return [[to_new[i] for i in v] for v in value if all(i in to_new for i in v)] or None
        if isinstance(value, list):
            return [to_new[i] for i in value if i in to_new] or None
        return to_new.get(value) if isinstance(value, int) and not isinstance(value, bool) else value

    return {key: move(value) for key, value in settings.items() if key.endswith(ID_KEYS) and value is not None}


def shards_of(path: Path) -> dict[str, Path]:
    if (path / "model.safetensors").is_file():
        return dict.fromkeys(header(path / "model.safetensors")[0], path / "model.safetensors")
    if (path / INDEX).is_file():
        weights = read_json(path / INDEX).get("weight_map", {})
        odd = next((f for f in weights.values() if not isinstance(f, str) or Path(f).name != f or not f.endswith(".safetensors")), None)
        if odd is not None:
            raise WorkbenchError(f"The index of {path} names {odd!r}, which is no safetensors file beside it; download the model again.")
        missing = sorted({f for f in weights.values() if not (path / f).is_file()})
        if missing:
            raise WorkbenchError(f"{path} lacks {missing[0]}, which its index names; download the model again.")
        held = {f: header(path / f)[0] for f in set(weights.values())}
        odd = next((n for n, f in weights.items() if n not in held[f]), None)
        if odd is not None:
            raise WorkbenchError(f"The index of {path} places {odd} in {weights[odd]}, which does not hold it; download the model again.")
        return {name: path / file for name, file in weights.items()}
    if any(path.glob("*.bin")):
        raise WorkbenchError(f"{path} has only pickled weights (.bin), which may run code; convert them to safetensors first.")
    raise WorkbenchError(f"{path} holds no weights (model.safetensors, or {INDEX} with its shards); download the model again.")


def read_json(path: Path, missing: str = "") -> dict[str, Any]:
    """The JSON object in a file. Raises WorkbenchError, with the sentence `missing` where the file is not there."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WorkbenchError(missing) from None
    except (OSError, ValueError) as error:
        raise WorkbenchError(f"{path} cannot be read as JSON ({error}); download it again.") from error
    if not isinstance(found, dict):
        raise WorkbenchError(f"{path} holds no JSON object; download it again.")
    return found
