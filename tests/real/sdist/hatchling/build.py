"""What pip asks of a source archive before it downloads it: the name and the version. Nothing is built.

It stands in for the archive's own build backend, which pip would install first.
"""

from pathlib import Path


def prepare_metadata_for_build_wheel(directory, config_settings=None):
    text = Path("PKG-INFO").read_text(encoding="utf-8")
    said = dict(line.split(": ", 1) for line in text.splitlines() if line.startswith(("Name: ", "Version: ")))
    info = Path(directory, f"{said['Name']}-{said['Version']}.dist-info")
    info.mkdir()
    (info / "METADATA").write_text(text, encoding="utf-8")
    return info.name


def build_wheel(directory, config_settings=None, metadata_directory=None):
    raise NotImplementedError("nothing is built")
