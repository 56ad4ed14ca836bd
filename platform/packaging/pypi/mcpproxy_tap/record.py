"""The client of ``mcpproxy record``: counts for a host that no launcher can wrap, such as a server over HTTP.

One rule: the host comes first. It never waits, and nothing here raises or ends it. An event is written to a pipe that
never blocks, or dropped. See docs/record.md.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import threading
from typing import Dict, Iterator, List, Optional, Union

from . import _binary
from ._launch import debug
from ._objection import objection

__all__ = ["Recorder", "Session"]

# A longer name of a client is none that counts.
_LONGEST_NAME = 128


class Recorder:
    """The one recorder of this process, for any thread. A forked process gets one of its own with its first event."""

    def __init__(
        self,
        *,
        product: str,
        version: str = "",
        endpoint: str = "",
        require_visible_notice: bool = False,
        count_remote: bool = False,
    ) -> None:
        # How many events were dropped, because the recorder was too slow or has ended.
        self.dropped = 0
        self._sessions = 0
        self._child: Optional[subprocess.Popen[bytes]] = None
        # Reentrant, for a signal handler that records while its thread does.
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._torn = False
        self._command: List[str] = []
        name = objection(os.environ)
        binary, reason = (None, f"{name} objects") if name is not None else _binary.find()
        if binary is None:
            return debug(reason)
        words = [f"--product={product}", f"--product-version={version}"]
        words += [f"--endpoint={endpoint}"] if endpoint else []
        words += ["--require-visible-notice"] if require_visible_notice else []
        words += ["--count-remote"] if count_remote else []
        self._command = [binary, "record", *words]
        self._start()
        atexit.register(self._forget)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def session(self, *, local: bool = False) -> Session:
        """A session of a client. ``local``: it runs on this machine, for the user of this process. Others do not count."""
        self._sessions += 1
        return Session(self, str(self._sessions), local)

    def close(self) -> None:
        """The host ends as it was meant to. Nothing is recorded after this."""
        self._say({"event": "end"})
        self._command = []
        self._forget()

    def _say(self, event: Dict[str, Union[str, int, None]]) -> None:
        if not self._command:
            return
        line = (json.dumps(event) + "\n").encode()
        with self._lock:
            if self._process != os.getpid():
                self._start()
            # A line of which only a part was written is ended here, and skipped by the recorder.
            line = b"\n" + line if self._torn else line
            written = self._write(line)
            self._torn = 0 < written < len(line) or (self._torn and not written)
            self.dropped += written < len(line)

    def _write(self, line: bytes) -> int:
        """How many bytes the pipe took."""
        if self._child is None or self._child.stdin is None or self._child.stdin.closed:
            return 0
        try:
            with _sigpipe_held():
                return self._child.stdin.write(line) or 0
        except (OSError, ValueError):
            self._child.poll()
            self._forget()
            return 0

    def _start(self) -> None:
        self._process, self._torn = os.getpid(), False
        try:
            flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
            streams = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL}
            self._child = subprocess.Popen(self._command, bufsize=0, creationflags=flags, **streams)
            # On Windows from Python 3.12 on.
            os.set_blocking(self._child.stdin.fileno(), False)  # type: ignore[union-attr]
        except (AttributeError, OSError, ValueError) as error:
            self._forget()
            debug(f"{self._command[0]}: {error}")

    def _forget(self) -> None:
        """Closes the pipe of this process; in a forked one, its copy of the pipe."""
        if self._process != os.getpid():
            self._lock = threading.RLock()
        with self._lock:
            if self._child is not None and self._child.stdin is not None:
                self._child.stdin.close()


@contextlib.contextmanager
def _sigpipe_held() -> Iterator[None]:
    """A host may have SIGPIPE end it, as commands do; a closed pipe of ours does not."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
    try:
        yield
    finally:
        if signal.SIGPIPE not in before:
            if signal.SIGPIPE in signal.sigpending():
                signal.sigwait({signal.SIGPIPE})
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Session:
    """One session of a client with the host. Nothing here waits or raises."""

    def __init__(self, recorder: Recorder, name: str, local: bool) -> None:
        self._recorder, self._name, self._local = recorder, name, bool(local)

    def client_seen(self, name: str, version: str = "") -> None:
        """The client introduced itself, by ``clientInfo``. Its version stays in this process."""
        text = name.strip()[:_LONGEST_NAME] if isinstance(name, str) else ""
        self._say("client_seen", client=text.encode("ascii", "replace").decode())

    def server_connected(self) -> None:
        """The server answered it for the first time."""
        self._say("server_connected")

    def discovery(self, *, returned: Optional[int] = None, indexed: Optional[int] = None) -> None:
        """A tool that finds tools was called: how many it returned, of how many it searched."""
        self._say("discovery", returned=_count(returned), indexed=_count(indexed))

    def call(self, *, ok: bool) -> None:
        """Any other tool was called; ``ok`` says that it returned a result and no error."""
        self._say("call", ok=bool(ok))

    def end(self) -> None:
        self._say("end")

    def _say(self, event: str, **members: Union[str, int, None]) -> None:
        self._recorder._say({"event": event, "session": self._name, "local": self._local, **members})


def _count(value: Optional[int]) -> Optional[int]:
    return value if type(value) is int and 0 <= value < 2**63 else None
