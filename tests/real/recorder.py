#!/usr/bin/env python3
"""Stands between an MCP client and a stdio server and writes down every byte, unchanged.

    recorder.py DIRECTORY NAME COMMAND [ARG...]

Writes, for each process started (a client may start several), DIRECTORY/NAME.<start>.<pid>.c2s and .s2c
(the raw bytes of each direction), .jsonl (one line per message, in the order seen) and .exit (how COMMAND
ended: its exit code, negative for a signal). Passes SIGTERM on and ends as COMMAND ended.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time


class Tape:
    """Both directions of one session, raw and as messages in the order seen."""

    def __init__(self, stem):
        self.lock = threading.Lock()
        self.messages = open(stem + ".jsonl", "wb", buffering=0)
        self.raw = {side: open(f"{stem}.{side}", "wb", buffering=0) for side in ("c2s", "s2c")}
        self.rest = {"c2s": b"", "s2c": b""}

    def write(self, side, data):
        with self.lock:
            self.raw[side].write(data)
            *lines, self.rest[side] = (self.rest[side] + data).split(b"\n")
            for line in lines:
                sender = "client" if side == "c2s" else "server"
                entry = {"from": sender, "line": line.decode("utf-8", "backslashreplace")}
                self.messages.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")


def pump(source, sink, side, tape):
    """Writes to the tape before the sink: what was passed on is always on the tape."""
    while True:
        try:
            data = os.read(source, 1 << 16)
        except OSError:
            data = b""
        if not data:
            break
        tape.write(side, data)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(sink, view) :]
        except OSError:
            break
    try:
        os.close(sink)
    except OSError:
        pass


def main():
    directory, name, *command = sys.argv[1:]
    # The start, so that names sort by it: process ids wrap around.
    stem = os.path.join(directory, f"{name}.{time.monotonic_ns():020}.{os.getpid()}")
    tape = Tape(stem)
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    signal.signal(signal.SIGTERM, lambda *_: child.send_signal(signal.SIGTERM))
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    # Own descriptors, closed by the pumps: Popen's file objects must not close them a second time.
    to_child, from_child = os.dup(child.stdin.fileno()), os.dup(child.stdout.fileno())
    child.stdin.close()
    child.stdout.close()
    client_side = threading.Thread(target=pump, args=(0, to_child, "c2s", tape), daemon=True)
    server_side = threading.Thread(target=pump, args=(from_child, 1, "s2c", tape), daemon=True)
    client_side.start()
    server_side.start()
    # A timeout, so that the main thread keeps running Python signal handlers.
    while True:
        try:
            code = child.wait(timeout=0.05)
            break
        except subprocess.TimeoutExpired:
            continue
    server_side.join(timeout=5)
    with open(stem + ".exit", "w") as end:
        end.write(str(code))
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main()
