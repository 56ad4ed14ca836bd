"""The line ``mcpproxy tap .. -- python .. server``, and whether it can be run here.

One rule: the server behind the tap is the server without it: the same interpreter with the same options, and the same
``sys.path``, arguments, environment and directory.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from typing import IO, Iterator, List, Optional, Sequence

from . import _binary, _child
from ._objection import objection

# Those that may be started once more with a script. A program that embeds Python has another name.
_INTERPRETER = re.compile(r"(python|pypy|graalpy)", re.IGNORECASE)


def debug(reason: str) -> None:
    """Says on standard error why a server runs without telemetry, to those who want to know."""
    if os.environ.get("MCPPROXY_DEBUG") and sys.stderr is not None:
        print(f"mcpproxy_tap: the server runs without telemetry: {reason}", file=sys.stderr, flush=True)


def options(
    product: str,
    version: str,
    endpoint: str,
    discovery_tools: Sequence[str],
    require_visible_notice: bool,
) -> List[str]:
    """The options of ``tap``. The values are judged by the binary, which runs the server in any case."""
    words = [f"--product={product}", f"--product-version={version}", f"--endpoint={endpoint}"]
    words += [f"--discovery-tool={name}" for name in discovery_tools or () if name]
    if require_visible_notice:
        words.append("--require-visible-notice")
    return words


def behind_tap(server: str, tap_options: List[str]) -> str:
    """This process becomes the tap of the server. Returns only when it cannot, with the reason."""
    name = objection(os.environ)
    if name is not None:
        return f"{name} objects"
    binary, reason = _binary.find()
    if binary is None:
        return reason
    obstacle = _obstacle()
    if obstacle is not None:
        return obstacle
    if _is_parent(binary):
        # A server that replaces its own process, as an update does: its tap is still there.
        return "there is a tap in front of it already"
    # A process that has become a program which does not start is no server any more.
    failure = _binary.trial(binary)
    if failure is not None:
        return failure
    child = os.path.abspath(_child.__file__)
    command = [binary, "tap", *tap_options, "--", sys.executable, *interpreter_options(), child, server]
    return _binary.become(command + sys.argv[1:], _child.environment(sys.path, sys.argv[:1]))


def _obstacle() -> Optional[str]:
    """Why another process could not take over what this one does."""
    if getattr(sys, "frozen", False) or "__compiled__" in globals():
        return "this program is frozen: there is no interpreter to start"
    if not sys.executable or not _INTERPRETER.match(os.path.basename(sys.executable)):
        return "this interpreter is part of a program, and cannot be started by itself"
    if not os.access(sys.executable, os.X_OK):
        return "this interpreter is not where it was"
    if not os.path.isfile(_child.__file__):
        return "mcpproxy_tap is in an archive"
    if sys.flags.interactive or hasattr(sys, "ps1"):
        return "this interpreter is used by a person"
    if sys.gettrace() is not None or sys.getprofile() is not None or _is_monitored():
        return "a debugger or a profiler looks at this process"
    if os.environ.get("LISTEN_FDS"):
        # tap passes on the three standard streams, and no other descriptor.
        return "the process that started this one handed a socket to it"
    if threading.current_thread() is not threading.main_thread():
        return "it is started by a thread of a program that does more"
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None and asyncio._get_running_loop() is not None:
        return "it is started in the event loop of a program that does more"
    if sys.stdin is None or sys.stdout is None:
        # tap would give the server an empty one, and it would not see that it has no client.
        return "standard input or output is closed"
    # A test of the server, or a guard of standard output: the objects cannot be handed on.
    streams = (sys.stdin, sys.stdout, sys.stderr)
    if not all(_is_of_process(stream, number) for number, stream in enumerate(streams)):
        return "a standard stream is replaced by an object of this process"
    return None


def _is_monitored() -> bool:
    """Whether a debugger, coverage or a profiler has registered in the way of Python 3.12."""
    monitoring = getattr(sys, "monitoring", None)
    return monitoring is not None and any(monitoring.get_tool(number) for number in range(3))


def _is_of_process(stream: Optional[IO[str]], number: int) -> bool:
    if stream is None:
        return True
    try:
        return stream.fileno() == number
    except (AttributeError, OSError, ValueError):
        return False


def _is_parent(binary: str) -> bool:
    try:
        return os.path.samefile(f"/proc/{os.getppid()}/exe", binary)
    except OSError:
        return False


def interpreter_options() -> List[str]:
    """The options that this interpreter was started with."""
    line = _command_line()
    if line is not None:
        return list(_own_options(line[1:]))
    # Python 3.9 where there is no /proc.
    import subprocess

    return subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined, no-any-return]


def _command_line() -> Optional[List[str]]:
    line: Optional[List[str]] = getattr(sys, "orig_argv", None)
    if line is not None:
        return line
    try:
        with open("/proc/self/cmdline", "rb") as file:
            return [os.fsdecode(word) for word in file.read().split(b"\0")[:-1]]
    except OSError:
        return None


def _own_options(line: Sequence[str]) -> Iterator[str]:
    """Up to what is run: ``-c``, ``-m`` or a file. ``-x`` is dropped: it is about that file."""
    words = iter(line)
    for word in words:
        if word == "--check-hash-based-pycs":
            yield from (word, next(words, "default"))
            continue
        if len(word) < 2 or word[0] != "-" or word == "--":
            return
        if word.startswith("--"):
            yield word
            continue
        for at, letter in enumerate(word[1:], start=2):
            if letter in "cm":
                return
            if letter in "WX":
                yield f"-{letter}{word[at:] or next(words, '')}"
                break
            if letter != "x":
                yield f"-{letter}"
