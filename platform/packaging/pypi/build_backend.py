"""Makes wheels and an sdist of this directory; what pip runs when there is no wheel for a machine.

One rule: nothing is downloaded, and a missing binary is no error. Without MCPPROXY_BINARY the wheel has none, and servers
run without telemetry; a user's installation of somebody's server must not fail because of it.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import os
import sys
import sysconfig
import tarfile
import time
import zipfile
from typing import Dict, List, Optional

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = "mcpproxy_tap"
VARIABLE = "MCPPROXY_BINARY"
WITHOUT = (
    "mcpproxy-tap: there is no binary in this wheel, so servers run without telemetry. To bring one: "
    f"{VARIABLE}=/path/to/mcpproxy pip install --no-cache-dir --force-reinstall --no-binary mcpproxy-tap mcpproxy-tap"
)
LICENSES = ("LICENSE-APACHE", "LICENSE-MIT")
# A command for maintainers, as `npx @mcpproxy/tap` is one.
ENTRY_POINTS = f"[console_scripts]\nmcpproxy-tap = {PACKAGE}.__main__:main\n"
# The first moment that a zip can tell.
EPOCH = 315532800
EXECUTABLE = 0o755
PLAIN = 0o644


# The hooks of PEP 517.


def build_wheel(
    wheel_directory: str, config_settings: Optional[Dict[str, str]] = None, metadata_directory: Optional[str] = None
) -> str:
    binary = os.environ.get(VARIABLE)
    if not binary:
        print(WITHOUT, file=sys.stderr)
        return wheel(HERE, wheel_directory, "any", None)
    if not os.path.isfile(binary):
        sys.exit(f"mcpproxy-tap: {VARIABLE} names no file: {binary}")
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    return wheel(HERE, wheel_directory, platform, binary)


def build_sdist(sdist_directory: str, config_settings: Optional[Dict[str, str]] = None) -> str:
    return sdist(HERE, sdist_directory)


# What they, and scripts/pypi-packages, are made of. A source is an unpacked sdist.


def wheel(source: str, out: str, platforms: str, binary: Optional[str]) -> str:
    """Writes a wheel for these platform tags, joined by dots; its name."""
    metadata = _read(os.path.join(source, "PKG-INFO"))
    version = _version(metadata)
    info = f"{PACKAGE}-{version}.dist-info"
    tags = "".join(f"Tag: py3-none-{platform}\n" for platform in platforms.split("."))
    about = f"Wheel-Version: 1.0\nGenerator: {PACKAGE} {version}\nRoot-Is-Purelib: {str(binary is None).lower()}\n{tags}"
    entries = {f"{PACKAGE}/{name}": _read(os.path.join(source, PACKAGE, name)) for name in package_files(source)}
    executable = None
    if binary is not None:
        executable = f"{PACKAGE}/bin/mcpproxy{'.exe' if platforms.startswith('win') else ''}"
        entries[executable] = _read(binary)
    entries[f"{info}/METADATA"] = metadata
    entries[f"{info}/WHEEL"] = about.encode()
    entries[f"{info}/entry_points.txt"] = ENTRY_POINTS.encode()
    for name in LICENSES:
        entries[f"{info}/licenses/{name}"] = _read(os.path.join(source, name))
    record = "".join(f"{name},sha256={_digest(content)},{len(content)}\n" for name, content in entries.items())
    entries[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()

    name = f"{PACKAGE}-{version}-py3-none-{platforms}.whl"
    moment = time.gmtime(max(_epoch(), EPOCH))[:6]
    with zipfile.ZipFile(os.path.join(out, name), "w") as archive:
        for path, content in entries.items():
            entry = zipfile.ZipInfo(path, moment)
            # Unix, whatever this machine is: installers take the mode from there.
            entry.create_system = 3
            entry.external_attr = (0o100000 | (EXECUTABLE if path == executable else PLAIN)) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content, compresslevel=9)
    return name


def sdist(source: str, out: str) -> str:
    """Writes the source archive; its name."""
    base = f"{PACKAGE}-{_version(_read(os.path.join(source, 'PKG-INFO')))}"
    names = ["PKG-INFO", "README.md", "build_backend.py", "pyproject.toml", *LICENSES]
    names += [f"{PACKAGE}/{name}" for name in package_files(source)]
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(names):
            content = _read(os.path.join(source, name))
            entry = tarfile.TarInfo(f"{base}/{name}")
            entry.size, entry.mtime, entry.mode = len(content), _epoch(), PLAIN
            archive.addfile(entry, io.BytesIO(content))
    with open(os.path.join(out, f"{base}.tar.gz"), "wb") as raw:
        with gzip.GzipFile("", "wb", 9, raw, mtime=_epoch()) as packed:
            packed.write(plain.getvalue())
    return f"{base}.tar.gz"


def package_files(source: str) -> List[str]:
    """The files of the package itself, without what running it leaves there."""
    names = os.listdir(os.path.join(source, PACKAGE))
    return sorted(name for name in names if name.endswith((".py", ".typed", ".in")))


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _version(metadata: bytes) -> str:
    for line in metadata.decode().splitlines():
        if line.startswith("Version: "):
            return line[len("Version: ") :]
    raise ValueError("PKG-INFO names no version")


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _epoch() -> int:
    return int(os.environ.get("SOURCE_DATE_EPOCH") or EPOCH)
