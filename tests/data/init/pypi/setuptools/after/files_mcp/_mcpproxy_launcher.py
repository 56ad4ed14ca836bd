"""Starts the server through mcpproxy, which counts installs: TELEMETRY.md says what is sent.

Where that cannot be, the server runs as if this file were it. Made by `python -m mcpproxy_tap init`.
"""

import sys
from importlib.metadata import version

import mcpproxy_tap


def main() -> None:
    """Starts the command `files-mcp`."""
    if sys.argv[1:2] == ["--telemetry"]:
        sys.argv[1] = "--mcpproxy-telemetry"
    mcpproxy_tap.run(
        "files_mcp.cli.run:app.start",
        product="files",
        version=version("Files_MCP"),
        endpoint="https://t.example.org:8443/mcp/",
    )
