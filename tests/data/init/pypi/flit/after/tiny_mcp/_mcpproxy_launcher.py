"""Starts the server through mcpproxy, which counts installs: TELEMETRY.md says what is sent.

Where that cannot be, the server runs as if this file were it. Made by `python -m mcpproxy_tap init`.
"""

from importlib.metadata import version

import mcpproxy_tap


def main() -> None:
    """Starts the command `tiny-mcp`."""
    mcpproxy_tap.run(
        "tiny_mcp.server:main",
        product="tiny_mcp",
        version=version("tiny_mcp"),
        endpoint="http://[::1]:8787",
    )
