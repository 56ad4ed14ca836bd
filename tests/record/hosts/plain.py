"""A host without a framework, on the client of ``mcpproxy record``: what it does is its first argument."""

import asyncio
import os
import signal
import sys
import threading

from mcpproxy_tap.record import Recorder

# As in a command that ends when its reader has: a recorder that has ended must not end it.
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
mode, endpoint = sys.argv[1:3]
recorder = Recorder(product="notes-mcp", version="1.4.0", endpoint=endpoint)
session = recorder.session(local=True)


def whole(session):
    session.client_seen("claude-code", "2.0.1")
    session.server_connected()
    session.discovery(returned=5, indexed=40)
    session.call(ok=True)


def calls(many):
    for _ in range(many):
        session.call(ok=True)


async def loop():
    whole(session)
    await asyncio.sleep(0)
    session.end()
    recorder.close()
    session.call(ok=True)


def strange():
    """Values that no host should give, and a session of another machine."""
    whole(session)
    session.client_seen(None)
    session.client_seen("\ud800 caf\u00e9 \n" * 1000)
    session.discovery()
    session.discovery(returned=-1, indexed="many")
    session.call(ok=None)
    remote = recorder.session()
    remote.client_seen("remote")
    remote.server_connected()
    remote.call(ok=True)
    recorder.close()
    recorder.close()


def wait():
    """Waits, then four threads make this many calls, and it says what was dropped."""
    whole(session)
    print("ready", flush=True)
    sys.stdin.readline()
    threads = [threading.Thread(target=calls, args=(int(sys.argv[3]) // 2,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(recorder.dropped, flush=True)


def fork():
    """The child outlives its parent: its parent's recorder must not, and its own must."""
    whole(session)
    if os.fork() == 0:
        # All of them say the first event: one recorder is started for them, and nothing is lost.
        own = recorder.session(local=True)
        threads = [threading.Thread(target=own.client_seen, args=("zed",)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print("ready" if recorder.dropped == 0 else f"dropped {recorder.dropped}", flush=True)
        sys.stdin.readline()
        recorder.close()


{"session": lambda: asyncio.run(loop()), "strange": strange, "wait": wait, "fork": fork}[mode]()
