"""A server that says how it was started, and ends as its first argument says.

    facts                     one line of JSON
    echo                      standard input, as it comes
    wait                      `ready`, and then nothing until a signal
    exit CODE | say TEXT      `sys.exit` with a number, with a text
    raise                     an exception
    kill SIGNAL               dies of it
    workers                   squares from workers of `multiprocessing` that are spawned
    again SCRIPT              replaces its process by this console script, and says who its parents are
    print                     prints text that is not flushed, and ends
"""

import json
import os
import signal
import sys


def facts():
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    flags = {name: getattr(sys.flags, name) for name in dir(sys.flags) if name[0] != "_" and name[:2] != "n_"}
    flags = {name: value for name, value in flags.items() if isinstance(value, (bool, int))}
    return {
        "arguments": sys.argv,
        "path": sys.path,
        "flags": flags,
        "x": {name: str(value) for name, value in sys._xoptions.items()},
        "warnings": sys.warnoptions,
        "unbuffered": sys.stdout.write_through,
        "executable": sys.executable,
        "prefix": sys.prefix,
        "directory": os.getcwd(),
        "environment": dict(os.environ),
        "spec": spec and spec.name,
        "name": __name__,
        "umask": os.umask(0o22),
        "ignored": [int(n) for n in signal.valid_signals() if signal.getsignal(n) == signal.SIG_IGN],
    }


def square(number):
    return number * number


def main():
    word, *rest = sys.argv[1:] or ["facts"]
    if word == "facts":
        print(json.dumps(facts()))
    elif word == "echo":
        for line in sys.stdin.buffer:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
    elif word == "wait":
        print("ready", flush=True)
        while True:
            signal.pause()
    elif word == "exit":
        sys.exit(int(rest[0]))
    elif word == "say":
        sys.exit(rest[0])
    elif word == "raise":
        raise RuntimeError("on purpose")
    elif word == "kill":
        os.kill(os.getpid(), getattr(signal, rest[0]))
    elif word == "workers":
        import multiprocessing

        with multiprocessing.get_context("spawn").Pool(2) as pool:
            print(pool.map(square, range(5)))
    elif word == "again":
        os.execv(sys.executable, [sys.executable, rest[0], "parents"])
    elif word == "parents":
        parent = f"/proc/{os.getppid()}"
        with open(f"{parent}/stat") as file:
            # The parent's program, and its own parent.
            print(os.path.basename(os.readlink(f"{parent}/exe")), file.read().rpartition(")")[2].split()[1])
    elif word == "print":
        print("first")
        sys.stdout.write("last")
    return 0


if __name__ == "__main__":
    sys.exit(main())
