"""``docre configs``: list the packaged configurations, or show one."""

from __future__ import annotations

import sys

from docre.configs import KINDS, config_folder, config_names, find_config, summary


def configs(name: str | None = None) -> int:
    """List the packaged configurations, or print one.

    Args:
        name: Configuration to print; all are listed if left out.
    """
    if name is not None:
        sys.stdout.write(find_config(name).read_text(encoding="utf-8"))
        return 0
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("config", no_wrap=True)
    table.add_column("what it is", overflow="fold")
    for kind, command in KINDS.items():
        table.add_section()
        table.add_row(f"{kind}/" if kind else "", escape(command), style="bold")
        for known in config_names(kind):
            table.add_row(known, escape(summary(config_folder() / known)))
    Console().print(table)
    return 0
