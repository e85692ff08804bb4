"""Training: blocks of text, one `fit` on transformers' Trainer, and the stages of an adaptation."""

from ..lazy import names as _names

__getattr__, __dir__, __all__ = _names(
    __name__, stages="Align Monolingual Full", instruct="Instruct", calibrate="Calibrate", presets="preset",
    seeing="first_batch Batch Seen PreviewAlign PreviewMonolingual PreviewInstruct PreviewCalibrate PreviewFull",
    foreseeing="foresee outlook", estimating="Estimate Shape estimate", rising="Rising",
    fitting="Settings Fit fit frozen_body", data="plain answers chats pack",
)  # fmt: skip
