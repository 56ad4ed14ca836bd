"""A maintainer's package as `init` finds it: its commands, the server behind them, and what changes in pyproject.toml.

One rule: nothing is written here, and what cannot be told for certain is refused, with what to do instead.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib.metadata import version as version_of
from pathlib import Path, PurePosixPath
from typing import Dict, List, Optional, Tuple

from ._toml import Toml, Unclear, Value

PACKAGE = "mcpproxy-tap"
MADE = "Made by `python -m mcpproxy_tap init`."
MANIFEST = "pyproject.toml"
DOCS = "https://github.com/mcpproxy/mcpproxy/blob/main/docs/packages.md"
_LAUNCHER = "_mcpproxy_launcher"


class Refusal(Exception):
    """Why nothing is done; its exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Server:
    """The command that is led to the launcher, and what it starts now."""

    script: str
    values: List[Value]
    target: str
    launcher: Path
    entry: str
    facts: Dict[str, str]


def manifest_text(folder: Path) -> str:
    text = read(folder / MANIFEST)
    if text is not None:
        return text
    if (folder / "package.json").exists():
        raise Refusal(f"there is no {MANIFEST} here: run `npx @mcpproxy/tap init`")
    if (folder / "setup.py").exists() or (folder / "setup.cfg").exists():
        raise Refusal(
            f"there is no {MANIFEST} here: move name, version and scripts of setup.py there, into [project]"
        )
    raise Refusal(f"there is no {MANIFEST} here: run this in the folder of your server")


def read_toml(text: str) -> Toml:
    try:
        return Toml(text)
    except Unclear as error:
        raise Refusal(f"{MANIFEST} is no TOML that init can read ({error}): put that line right") from None


def root_of(toml: Toml) -> Tuple[str, ...]:
    """Where name, version and scripts stand: `[project]`, or `[tool.poetry]` of an older Poetry."""
    for root in (("project",), ("tool", "poetry")):
        if toml.string(*root, "name") is None:
            continue
        dynamic = toml.strings("project", "dynamic")
        if toml.string(*root, "version") is None and "version" not in dynamic:
            raise Refusal(f"[{'.'.join(root)}] has no version: add one, the launcher reads what is installed")
        if root == ("project",) and "dependencies" in dynamic:
            raise Refusal(
                f"the dependencies of {MANIFEST} are dynamic: move them into [project], as `dependencies = [..]`"
            )
        return root
    if toml.has("tool", "uv", "workspace") or toml.has("tool", "hatch", "workspace"):
        raise Refusal("this is the root of a workspace and has no [project]: run init in the folder of the server")
    raise Refusal(f"{MANIFEST} has no name: add [project] with name, version and scripts")


def server_of(toml: Toml, root: Tuple[str, ...], folder: Path, wanted: Optional[str]) -> Server:
    scripts = toml.below(*root, "scripts")
    names = ", ".join(scripts)
    if not scripts:
        table = ".".join((*root, "scripts"))
        raise Refusal(f'{MANIFEST} has no command: add [{table}] with NAME = "package.module:function"')
    if wanted is not None and wanted not in scripts:
        raise Refusal(f"{MANIFEST} has no command {wanted}: --bin can be one of {names}")
    # An earlier run has chosen, or there is nothing to choose from.
    ours = [key for key, value in scripts.items() if f".{_LAUNCHER}:" in (value.text or "")]
    chosen = [wanted] if wanted is not None else ours or list(scripts)
    if len({scripts[key].text for key in chosen}) > 1:
        raise Refusal(f"{MANIFEST} has several commands: add --bin NAME, one of {names}")
    script, values = chosen[0], [scripts[key] for key in chosen]
    found = re.fullmatch(r"\s*([A-Za-z_][\w.]*)\s*:\s*([A-Za-z_][\w.]*)\s*", values[0].text or "")
    if not found:
        raise Refusal(f'the command {script} is no "package.module:function": write it in this form')
    module, function = found.groups()
    package, place = _package_of(toml, folder, module)
    launcher = place / f"{_LAUNCHER}.py"
    text = read(folder / launcher)
    entry = f"{package}.{_LAUNCHER}:main"
    if module.endswith(f".{_LAUNCHER}"):
        facts = _known(launcher, text or "")
        return Server(script, values, facts["target"], launcher, entry, facts)
    if text is not None:
        other = "starts another command already" if MADE in text else "is not init's"
        raise Refusal(f"{launcher.as_posix()} is there and {other}: move it away, or write the launcher by hand")
    return Server(script, values, f"{module}:{function}", launcher, entry, {})


def _package_of(toml: Toml, folder: Path, module: str) -> Tuple[str, Path]:
    """The outermost package of a module, and its directory from here."""
    parts = module.split(".")
    for base in _bases(toml):
        place = folder.joinpath(base, *parts)
        is_launcher = parts[-1] == _LAUNCHER
        package = parts if place.is_dir() else parts[:-1]
        if not (place.is_dir() or place.with_suffix(".py").is_file() or (is_launcher and place.parent.is_dir())):
            continue
        if not package:
            raise Refusal(f"{module} is a single file: make it a package, {module}/__init__.py, for the launcher")
        depths = range(1, len(package) + 1)
        regular = (n for n in depths if folder.joinpath(base, *package[:n], "__init__.py").is_file())
        depth = next(regular, len(package))
        return ".".join(package[:depth]), Path(base, *package[:depth])
    raise Refusal(f"there is no module {module} in {' or '.join(_bases(toml))}: run init where its sources are")


def _bases(toml: Toml) -> List[str]:
    """Where build backends look for packages."""
    tool = ("tool",)
    bases: List[Optional[str]] = ["src", "."]
    bases += toml.strings(*tool, "setuptools", "packages", "find", "where")
    bases += [
        toml.string(*tool, "setuptools", "package-dir", ""),
        toml.string(*tool, "poetry", "packages", "#0", "from"),
        toml.string(*tool, "uv", "build-backend", "module-root"),
        toml.string(*tool, "pdm", "build", "package-dir"),
    ]
    packages = toml.strings(*tool, "hatch", "build", "targets", "wheel", "packages")
    bases += [str(PurePosixPath(package).parent) for package in packages]
    return list(dict.fromkeys(base or "." for base in bases if base is not None))


def _known(launcher: Path, text: str) -> Dict[str, str]:
    """What a launcher of an earlier run says."""
    patterns = {
        "target": r'^        (".*"),\r?$',
        "product": r'^        product=(".*"),\r?$',
        "endpoint": r'^        endpoint=(".*"),\r?$',
        "alias": r'^    if sys\.argv\[1:2\] == \[(".*")\]:\r?$',
    }
    found = {key: re.search(pattern, text, re.MULTILINE) for key, pattern in patterns.items()}
    if MADE not in text or not found["target"]:
        raise Refusal(
            f"{launcher.as_posix()} is not as init wrote it: change it by hand, or let the script name the server again"
        )
    return {key: json.loads(match.group(1)) for key, match in found.items() if match}


def manifest(toml: Toml, root: Tuple[str, ...], server: Server) -> str:
    """pyproject.toml with the dependency and the command."""
    requirement = f"{PACKAGE}=={version_of(PACKAGE)}"
    try:
        for value in server.values:
            if value.text != server.entry:
                toml.replace(value, server.entry)
        if root == ("project",):
            _require(toml, requirement)
        else:
            _require_of_poetry(toml, version_of(PACKAGE))
    except Unclear as error:
        how = "write that line plainly (a table of its own, a text in simple quotes, no extras, no markers)"
        raise Refusal(f"init cannot edit {MANIFEST} at {error}: {how} and run init again") from None
    after = toml.edited()
    _check(toml.text, after)
    return after


def _require(toml: Toml, requirement: str) -> None:
    """The exact version among `dependencies` of `[project]`."""
    found = toml.values.get(("project", "dependencies"))
    if found is None:
        # Behind the name, which is there: another table may follow it.
        name = toml.values[("project", "name")]
        if name.table != ("project",):
            raise Unclear(toml.text, name.start)
        toml.add_line(toml.values.get(("project", "version"), name), f'dependencies = ["{requirement}"]')
        return
    if found.items is None or any(item.text is None for item in found.items):
        raise Unclear(toml.text, found.start)
    for item in found.items:
        written = item.text or ""
        named = re.match(r"\s*([A-Za-z0-9._-]+)", written)
        if named and re.sub(r"[-_.]+", "-", named.group(1)).lower() == PACKAGE:
            if ";" in written or "[" in written:
                raise Unclear(toml.text, item.start)
            if written != requirement:
                toml.replace(item, requirement)
            return
    toml.append(found, requirement)


def _require_of_poetry(toml: Toml, version: str) -> None:
    """The exact version in `[tool.poetry.dependencies]`."""
    table = ("tool", "poetry", "dependencies")
    there = toml.values.get((*table, PACKAGE))
    if there is not None and there.text is not None:
        if there.text != version:
            toml.replace(there, version)
        return
    entries = [value for value in toml.below(*table).values() if value.table == table]
    if there is not None or not entries:
        raise Unclear(toml.text, there.start if there else len(toml.text))
    toml.add_line(entries[-1], f'{PACKAGE} = "{version}"')


def _check(before: str, after: str) -> None:
    """Whatever was not to change reads as before: by our own reader, and by Python's where it has one."""
    old, new = Toml(before), Toml(after)
    ours = (PACKAGE, "scripts")
    same = [path for path, value in old.values.items() if value.items is None and not any(key in path for key in ours)]
    unchanged = all(path in new.values and new.values[path].text == old.values[path].text for path in same)
    try:
        import tomllib  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        is_valid = True
    else:
        try:
            is_valid = bool(tomllib.loads(after.lstrip("\ufeff")))
        except tomllib.TOMLDecodeError:
            is_valid = False
    if not unchanged or not is_valid:
        raise Refusal(f"{MANIFEST} is laid out in an unknown way: add dependency and script by hand ({DOCS})")


def read(file: Path) -> Optional[str]:
    """The text of a file, line ends and all; `None` when there is none."""
    try:
        return file.read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise Refusal(f"{file.name} is not UTF-8: save it as UTF-8") from None
    except OSError as error:
        raise Refusal(f"{file.name} cannot be read ({error.strerror}): put that right and run init again") from None
