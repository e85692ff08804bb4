"""Corpus: gather text, see what is in it, keep parallel pairs beside it."""

from __future__ import annotations

import hashlib
import json
import shutil
from itertools import islice
from pathlib import Path
from typing import Any

import gradio as gr

from ... import plots, steps, store
from ...errors import WorkbenchError
from ..forms import Form
from ..messages import empty, guarded, notes, numbers
from ..panel import JobPanel, recent
from ..shell import Shell
from ..tables import Table, drawn, figure

NAME = "Corpus"
ABOUT = "Text of the new language: the demo's, your own files, or a Hugging Face dataset. It is split, counted, and checked for what spoils training."
FILES = [".txt", ".jsonl", ".csv", ".tsv", ".parquet"]
SHOWN = 20
NOTHING = "No corpus has been made yet. The source above is set once you load the demo; or upload a file. Then press “Make the corpus”."


def build(shell: Shell) -> None:
    with gr.Row():
        with gr.Column(min_width=280):
            upload = gr.File(label="Upload text (.txt .jsonl .csv .tsv .parquet)", file_types=FILES, file_count="multiple", height=150, elem_id="upload-text")
        with gr.Column(min_width=280):
            upload_pairs = gr.File(label="Upload sentence pairs (.tsv .csv .jsonl .parquet)", file_types=FILES[1:], height=150, elem_id="upload-pairs")
        with gr.Column(min_width=280):
            dataset = gr.Textbox(
                label="Hugging Face dataset",
                info="NAME, or NAME:CONFIG:SPLIT:COLUMN; needs a connection.",
                placeholder="wikimedia/wikipedia:20231101.ru",
                elem_id="hub-dataset",
            )
            add = gr.Button("Use this dataset", size="sm")
    form = Form(steps.find("corpus"), {"source": lambda c: c.text if c.text.startswith("demo:") else None, "parallel": lambda c: c.pairs}, columns=3)
    panel = JobPanel(shell, form, "Make the corpus")
    chosen = gr.Dropdown([], label="Look into", info="Any corpus made so far.", interactive=True, visible=False, elem_id="corpus-chosen")
    summary = gr.HTML(empty(NOTHING), elem_id="corpus-summary")
    with gr.Row():
        with gr.Column(min_width=320):
            scripts = figure()
        with gr.Column(min_width=320):
            lengths = figure()
    rows, pairs = Table("First documents", "documents", wrap=True), Table("First pairs", "pairs", wrap=True)

    source, parallel = form.component("source"), form.component("parallel")
    shell.filled(form, upload.upload(guarded(lambda paths: [str(keep(p)) for p in paths]), upload, source, api_visibility="private"))
    shell.filled(form, upload_pairs.upload(guarded(lambda path: str(keep(path))), upload_pairs, parallel, api_visibility="private"))
    shell.filled(form, add.click(guarded(hub), [dataset, source], source, api_visibility="private"))
    shown = [summary, scripts, lengths, *rows.parts, *pairs.parts]

    def made() -> list[tuple[str, str]]:
        return [(f"{a.name or a.id}: {', '.join(a.manifest['spec']['source'])[:60]}", a.id) for a in store.artefacts("corpus")]

    def anew(current: str | None) -> list[Any]:
        """The list; what is looked into stays."""
        found = made()
        kept = {} if current in [i for _, i in found] else {"value": found[0][1] if found else None}
        return [gr.update(choices=found, visible=bool(found), **kept), gr.skip() if found else empty(NOTHING)]

    def finished(job: str) -> list[Any]:
        """The new corpus is looked into at once: a list that is just appearing does not tell that it has a value."""
        ended, found = next((s for s in recent(("corpus",)) if s.id == job), None), made()
        new = (ended.result or {}).get("id") if ended else None
        there = new in [i for _, i in found]  # it may have been deleted since
        return [gr.update(value=new, choices=found, visible=True), *look(new)] if there else [gr.skip()] * (1 + len(shown))

    def look(reference: str | None) -> list[Any]:
        if not reference:
            return [empty(NOTHING), drawn(None), drawn(None), *rows.update([]), *pairs.update([])]
        corpus = store.open_artefact(reference)
        found = json.loads((corpus.path / "statistics.json").read_text(encoding="utf-8"))
        first = [{"document": text} for text in found["first"][:SHOWN]]
        return [
            summary_html(corpus, found),
            drawn(plots.scripts(found["scripts"])),
            drawn(plots.lengths(found["length_histogram"])),
            *rows.update(first),
            *pairs.update(pairs_of(corpus)),
        ]

    shell.renew(anew, [chosen], [chosen, summary])
    panel.finished.change(guarded(finished), panel.finished, [chosen, *shown], **shell.quiet)
    shell.gather(chosen.change, guarded(look), [chosen], shown, **shell.quiet)


def keep(path: str) -> Path:
    """An upload, kept in the home folder under the hash of its content, so that a job can name it later."""
    with Path(path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:12]
    kept = store.home() / "uploads" / digest / Path(path).name
    if kept.exists():
        return kept
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with Path(path).open("rb") as file, store.whole(kept) as copy:
            shutil.copyfileobj(file, copy)
    except OSError as error:
        raise WorkbenchError(f"{kept} cannot be written ({error.strerror}); free some space, or set WORKBENCH_HOME to another place.") from error
    return kept


def hub(name: str, sources: list[str]) -> list[str]:
    if not name.strip():
        raise WorkbenchError("Type the dataset's name first, for example wikimedia/wikipedia:20231101.ru.")
    reference = name.strip() if name.strip().startswith("hf:") else f"hf:{name.strip()}"
    return [s for s in sources or [] if not s.startswith("demo:")] + [reference]


def summary_html(made: store.Artefact, found: dict[str, Any]) -> str:
    """Sizes, split and warnings."""
    names = ("documents", "characters", "bytes", "words", "exact_duplicates", "near_duplicates")
    sizes = numbers({name: found.get(name) for name in names})
    split = numbers(
        {f"in {name.replace('_', ' ')}": made.metrics.get(name) for name in ("train", "validation", "held_out")} | {"pairs": made.metrics.get("pairs")}
    )
    good = [] if found["warnings"] else ["Nothing suspicious was found: one normal form, no stray control characters, no duplicates."]
    return sizes + split + notes(found["warnings"]) + notes(good, "good")


def pairs_of(made: store.Artefact) -> list[dict[str, str]]:
    path = made.path / "parallel.parquet"
    if not path.is_file():
        return []
    import pyarrow.parquet

    batch = next(pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=SHOWN), None)
    first, second = made.metrics.get("sides") or ("source", "target")
    found = islice(batch.to_pylist(), SHOWN) if batch is not None else []
    return [{first: row["source"], second: row["target"]} for row in found]
