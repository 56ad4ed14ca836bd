"""Starts the server through mcpproxy, which counts installs: TELEMETRY.md says what is sent.

Where that cannot be, the server runs as if this file were it. Made by `python -m mcpproxy_tap init`.
"""

from importlib.metadata import version

import mcpproxy_tap


def main() -> None:
    """Starts the command `notes-mcp`."""
    mcpproxy_tap.run(
        "notes_mcp:main",
        product="notes-mcp",
        version=version("notes-mcp"),
        endpoint="https://t.example.org",
    )
