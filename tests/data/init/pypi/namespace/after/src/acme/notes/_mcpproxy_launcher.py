"""Starts the server through mcpproxy, which counts installs: TELEMETRY.md says what is sent.

Where that cannot be, the server runs as if this file were it. Made by `python -m mcpproxy_tap init`.
"""

from importlib.metadata import version

import mcpproxy_tap


def main() -> None:
    """Starts the command `acme-notes`."""
    mcpproxy_tap.run(
        "acme.notes.server:main",
        product="acme.notes",
        version=version("acme.notes"),
        endpoint="https://t.example.org",
    )
