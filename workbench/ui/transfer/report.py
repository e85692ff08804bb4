"""What a method says of the vectors it made: in figures, in words, and as a table."""

from __future__ import annotations

from typing import Any

from ..messages import notes, numbers
from .previews import arrow, overlap_html, size

# What a method may report: how it is called, and what it means.
MEANINGS = {
    "filled": ("filled by the method", "New rows that the method itself made."),
    "fallback": ("left to the fallback", "New rows of which it knows nothing: drawn at random, or the mean of their pieces."),
    "composed": ("composed in the donor", "Of them, tokens that the donor lacks as such; its pieces of the same text were averaged."),
    "anchors": ("shared tokens to lean on", "Shared text tokens that it may combine."),
    "k_median": ("source tokens a vector, median", "How many source tokens make a new vector."),
    "k_p95": ("source tokens a vector, 95th percentile", ""),
    "k_max_found": ("source tokens a vector, most", ""),
    "residual_median": ("residual, median", "How far the combination stays from the donor's vector, relative to it; 0 is exact."),
    "residual_p95": ("residual, 95th percentile", ""),
    "weights_median": ("Σ|c|, median", "Sum of the weights' sizes: large where plus and minus cancel out, and a small error becomes a large one."),
    "weights_max": ("Σ|c|, largest", ""),
    "conditioning_median": ("conditioning, median", "Of the small systems that were solved: 1 is well posed, 0 singular."),
    "conditioning_min": ("conditioning, worst", ""),
    "solved_by_svd": ("solved by SVD", "Tokens whose system was too ill-conditioned for Cholesky."),
    "dictionary": ("word pairs used", "Pairs of the dictionary that the word vectors of both languages know."),
}  # fmt: skip
TILES = ("filled", "fallback", "anchors", "k_median", "residual_median", "weights_median", "solved_by_svd")


def report_of(metrics: dict[str, Any]) -> dict[str, Any]:
    """The method's own report."""
    return metrics.get("report") or {}


def report_html(metrics: dict[str, Any]) -> str:
    """Rows as a bar, the most telling figures, and what they mean."""
    report = report_of(metrics)
    figures = {
        "method": metrics.get("method"), "tables in memory": arrow(metrics, "table_bytes", size), "length of new rows / others": metrics.get("norm_ratio"),
        **{MEANINGS[key][0]: report[key] for key in TILES if report.get(key) is not None},
        "written": size(metrics["bytes_written"]) if metrics.get("bytes_written") else None,
    }  # fmt: skip
    bar = overlap_html({state: metrics[state] for state in ("kept", "new", "dropped") if state in metrics})
    return bar + numbers(figures) + notes(sentences(metrics), "good")  # warnings stand in the job's own lines


def sentences(metrics: dict[str, Any]) -> list[str]:
    """Where tokens were compared, what became of the tokenizer."""
    report = report_of(metrics)
    said = [f"Tokens were compared in {report['compared_in']}."] if report.get("compared_in") else []
    if report.get("fallback"):
        said.append(f"{report['fallback']:,} of {metrics.get('new', 0):,} new tokens were left to the fallback: nothing was known of them.")
    every = {row["method"]: row for row in metrics.get("hidden", []) if (row["script"], row["band"]) == ("all", "all")}
    if mine := every.get(str(metrics.get("method"))):
        best = max(every.values(), key=lambda row: row["cosine"])
        than = "no other does better" if best is mine else f"{best['method']} does better with {best['cosine']:.2f}"
        said.append(
            f"Of {mine['tokens']:,} shared tokens that were hidden from it, its vectors have a mean cosine of {mine['cosine']:.2f} to the true ones; {than}."
        )
    return said + [str(change) for change in metrics.get("changes", [])]


def report_rows(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """Every figure of the report with its meaning, for a table."""
    plain = {key: value for key, value in report_of(metrics).items() if value is None or isinstance(value, (int, float))}
    named = {key: MEANINGS.get(key, (key.replace("_", " "), "")) for key in plain}
    return [{"measure": named[key][0], "value": value, "meaning": named[key][1]} for key, value in plain.items()]
