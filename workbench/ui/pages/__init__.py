"""One file per page. Each has NAME, the tab's title, and build(shell), which draws it."""
