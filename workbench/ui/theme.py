"""The look: paper and ink, one teal accent, system fonts only; the palette is the one of the figures."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import gradio as gr

from .. import chiphtml, plots, scorecardhtml

TEAL = gr.themes.Color(
    "#effaf8", "#d5f0ec", "#aee0d9", "#7cc9c0", "#47aba1", "#258d84", "#17726b", "#135b57", "#124947", "#113c3b", "#082423", name="teal_ink"
)  # fmt: skip
INK = gr.themes.Color(
    "#faf9f6", "#f2f0eb", "#e3e0d8", "#cbc8bf", "#9aa0a6", "#6d757e", "#4c545d", "#363d46", "#232930", "#191d23", "#111418", name="ink"
)  # fmt: skip


LIGHT = "--brand: #17726b; --groove: #e3e0d8; --code-fill: #191d23;"
DARK = "--brand: #47aba1; --groove: #363d46; --code-fill: #0c0e11;"


@cache
def theme() -> gr.themes.Base:
    sans = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "Liberation Sans", "sans-serif")
    mono = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "Noto Sans Mono", "Liberation Mono", "monospace")
    look = gr.themes.Base(primary_hue=TEAL, secondary_hue=TEAL, neutral_hue=INK, radius_size="md", text_size="md", font=sans, font_mono=mono)
    return look.set(
        body_background_fill="*neutral_50", body_background_fill_dark="*neutral_950",
        background_fill_primary="#fffefc", background_fill_primary_dark="*neutral_900",
        background_fill_secondary="*neutral_100", background_fill_secondary_dark="*neutral_900",
        body_text_color="*neutral_800", body_text_color_dark="*neutral_200",
        body_text_color_subdued="*neutral_500", body_text_color_subdued_dark="*neutral_400",
        block_background_fill="#fffefc", block_background_fill_dark="*neutral_900",
        block_border_color="*neutral_200", block_border_color_dark="*neutral_700", block_border_width="1px", block_shadow="none", block_shadow_dark="none",
        block_label_background_fill="transparent", block_label_background_fill_dark="transparent", block_label_border_width="0",
        block_title_text_weight="600", block_info_text_size="*text_sm", input_border_width="1px", layout_gap="12px",
        border_color_primary="*neutral_200", border_color_primary_dark="*neutral_700",
        input_background_fill="#ffffff", input_background_fill_dark="*neutral_950", input_border_color="*neutral_300", input_border_color_dark="*neutral_700",
        checkbox_border_color="*neutral_400", checkbox_border_color_dark="*neutral_500",
        button_primary_background_fill="*primary_600", button_primary_background_fill_hover="*primary_700", button_primary_text_color="white",
        button_primary_background_fill_dark="*primary_600", button_primary_background_fill_hover_dark="*primary_500",
        button_secondary_background_fill="#fffefc", button_secondary_background_fill_hover="*neutral_100", button_secondary_border_color="*neutral_300",
        button_secondary_background_fill_dark="*neutral_800", button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_border_color_dark="*neutral_600",
        button_border_width="1px", button_primary_border_color="*primary_700", button_large_padding="8px 16px", button_large_text_weight="600",
        table_even_background_fill="#fffefc", table_even_background_fill_dark="*neutral_900", table_odd_background_fill="*neutral_50",
        table_odd_background_fill_dark="*neutral_800", slider_color="*primary_500",
    )  # fmt: skip


def css() -> str:
    """The stylesheet, with the palette as its variables."""
    names = {"kept": plots.KEPT, "new": plots.NEW, "dropped": plots.DROPPED, "a": plots.A, "b": plots.B}
    palette = "".join(f"--{name}: {colour};" for name, colour in names.items())
    sheet = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")
    return f":root {{ {palette} {LIGHT} }}\n.dark {{ {DARK} }}\n{sheet}\n{chiphtml.css()}\n{scorecardhtml.css()}"


# Esc stops what is being generated; the choice to see code survives a reload; a narrow window starts without the sidebar, which would cover it.
# A link to a conversation shows the page that opens it. A figure whose tab was hidden while the window changed learns of it when it is shown.
SCRIPT = """() => {
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') document.querySelectorAll('.stop-on-escape').forEach((b) => { if (!b.disabled) b.click(); });
  });
  document.addEventListener('click', (event) => {
    if (event.target.closest('[role=tab]')) setTimeout(() => window.dispatchEvent(new Event('resize')), 200);
  });
  if (localStorage.getItem('workbench-code') === 'on') document.body.classList.add('show-code');
  const fold = (tries) => {
    const button = document.querySelector('#sidebar.open .toggle-button');
    if (button) button.click(); else if (tries) setTimeout(() => fold(tries - 1), 200);
  };
  if (window.innerWidth <= 800) fold(50);
  const show = (tries) => {
    const tab = [...document.querySelectorAll('#pages [role=tab]')].find((each) => each.innerText.trim() === 'Chat');
    if (tab) tab.click(); else if (tries) setTimeout(() => show(tries - 1), 200);
  };
  if (new URLSearchParams(location.search).has('chat')) show(50);
}"""
