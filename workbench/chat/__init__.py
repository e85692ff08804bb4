"""One stream of replies from a model, the same question side by side to several, and what people thought of the replies."""

from ..lazy import names as _names

__getattr__, __dir__, __all__ = _names(
    __name__,
    loading="Chatter load loaded forget",
    pool="fingerprint",
    prompting="Prompt prompt",
    choices="Choice Chosen chosen",
    replying="Sampling Reply SideBySide reply side_by_side",
    comparisons="Comparison begin open_comparison",
    votes="tally votes",
    prompts="read_prompts",
    exporting="export",
    steps="Chat Batch Export Votes",
)
