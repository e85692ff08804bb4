"""Carrying embeddings over to another vocabulary: methods, the assembler, LEP."""

from ..lazy import names as _names

__getattr__, __dir__, __all__ = _names(
    __name__,
    base="Task Blend Method",
    draw="Draw",
    random="Random",
    gaussian="Gaussian",
    mean="Mean",
    subtokens="Subtokens",
    salt="Salt",
    focus="Focus",
    omp="Omp",
    clp="Clp",
    wechsel="Wechsel",
    ofa="Ofa",
    donors="Donor",
    steps="Transfer Preview Explain",
    assemble="explain Carry",
    adopting="adopt Adopted",
    explaining="Origin Explanation",
    roundtrip="losses",
    lep="Lep Propagation",
    trio="Trio",
    compatibility="LepCheck",
)
