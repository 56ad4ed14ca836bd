"""The ``mcpproxy`` binary of this package: where it lies, and how a process becomes it.

One rule: an error is an answer, never an exception: its caller goes on without a binary.
"""

from __future__ import annotations

import os
import sys
from typing import List, Mapping, Optional, Tuple

IS_WINDOWS = os.name == "nt"
# Longer than the start of a small static program ever takes, in seconds: one that hangs does not start.
_PATIENCE = 5


def find() -> Tuple[Optional[str], str]:
    """The path of the binary; or ``None``, and why."""
    name = "mcpproxy.exe" if IS_WINDOWS else "mcpproxy"
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", name)
    if not os.path.isfile(path):
        return None, "this installation of mcpproxy-tap has no binary for this platform"
    if not os.access(path, os.X_OK):
        return None, "the binary of mcpproxy-tap may not be executed"
    return path, ""


def trial(path: str) -> Optional[str]:
    """Why the binary does not start; or ``None``. No look at a file tells: one that is cut off ends by a signal."""
    import subprocess

    hidden = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    try:
        said = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE,
            creationflags=hidden,
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return f"the binary of mcpproxy-tap cannot be started: {error}"
    if said.returncode != 0 or not said.stdout.startswith(b"mcpproxy "):
        return f"the binary of mcpproxy-tap cannot be started: it ends with {said.returncode}"
    return None


def become(command: List[str], environ: Mapping[str, str]) -> str:
    """This process becomes the command, or where a process cannot (Windows) waits for it and exits as it did.

    Returns only on an error, with the reason; nothing is changed then.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass  # It is closed, or there is none: the command will find it so.
    try:
        if IS_WINDOWS:
            from ._windows import run

            sys.exit(run(command, environ))
        _execute(command, environ)
    except (OSError, ValueError) as error:  # ValueError: a NUL in an argument.
        return f"the binary of mcpproxy-tap cannot be started: {error}"
    return "the binary of mcpproxy-tap did not start"


def _execute(command: List[str], environ: Mapping[str, str]) -> None:
    """``execve``, with the signals that Python ignores as they were before Python."""
    import signal

    ignored = [getattr(signal, name) for name in ("SIGPIPE", "SIGXFSZ") if hasattr(signal, name)]
    changed = []
    try:
        for number in ignored:
            if signal.getsignal(number) is signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
                changed.append(number)
    except ValueError:
        pass  # Only the main thread may.
    try:
        os.execve(command[0], command, environ)
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_IGN)
