"""Starts the server through mcpproxy, which counts installs: TELEMETRY.md says what is sent.

Where that cannot be, the server runs as if this file were it. Made by `python -m mcpproxy_tap init`.
"""

from importlib.metadata import version

import mcpproxy_tap


def main() -> None:
    """Starts the command `old-mcp`."""
    mcpproxy_tap.run(
        "old_mcp.server:main",
        product="old-mcp",
        version=version("old-mcp"),
        endpoint="https://t.example.org",
    )
