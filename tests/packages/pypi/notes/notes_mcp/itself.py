"""One function: the line stands above the server in it."""

import mcpproxy_tap

from notes_mcp import TOLD


def main():
    mcpproxy_tap.run("notes_mcp.itself:main", **TOLD)
    from notes_mcp.facts import main as serve

    return serve()
