"""The command `init`: the server in the current folder gets a launcher that counts its installs.

One rule: it shows what it would change before it writes, and what it cannot do it refuses in one line
that says what to do instead.
"""

from __future__ import annotations

import argparse
import difflib
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version as version_of
from pathlib import Path
from typing import List, NoReturn, Optional, Sequence
from urllib.parse import urlsplit

from . import _binary
from ._package import DOCS, MADE, MANIFEST, PACKAGE, Refusal, Server, manifest, manifest_text, read, read_toml
from ._package import root_of, server_of

SWITCH = "--mcpproxy-telemetry"
PAGE_MADE = "<!-- Made by mcpproxy "
PAGE = "TELEMETRY.md"
EXAMPLE = "https://t.example.org"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Refusal(f"{message}: see --help", 2)


@dataclass
class Facts:
    """What the maintainer says about the product."""

    product: str
    endpoint: str
    host: str
    alias: Optional[str]


@dataclass
class File:
    """What a file holds now, and what it would hold."""

    name: str
    before: Optional[str]
    after: str

    def diff(self) -> str:
        """The unified diff, as `git apply` takes it."""
        if self.before == self.after:
            return ""
        old = "/dev/null" if self.before is None else f"a/{self.name}"
        lines = difflib.unified_diff(_lines(self.before or ""), _lines(self.after), old, f"b/{self.name}")
        return "".join(
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
        )


def main(argv: Optional[Sequence[str]] = None, folder: Optional[Path] = None) -> int:
    """Runs the command; the exit code."""
    try:
        return _init(_parser().parse_args(_joined(sys.argv[1:] if argv is None else argv)), folder or Path.cwd())
    except Refusal as refusal:
        _say(str(refusal))
        return refusal.code


def _joined(words: Sequence[str]) -> List[str]:
    """The value of --alias begins with dashes itself."""
    joined: List[str] = []
    for word in words:
        if joined[-1:] == ["--alias"]:
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m mcpproxy_tap init",
        allow_abbrev=False,
        description="In the folder of an MCP server: writes a launcher that counts installs, points "
        "pyproject.toml to it, and explains in TELEMETRY.md what is sent. Shows the difference first and asks.",
    )
    add = parser.add_argument
    add("--endpoint", metavar="URL", help="where heartbeats go: the address of your collector")
    add("--product", metavar="NAME", help="what is counted (default: the name in pyproject.toml)")
    add("--bin", metavar="NAME", help="which command, where pyproject.toml has several")
    add("--alias", metavar="FLAG", help=f"a name of your own for the switch {SWITCH}, such as --telemetry")
    add("--dry-run", action="store_true", help="show the difference and write nothing")
    add("--yes", action="store_true", help="write without asking")
    return parser


def _init(given: argparse.Namespace, folder: Path) -> int:
    text = manifest_text(folder)
    toml = read_toml(text)
    root = root_of(toml)
    server = server_of(toml, root, folder, given.bin)
    name = toml.string(*root, "name") or ""
    facts = _facts_of(given, name, server)
    files = [
        File(server.launcher.as_posix(), read(folder / server.launcher), _launcher(facts, server, name)),
        File(PAGE, read(folder / PAGE), _page(facts, server, name)),
        File(MANIFEST, text, manifest(toml, root, server)),
    ]
    page = files[1].before
    if page is not None and not page.lstrip("\ufeff").startswith(PAGE_MADE):
        raise Refusal(f"{PAGE} is there and is not init's: rename it, and add what it says to the new one")
    # A checkout may have changed the line ends of the two that init wrote.
    changed = [file for file in files[:2] if (file.before or "").replace("\r\n", "\n") != file.after]
    changed += [file for file in files[2:] if file.diff()]
    return _write(folder, changed, given, name, toml.string(*root, "version"))


def _facts_of(given: argparse.Namespace, name: str, server: Server) -> Facts:
    """Product, endpoint and alias: as they were given, else as an earlier run wrote them."""
    product = _product_name(given.product or server.facts.get("product") or name)
    endpoint = given.endpoint or server.facts.get("endpoint")
    if endpoint is None and sys.stdin.isatty() and not given.yes and not given.dry_run:
        endpoint = _ask("Where do heartbeats go? The address of your collector: ")
    if not endpoint:
        raise Refusal(f"--endpoint URL is missing: the address of your collector, such as {EXAMPLE}", 2)
    endpoint = endpoint.strip()
    host = _host_of(endpoint)
    alias = given.alias or server.facts.get("alias")
    if alias and (not re.fullmatch(r"--[A-Za-z][A-Za-z0-9-]*", alias) or alias in ("--help", "--version")):
        raise Refusal("--alias must be an option that your server does not have, such as --telemetry", 2)
    return Facts(product, endpoint, host, None if alias == SWITCH else alias)


def _product_name(text: str) -> str:
    """The name that is counted, as `mcpproxy` spells it."""
    name = re.sub(r"^@([^/]+)/([^/]+)$", r"\1.\2", text.strip().lower())
    is_form = re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", name) and ".." not in name and not name.endswith(".")
    is_device = re.match(r"(con|prn|aux|nul|(com|lpt)[1-9])(\.|$)", name)
    if not is_form or is_device or re.match(r"mcpproxy($|-)", name) or _gate_refuses(name):
        raise Refusal(f"{json.dumps(text)} cannot be counted under this name: add --product NAME, such as notes-mcp", 2)
    return name


def _host_of(endpoint: str) -> str:
    try:
        url = urlsplit(endpoint)
        port = url.port
    except ValueError:
        url, port = urlsplit(""), None
    is_plain = re.fullmatch(r"[\x21-\x7e]+", endpoint) and not re.search(r"[?#\\@]", endpoint)
    if url.scheme not in ("http", "https") or not url.hostname or not is_plain or port == 0:
        raise Refusal(f"the endpoint is no address: give one like {EXAMPLE}, without user, query and blanks", 2)
    loopback = re.fullmatch(r"localhost|127\.\d+\.\d+\.\d+|::1", url.hostname)
    if url.scheme == "http" and not loopback:
        raise Refusal("plain http goes to this machine only: give an https:// endpoint", 2)
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    return host if port in (None, 443) else f"{host}:{port}"


def _gate_refuses(name: str) -> bool:
    """The gate's own word on a name, where the binary is: it knows what looks like a key or an address."""
    program, _ = _binary.find()
    if program is None:
        return False

    def run(words: List[str], text: str) -> str:
        line = [program or "", "telemetry", *words]
        return subprocess.run(line, input=text, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout

    try:
        payload = json.loads(run(["show-payload"], ""))
        payload["product"] = {"name": name, "version": "1.0.0"}
        verdict = json.loads(run(["verify", "-"], json.dumps(payload) + "\n"))
        return not verdict["ok"] and str(verdict["field"]).startswith("/product")
    except (OSError, ValueError, LookupError, TypeError):
        return False  # It answers otherwise, and then it will say so when the server starts.


def _launcher(facts: Facts, server: Server, name: str) -> str:
    text = json.dumps
    rename = ""
    if facts.alias:
        rename = f"    if sys.argv[1:2] == [{text(facts.alias)}]:\n        sys.argv[1] = {text(SWITCH)}\n"
    imports = "import sys\n" if facts.alias else ""
    return (
        '"""Starts the server through mcpproxy, which counts installs: TELEMETRY.md says what is sent.\n\n'
        f'Where that cannot be, the server runs as if this file were it. {MADE}\n"""\n\n'
        f"{imports}from importlib.metadata import version\n\n"
        "import mcpproxy_tap\n\n\n"
        "def main() -> None:\n"
        f'    """Starts the command `{server.script}`."""\n'
        f"{rename}"
        "    mcpproxy_tap.run(\n"
        f"        {text(server.target)},\n"
        f"        product={text(facts.product)},\n"
        f"        version=version({text(name)}),\n"
        f"        endpoint={text(facts.endpoint)},\n"
        "    )\n"
    )


def _page(facts: Facts, server: Server, name: str) -> str:
    start = f"uvx {name}" if server.script == name else f"uvx --from {name} {server.script}"
    values = {
        "product": facts.product,
        "endpoint": facts.endpoint,
        "host": facts.host,
        "command": f"{start} {facts.alias or SWITCH}",
        "version": version_of(PACKAGE),
    }
    template = (Path(__file__).parent / f"{PAGE}.in").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found.group(1)], template)


def _write(folder: Path, files: List[File], given: argparse.Namespace, name: str, version: Optional[str]) -> int:
    if not files:
        _say(f"nothing to change: {name} starts through its launcher")
        return 0
    sys.stdout.flush()
    sys.stdout.buffer.write("".join(file.diff() for file in files).encode())
    sys.stdout.flush()
    if given.dry_run:
        return 0
    if not given.yes and not sys.stdin.isatty():
        _say("nothing is written: add --yes")
        return 1
    if not given.yes and _ask("Write this? [y/N] ").lower() not in ("y", "yes"):
        _say("nothing is written")
        return 1
    for file in files:
        if read(folder / file.name) != file.before:
            raise Refusal(f"{file.name} changed meanwhile: run init again")
    for file in files:
        try:
            # In place, so that links and modes stay.
            (folder / file.name).write_bytes(file.after.encode())
        except OSError as error:
            why = f"{file.name} cannot be written ({error.strerror})"
            raise Refusal(f"{why}: put that right and run init again") from None
    _say(f"wrote {', '.join(file.name for file in files)}")
    if version and not re.match(r"\d{1,5}\.\d{1,5}\.\d{1,5}", version):
        _say(f"version {version} is not of the form N.N.N: heartbeats will say 0.0.0-dev in its place")
    _say(f"next: install the package again, then start your server once; docs: {DOCS}")
    return 0


def _ask(question: str) -> str:
    """Asks a person; the end of input and Ctrl-C are an empty answer."""
    try:
        sys.stderr.write(question)
        sys.stderr.flush()
        return sys.stdin.readline().strip()
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return ""


def _lines(text: str) -> List[str]:
    return re.findall(r"[^\n]*\n|[^\n]+\Z", text)


def _say(line: str) -> None:
    sys.stderr.write(f"mcpproxy-tap init: {line}\n")
