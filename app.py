"""Start the app: `python app.py`, then open http://127.0.0.1:7860."""

import argparse
import sys

from workbench.errors import WorkbenchError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; the default is this machine only")
    parser.add_argument("--port", type=int, default=7860)
    parser.add_argument("--open", action="store_true", help="open a browser")
    given = parser.parse_args()
    try:
        from workbench.ui.app import launch

        print(f"The workbench starts on http://{given.host}:{given.port} (Ctrl-C ends it).", flush=True)
        launch(given.host, given.port, browser=given.open)
    except WorkbenchError as error:
        print(f"app: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
