"""One line in an MCP server's entry point, and its installs are counted: anonymously, and with every switch.

    import mcpproxy_tap

    def main():
        mcpproxy_tap.run("notes_mcp.server", product="notes-mcp", version="1.4.0", endpoint="https://t.example.org")

One rule: the server runs. Whatever keeps telemetry from running, an objection of the user included, leaves the server
in this process, as if nothing were there; and nothing is ever written to standard output.
"""

from __future__ import annotations

import sys
from typing import Sequence

from . import _launch, _server, _switch

__all__ = ["run"]


def run(
    server: str,
    *,
    product: str,
    version: str,
    endpoint: str,
    discovery_tools: Sequence[str] = (),
    require_visible_notice: bool = False,
) -> None:
    """Runs ``server`` behind ``mcpproxy tap`` where that is possible, else in this process.

    ``server`` is a module (``"notes_mcp.server"``, run as by ``python -m``) or a function without parameters
    (``"notes_mcp.server:main"``, called as by a console script). The arguments are those of ``sys.argv``.

    It does not return, with one exception: called again by the server that it started, it does nothing. So a function
    may name itself, and go on with the server below this line.
    """
    if _server.is_served(server):
        return
    if not _server.is_any_served():
        if sys.argv[1:2] == [_switch.SWITCH]:
            sys.exit(_switch.run(product, sys.argv[2:]))
        options = _launch.options(product, version, endpoint, discovery_tools, require_visible_notice)
        _launch.debug(_launch.behind_tap(server, options))
    _server.serve(server)
