"""The app: one page with a sidebar and tabs in the order of the story."""

from __future__ import annotations

import os
import threading

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr

from .. import forking
from ..errors import WorkbenchError
from . import sidebar, theme
from .pages import artefacts, chat, corpus, evaluation, fertility, spaces, start, tokenizer, training, transfer
from .shell import Shell

PAGES = (start, corpus, tokenizer, fertility, transfer, spaces, training, chat, evaluation, artefacts)
UPLOAD_LIMIT = "1gb"


def build_app() -> gr.Blocks:
    """All pages, ready to launch."""
    with gr.Blocks(title="Workbench", analytics_enabled=False, fill_width=True) as blocks:
        shell = Shell()
        side = sidebar.build(shell.quiet)
        with gr.Tabs(elem_id="pages") as shell.tabs:
            for page in PAGES:
                with gr.Tab(page.NAME, id=page.NAME.lower(), elem_id=f"page-{page.NAME.lower()}"):
                    gr.Markdown(f"## {page.NAME}\n{page.ABOUT}", elem_classes="page-title")
                    page.build(shell)
        shell.connect(blocks, side)
    return blocks


def launch(host: str = "127.0.0.1", port: int = 7860, browser: bool = False, block: bool = True) -> gr.Blocks:
    """Serve the app. Raises WorkbenchError if the port is taken."""
    blocks = build_app()
    forking.prepare()
    threading.Thread(target=_warm, daemon=True).start()
    try:
        blocks.launch(
            server_name=host, server_port=port, inbrowser=browser, prevent_thread_lock=not block, quiet=True, share=False, ssr_mode=False, run_history=False,
            footer_links=[], theme=theme.theme(), css=theme.css(), js=theme.SCRIPT, max_file_size=UPLOAD_LIMIT, show_error=False, enable_monitoring=False,
            _frontend=False,  # no request to itself, which on a busy machine took more than its three seconds and ended the app
        )  # fmt: skip
    except OSError as error:
        raise WorkbenchError(f"Port {port} on {host} is taken or may not be used; choose another with --port.") from error
    return blocks


def _warm() -> None:
    """Load what the first reply needs while the user still looks at the first page."""
    import transformers

    _ = transformers.AutoModelForCausalLM, transformers.LlamaForCausalLM
