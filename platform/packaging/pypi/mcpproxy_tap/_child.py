"""The program that the tap starts: the server, in an interpreter that is as the launcher's was.

One rule: nothing is imported from a place from which the launcher would not have imported it. Its own directory, which
Python puts first for a script, is none.
"""

from __future__ import annotations

import os
import sys
from typing import Dict, List

_VARIABLE = "MCPPROXY_TAP_CHILD"


def environment(path: List[str], program: List[str]) -> Dict[str, str]:
    """The environment of this process, with what :func:`main` needs to know: its path, and the name it was called by."""
    import json

    entries = [entry for entry in path if isinstance(entry, str)]
    # The package has another name where a maintainer keeps a copy of it in his own.
    told = json.dumps({"path": entries, "program": program, "package": __package__})
    environ = {**os.environ, _VARIABLE: told}
    if sys.flags.utf8_mode and environ.get("LC_CTYPE") in ("C.UTF-8", "C.utf8", "UTF-8"):
        # What Python makes of the locale C when it starts (PEP 538). The server's does so by itself, from the same.
        environ["LC_CTYPE"] = "C"
    return environ


def main() -> None:
    # Nothing that the server starts sees it.
    told = os.environ.pop(_VARIABLE, None)
    if told is None:
        sys.exit("mcpproxy_tap: this file is started by mcpproxy_tap.run")
    here = os.path.dirname(os.path.abspath(__file__))
    if sys.path and os.path.abspath(sys.path[0]) == here:
        del sys.path[0]
    import json

    known = json.loads(told)
    sys.path[:] = known["path"]
    server = sys.argv[1]
    sys.argv[:] = [*known["program"], *sys.argv[2:]]
    import importlib

    importlib.import_module(f"{known['package']}._server").serve(server)


# Not in the workers of `multiprocessing`, which import the main program.
if __name__ == "__main__":
    main()
