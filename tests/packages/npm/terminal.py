#!/usr/bin/env python3
"""Runs the probe on a terminal of its own, presses Ctrl-C once it speaks, and tells it the code 7.

    terminal.py COMMAND [ARG...]        the probe with the arguments SIGINT and SIGUSR2

Prints how often the probe was interrupted, and ends with its exit code.
"""

import os
import pty
import signal
import sys


def main():
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.argv[1], sys.argv[1:])
    said = b""

    def read_until(word):
        nonlocal said
        while word not in said:
            data = read(terminal)
            if not data:
                sys.exit(f"it ended: {said!r}")
            said += data

    read_until(b'"isMain"')
    os.write(terminal, b"\x03")
    # The terminal shows what was typed as ^C; the word is the probe's.
    read_until(b"SIGINT\r\n")
    # Goes the way of a second interrupt, and behind it.
    os.kill(child, signal.SIGUSR2)
    read_until(b"SIGUSR2\r\n")
    os.write(terminal, b"7\n")
    while data := read(terminal):
        said += data
    print(said.count(b"SIGINT\r\n"))
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def read(terminal):
    try:
        return os.read(terminal, 1 << 16)
    except OSError:
        # How Linux says that the other end is closed.
        return b""


if __name__ == "__main__":
    main()
