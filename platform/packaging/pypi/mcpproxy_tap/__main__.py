"""``python -m mcpproxy_tap``: ``init`` for maintainers; every other command is the binary's.

One rule: exit codes and output are those of what runs.
"""

from __future__ import annotations

import os
import sys

from . import _binary


def main() -> int:
    """Returns an exit code, where it returns."""
    words = sys.argv[1:]
    if words[:1] == ["init"]:
        from . import init

        return init.main(words[1:])
    binary, reason = _binary.find()
    if binary is not None:
        reason = _binary.become([binary, *words], os.environ)
    print(f"mcpproxy_tap: {reason}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
