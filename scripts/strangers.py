#!/usr/bin/env python3
"""Talks to MCP servers from npm and PyPI three times: bare, under `mcpproxy tap`, and behind `mcpproxy serve`.

    scripts/strangers.py --bin FILE [--into DIR] [NAME...]

Installs each server of strangers.json below DIR in the version that stands there (npm without scripts, PyPI in an
environment of its own), asks it for all that it offers, makes its calls, and compares: under tap every byte of both
directions with what a recorder between tap and server saw, behind serve every value with the bare server's. Prints
a JSON object a server; what differs stands in it. Without NAMEs: all. Nothing of a heartbeat leaves the machine.
"""

import argparse
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

HERE = Path(__file__).resolve().parent
RECORDER = HERE.parent / "tests" / "real" / "recorder.py"
# Seconds for an answer, for one to a method that the server did not say it has, and for an end after the input
# is closed.
PATIENCE = 60
SHORT = 5
# Seconds until the gateway has the server's tools, or has given it up.
START = 150
END = 12
LISTS = {"tools/list": "tools", "resources/list": "resources", "resources/templates/list": "resourceTemplates",
         "prompts/list": "prompts"}
# The server's own words for an entry of a list, and what the gateway adds to them.
ADDED = ("name", "server", "score", "note")


def install(server, into):
    """The directory that the server's command is looked up in."""
    place = into / server["registry"] / server["name"]
    done = place / ".ok"
    if not done.exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        wanted = [server["package"] + ("@" if server["registry"] == "npm" else "==") + server["version"]]
        wanted += server.get("with", [])
        if server["registry"] == "npm":
            (place / "package.json").write_text('{"private": true}')
            run = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", *wanted]
        else:
            subprocess.run([sys.executable, "-m", "venv", place], check=True)
            run = [place / "bin" / "pip", "install", "--no-input", "--disable-pip-version-check", "-q", *wanted]
        subprocess.run(run, cwd=place, check=True, stdout=sys.stderr, stdin=subprocess.DEVNULL)
        done.touch()
    return place / ("node_modules" if server["registry"] == "npm" else "bin")


class Session:
    """One process, spoken to over its standard streams."""

    def __init__(self, command, env, cwd, errors):
        self.errors = open(errors, "wb")
        self.process = subprocess.Popen(command, env=env, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors)
        self.sent = b""
        self.got = b""
        self.noise = []
        self.asked = []
        self.lines = queue.Queue()
        self.next = 0
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        rest = b""
        while data := os.read(self.process.stdout.fileno(), 1 << 16):
            self.got += data
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self.lines.put(line)
        self.lines.put(None)

    def send(self, message):
        line = json.dumps(message).encode() + b"\n"
        self.sent += line
        try:
            self.process.stdin.write(line)
            self.process.stdin.flush()
        except OSError:
            pass

    def ask(self, method, params=None, patience=PATIENCE):
        """The answer, without its id; a text says why there is none."""
        self.next += 1
        message = {"jsonrpc": "2.0", "id": self.next, "method": method}
        if params is not None:
            message["params"] = params
        self.send(message)
        until = time.monotonic() + patience
        while True:
            try:
                line = self.lines.get(timeout=max(0.1, until - time.monotonic()))
            except queue.Empty:
                return f"no answer in {patience} s"
            if line is None:
                self.lines.put(None)
                return "the output ended"
            try:
                answer = json.loads(line)
            except ValueError:
                self.noise.append(line.decode("utf-8", "replace")[:200])
                continue
            if not isinstance(answer, dict):
                self.noise.append(str(answer)[:200])
            elif "method" in answer:
                self.asked.append(answer["method"])
                if "id" in answer:
                    error = {"code": -32601, "message": "not here"}
                    self.send({"jsonrpc": "2.0", "id": answer["id"], "error": error})
            elif answer.get("id") == self.next:
                del answer["id"]
                return answer
            else:
                self.noise.append(f"an answer to {answer.get('id')!r}")

    def begin(self):
        client = {"name": "strangers", "version": "1"}
        params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}
        answer = self.ask("initialize", params)
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer

    def end(self):
        """Closes the input; how the process ended."""
        begun = time.monotonic()
        try:
            self.process.stdin.close()
        except OSError:
            pass
        how = "input closed"
        for wait, then in ((END, signal.SIGTERM), (END, signal.SIGKILL), (END, None)):
            try:
                self.process.wait(wait)
                break
            except subprocess.TimeoutExpired:
                how = then.name if then else "never"
                self.process.send_signal(then)
        self.reader.join(END)
        self.errors.close()
        return {"by": how, "code": self.process.returncode, "seconds": round(time.monotonic() - begun, 1)}


def living(mark):
    """Processes with the mark in their environment: (pid, command)."""
    found = []
    for each in Path("/proc").iterdir():
        if each.name.isdigit() and int(each.name) != os.getpid():
            try:
                if mark.encode() in (each / "environ").read_bytes():
                    words = (each / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                    if words:
                        found.append((int(each.name), words[:120]))
            except OSError:
                pass
    return found


def left(mark):
    """What still lives of a run a moment after its end; it is ended."""
    until = time.monotonic() + END
    while (found := living(mark)) and time.monotonic() < until:
        time.sleep(0.1)
    for pid, _ in found:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    return [words for _, words in found]


def listed(session, method, patience=PATIENCE):
    """All pages of a list, or the answer that is none."""
    items, params, pages = [], {}, 0
    while True:
        answer = session.ask(method, params, patience)
        result = answer.get("result") if isinstance(answer, dict) else None
        page = result.get(LISTS[method]) if isinstance(result, dict) else None
        if not isinstance(page, list):
            return items if pages else answer
        items += page
        pages += 1
        if not result.get("nextCursor") or pages > 200:
            return items
        params = {"cursor": result["nextCursor"]}


def tour(session, server, read=None, prompt=None):
    """All that a server offers and answers."""
    begun = time.monotonic()
    seen = {"initialize": session.begin(), "seconds": round(time.monotonic() - begun, 2)}
    greeting = seen["initialize"] if isinstance(seen["initialize"], dict) else {}
    capabilities = greeting.get("result", {}).get("capabilities", {})
    for method in LISTS:
        # Some are silent to a method that they did not say they have.
        seen[method] = listed(session, method, PATIENCE if method.split("/")[0] in capabilities else SHORT)
    seen["calls"] = [session.ask("tools/call", call) for call in server.get("calls", [])]
    for kind, method, key in (("resources/list", "resources/read", "uri"), ("prompts/list", "prompts/get", "name")):
        items = seen[kind] if isinstance(seen[kind], list) else []
        plain = [i for i in items if not any(a.get("required") for a in i.get("arguments") or [])]
        seen[method] = session.ask(method, {key: plain[0][key]}) if plain else None
    return seen


def through_serve(session, server, bare):
    """The same, of a client of the gateway: values in the bare server's words, as far as they can be."""
    name = server["name"]
    seen = {"initialize": session.begin()}
    tools, missing = {}, []
    bare_tools = bare["tools/list"] if isinstance(bare["tools/list"], list) else []
    begun = time.monotonic()
    while True:
        answer = session.ask("tools/call", {"name": "retrieve_tools", "arguments": {"query": "anything", "limit": 1}})
        found = answer["result"]["structuredContent"]
        if not found.get("note") or time.monotonic() - begun > START:
            break
        time.sleep(0.5)
    seen["seconds"] = round(time.monotonic() - begun, 1)
    seen["total"], seen["note"] = found.get("total_indexed_tools"), found.get("note")
    for tool in bare_tools:
        if f"{name}:{tool.get('name')}" in tools:
            continue
        order = {"query": str(tool.get("name")), "limit": 100}
        answer = session.ask("tools/call", {"name": "retrieve_tools", "arguments": order})
        for each in answer["result"]["structuredContent"]["tools"]:
            tools[each["name"]] = each
        if f"{name}:{tool.get('name')}" not in tools:
            missing.append(tool.get("name"))
    seen["missing"] = missing
    seen["tools"] = tools
    for method in list(LISTS)[1:]:
        seen[method] = listed(session, method)
    seen["calls"] = []
    for call in server.get("calls", []):
        order = {"name": f"{name}:{call['name']}", "arguments": call.get("arguments", {})}
        seen["calls"].append(session.ask("tools/call", {"name": "call_tool", "arguments": order}))
    for kind, method, key in (("resources/list", "resources/read", "uri"), ("prompts/list", "prompts/get", "name")):
        items = seen[kind] if isinstance(seen[kind], list) else []
        plain = [i for i in items if not any(a.get("required") for a in i.get("arguments") or [])]
        seen[method] = session.ask(method, {key: plain[0][key]}) if plain else None
    return seen


def bared(value, name):
    """A value of the gateway without what it adds."""
    if isinstance(value, str):
        return value.replace(f"mcpproxy://{name}/", "")
    if isinstance(value, list):
        return [bared(each, name) for each in value]
    if isinstance(value, dict):
        return {key: bared(each, name) for key, each in value.items()}
    return value


def answer_of(answer, name=None):
    """An answer in the form in which it is compared."""
    if not isinstance(answer, dict):
        return answer
    answer = bared(answer, name) if name else answer
    if isinstance(answer.get("result"), dict):
        result = dict(answer["result"])
        result.pop("resultType", None)
        meta = {k: v for k, v in (result.pop("_meta", None) or {}).items() if "serverInfo" not in k}
        if meta:
            result["_meta"] = meta
        for key in ("ttlMs", "cacheScope"):
            result.pop(key, None)
        answer = {**answer, "result": result}
    return answer


def short(value):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 600 else text[:600] + f".. ({len(text)})"


def differences(bare, served, name):
    """What a client of the gateway sees otherwise than one of the bare server."""
    found = []
    tools = bare["tools/list"] if isinstance(bare["tools/list"], list) else []
    for tool in tools:
        other = served["tools"].get(f"{name}:{tool.get('name')}")
        if other is None:
            found.append(f"tool {tool.get('name')!r} is missing")
            continue
        for key in sorted(set(tool) | set(other)):
            if key not in ADDED and tool.get(key) != other.get(key):
                found.append(f"tool {tool['name']}: {key}: {short(tool.get(key))} became {short(other.get(key))}")
    for method in list(LISTS)[1:]:
        one, two = bare[method], bared(served[method], name)
        if isinstance(one, list) and isinstance(two, list):
            if method == "prompts/list":
                two = [{**each, "name": each["name"].removeprefix(f"{name}:")} for each in two]
            keys = {"prompts/list": "name", "resources/list": "uri"}.get(method, "uriTemplate")
            one, two = ({each.get(keys): each for each in items} for items in (one, two))
            for key in sorted(set(one) | set(two), key=str):
                if one.get(key) != two.get(key):
                    found.append(f"{method} {key}: {short(one.get(key))} became {short(two.get(key))}")
        elif isinstance(one, list) or (isinstance(two, list) and two):
            found.append(f"{method}: {short(one)} became {short(two)}")
    for number, (one, two) in enumerate(zip(bare["calls"], served["calls"])):
        if answer_of(one) != answer_of(two, name):
            found.append(f"call {number}: {short(answer_of(one))} became {short(answer_of(two, name))}")
    for method in ("resources/read", "prompts/get"):
        if answer_of(bare[method]) != answer_of(served[method], name):
            found.append(f"{method}: {short(answer_of(bare[method]))} became {short(answer_of(served[method], name))}")
    return found


def count(answer):
    return len(answer) if isinstance(answer, list) else short(answer)


def measure(server, binary, into):
    name = server["name"]
    place = install(server, into)
    run = [word.replace("{in}", str(place)) for word in server["run"]]
    if Path(run[0]).is_file():
        # Some packages do this in a script of theirs, and none was run.
        Path(run[0]).chmod(0o755)
    report = {"name": name, "package": server["package"], "version": server["version"]}
    with tempfile.TemporaryDirectory(prefix="strangers-") as work:
        work = Path(work)
        home = work / "home"

        def environment():
            mark = uuid.uuid4().hex
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            for file, text in server.get("files", {}).items():
                (home / file).parent.mkdir(parents=True, exist_ok=True)
                (home / file).write_text(text)
            own = {key: value.replace("{home}", str(home)) for key, value in server.get("env", {}).items()}
            own |= {"STRANGER": mark}
            ours = {"PATH": os.environ["PATH"], "HOME": str(home), "MCPPROXY_TELEMETRY_ENDPOINT": "http://127.0.0.1:9",
                    "LANG": "C.UTF-8"}
            return mark, own, ours

        run = [word.replace("{home}", str(home)) for word in run]
        server = json.loads(json.dumps(server).replace("{home}", str(home)))
        bare = []
        for turn in range(2):
            mark, own, ours = environment()
            session = Session(run, ours | own, home, work / "bare.err")
            bare.append(tour(session, server))
            ends = session.end()
            report["bare"] = {
                "seconds": bare[-1]["seconds"], "noise": session.noise, "asked": session.asked,
                "bytes": len(session.got), "stderr": (work / "bare.err").stat().st_size, "end": ends,
                "left": left(mark),
            }
        first = bare[0]["initialize"]
        result = first.get("result", {}) if isinstance(first, dict) else {}
        report["server"] = result.get("serverInfo", short(first))
        report["protocol"] = result.get("protocolVersion")
        report["capabilities"] = result.get("capabilities")
        report["offers"] = {kind: count(bare[0][kind]) for kind in LISTS}
        report["offer_bytes"] = len(json.dumps(bare[0]["tools/list"]))
        report["answers"] = [short(each) for each in bare[0]["calls"]]
        report["answer_bytes"] = [len(json.dumps(each)) for each in bare[0]["calls"]]
        report["varies"] = [key for key in bare[0] if key != "seconds" and bare[0][key] != bare[1][key]]

        mark, own, ours = environment()
        tape = work / "tape"
        tape.mkdir()
        command = [binary, "tap", "--data-dir", work / "tapdata", "--", sys.executable, RECORDER, tape, "s", *run]
        session = Session(command, ours | own, home, work / "tap.err")
        tapped = tour(session, server)
        ends = session.end()
        wrote = b"".join(each.read_bytes() for each in tape.glob("*.s2c"))
        heard = b"".join(each.read_bytes() for each in tape.glob("*.c2s"))
        report["tap"] = {
            "to client": wrote == session.got, "to server": heard == session.sent, "bytes": len(session.got),
            "differs": [k for k in tapped if k != "seconds" and tapped[k] not in (bare[0][k], bare[1][k])],
            "end": ends, "left": left(mark),
        }

        mark, own, ours = environment()
        data = work / "data"
        data.mkdir()
        entry = {"command": run[0], "args": run[1:], "env": own, "cwd": str(home), "startup_timeout_sec": 120}
        (data / "mcp_config.json").write_text(json.dumps({"mcpServers": {name: entry}}))
        session = Session([binary, "serve", "--stdio", "--data-dir", data], ours, home, work / "serve.err")
        served = through_serve(session, server, bare[0])
        shown = subprocess.run([binary, "upstream", "list", "--data-dir", data, "-o", "json"], env=ours,
                               capture_output=True, text=True).stdout
        ends = session.end()
        either = [differences(each, served, name) for each in bare]
        report["serve"] = {
            "seconds": served["seconds"], "tools": served["total"], "note": served["note"], "missing": served["missing"],
            "differs": min(either, key=len), "end": ends, "left": left(mark), "noise": session.noise,
            "list": shown, "log": (work / "serve.err").read_text(errors="replace")[-3000:],
        }
        report["stderr"] = (work / "bare.err").read_text(errors="replace")[:300]
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, type=Path)
    parser.add_argument("--into", type=Path, default=HERE.parent / "target" / "strangers")
    parser.add_argument("--servers", type=Path, default=HERE / "strangers.json")
    parser.add_argument("names", nargs="*")
    said = parser.parse_args()
    for server in json.loads(said.servers.read_text()):
        if not said.names or server["name"] in said.names:
            try:
                report = measure(server, said.bin.resolve(), said.into.resolve())
            except (OSError, subprocess.CalledProcessError, KeyError, TypeError) as error:
                report = {"name": server["name"], "error": repr(error)}
            print(json.dumps(report, indent=1, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
