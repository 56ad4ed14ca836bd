"""Whether the environment objects to telemetry, by the rules of the binary (its src/consent/rules.rs).

One rule: on doubt it objects. Configurations and the environments of parent processes are looked at by the binary.
"""

from __future__ import annotations

from typing import Callable, Mapping, Optional


def _do_not_track(value: str) -> bool:
    """To the letter, as the convention has it: ``FALSE`` or a blank is not ``0`` or ``false``."""
    return value not in ("", "0", "false")


def _telemetry(value: str) -> bool:
    return value.strip().lower() not in ("", "true", "1", "on", "yes")


def _near_name(value: str) -> bool:
    """A name that nothing documents, but whose meaning is plain."""
    return value.strip().lower() not in ("", "0", "false", "no", "off")


_RULES: Mapping[str, Callable[[str], bool]] = {
    "DO_NOT_TRACK": _do_not_track,
    "MCPPROXY_TELEMETRY": _telemetry,
    "MCPPROXY_TELEMETRY_DISABLED": _near_name,
    "MCPPROXY_DO_NOT_TRACK": _near_name,
}


def objection(environ: Mapping[str, str]) -> Optional[str]:
    """The name of the first variable that objects."""
    for name, objects in _RULES.items():
        if name in environ and objects(environ[name]):
            return name
    return None
