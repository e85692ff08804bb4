"""Tokenizers: read any of the usual files, extend a vocabulary without moving an old id, and look inside.

Everything is loaded on first use; importing this package loads neither torch nor transformers. The files are named so that
no submodule has the name of a public function.
"""

from ..lazy import names as _names

__getattr__, __dir__, __all__ = _names(
    __name__,
    loading="load save",
    extension="extend Extended Extension Report",
    splicing="splice add_words",
    fresh="train Trained Training TrainingReport",
    optimization="optimize Optimization OptimizationReport Optimized",
    inspection="chips Chip",
    tracing="trace Trace Tracer",
    comparison="compare Comparison",
    biographies="biography Biography",
    steps="Extend Train Optimize",
)
