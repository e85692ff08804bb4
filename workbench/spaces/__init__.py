"""Embedding spaces: opened where they lie, aligned, measured in full, and laid out as pictures."""

from ..lazy import names as _names

__getattr__, __dir__, __all__ = _names(
    __name__,
    opening="open of Space",
    choosing="choose Chosen",
    aligning="align shared Alignment",
    dictionaries="translations Translations",
    retrieving="neighbours retrieve Retrieval",
    measuring="measure Measured",
    moving="displacement life Life",
    projecting="pca axis",
    picturing="picture Picture",
    steps="Measure Project Neighbours",
)
