"""Where things stand in a TOML file, so that one of them can be changed in place.

One rule: pure, and no byte changes but those of an edit; text that is not understood is an error, never a guess.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Tuple

Path = Tuple[str, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"[ \t]*")
_BLANKS = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SCALAR = re.compile(r"[^\s,\]}#\"'\[{][^,\]}#\"'\n]*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|' r"'''.*?'{3,5}|" r'"(?:[^"\\\n]|\\.)*"|' r"'[^'\n]*'", re.DOTALL
)


class Unclear(Exception):
    """The text cannot be read here."""

    def __init__(self, text: str, at: int) -> None:
        super().__init__(f"line {text.count(chr(10), 0, at) + 1}")


@dataclass
class Value:
    """A value and where it stands; of an array also its items."""

    start: int
    end: int
    table: Path = ()
    text: Optional[str] = None
    items: Optional[List["Value"]] = None


@dataclass
class Toml:
    """A file, with every value under its full path, and the edits that are made to it."""

    text: str
    values: Dict[Path, Value] = field(default_factory=dict)
    tables: List[Path] = field(default_factory=list)
    edits: List[Tuple[int, int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.newline = "\r\n" if "\r\n" in self.text else "\n"
        self._read()

    def string(self, *path: str) -> Optional[str]:
        """The string at this path."""
        found = self.values.get(path)
        return found.text if found else None

    def strings(self, *path: str) -> List[str]:
        """The strings of the array at this path."""
        found = self.values.get(path)
        return [item.text for item in (found.items or []) if item.text is not None] if found else []

    def below(self, *path: str) -> Dict[str, Value]:
        """The values one step below a path, by their last key."""
        depth = len(path)
        return {key[-1]: value for key, value in self.values.items() if key[:depth] == path and len(key) == depth + 1}

    def has(self, *path: str) -> bool:
        """Whether anything stands at or below a path."""
        return any(key[: len(path)] == path for key in [*self.values, *self.tables])

    def replace(self, value: Value, text: str) -> None:
        """Puts another string in the place of one, in the same quotes."""
        quote = self.text[value.start]
        if self.text.startswith(quote * 3, value.start):
            raise Unclear(self.text, value.start)
        self.edits.append((value.start, value.end, f"{quote}{text}{quote}"))

    def append(self, array: Value, text: str) -> None:
        """Adds a string to an array, laid out as the array is."""
        items = array.items or []
        if not items:
            self.edits.append((array.start + 1, array.start + 1, f'"{text}"'))
            return
        last = items[-1]
        item = f'{self.text[last.start]}{text}{self.text[last.start]}'
        after = _BLANKS.match(self.text, last.end)
        assert after
        comma = after.end() if self.text[after.end()] == "," else None
        line = self.text.rfind("\n", 0, last.start) + 1
        if line <= array.start:
            at, added = (last.end, f", {item}") if comma is None else (comma + 1, f" {item},")
            self.edits.append((at, at, added))
            return
        # What stands behind the last item on its line, a comment perhaps, stays there.
        end = _line_end(self.text, last.end if comma is None else comma)
        lead = self.newline + _indent(self.text, line)
        if comma is None:
            self.edits.append((last.end, last.end, ","))
            at = last.end if end >= array.end else end
            self.edits.append((at, at, lead + item))
        else:
            at = comma + 1 if end >= array.end else end
            self.edits.append((at, at, f"{lead}{item},"))

    def add_line(self, after: Value, line: str) -> None:
        """Adds a line behind that of a value, in its table."""
        end = _line_end(self.text, after.end)
        indent = _indent(self.text, self.text.rfind("\n", 0, after.start) + 1)
        self.edits.append((end, end, f"{self.newline}{indent}{line}"))

    def edited(self) -> str:
        """The edited text; edits at one place keep their order."""
        text = self.text
        for start, end, new in reversed(sorted(self.edits, key=lambda edit: edit[0])):
            text = text[:start] + new + text[end:]
        return text

    def _read(self) -> None:
        at, arrays = 1 if self.text.startswith("\ufeff") else 0, 0
        table: Path = ()
        while True:
            at = _past(_BLANKS, self.text, at)
            if at == len(self.text):
                return
            if self.text[at] == "[":
                double = self.text.startswith("[[", at)
                table, at = self._key(at + 1 + double)
                at = self._expect("]]" if double else "]", at)
                if double:
                    # Each of them is a table of its own.
                    arrays += 1
                    table += (f"#{arrays}",)
                self.tables.append(table)
            else:
                at = self._member(at, table, table)
            at = _past(_BLANK, self.text, at)
            if at < len(self.text) and self.text[at] not in "\r\n#":
                raise Unclear(self.text, at)

    def _key(self, at: int) -> Tuple[Path, int]:
        path: Path = ()
        while True:
            at = _past(_BLANK, self.text, at)
            found = _STRING.match(self.text, at) or _BARE.match(self.text, at)
            if not found:
                raise Unclear(self.text, at)
            path += (_unquoted(found.group(), self.text, at),)
            at = _past(_BLANK, self.text, found.end())
            if self.text[at : at + 1] != ".":
                return path, at
            at += 1

    def _member(self, at: int, prefix: Path, table: Path) -> int:
        key, at = self._key(at)
        at = _past(_BLANK, self.text, self._expect("=", at))
        path = prefix + key
        if path in self.values:
            raise Unclear(self.text, at)
        value = self._value(at, path)
        value.table = table
        self.values[path] = value
        return value.end

    def _value(self, at: int, path: Path) -> Value:
        opened = self.text[at : at + 1]
        string = _STRING.match(self.text, at)
        if string:
            return Value(at, string.end(), text=_unquoted(string.group(), self.text, at))
        if opened == "[":
            return self._array(at, path)
        if opened == "{":
            return Value(at, self._inline(at, path))
        scalar = _SCALAR.match(self.text, at)
        if not scalar:
            raise Unclear(self.text, at)
        return Value(at, at + len(scalar.group().rstrip()))

    def _array(self, start: int, path: Path) -> Value:
        items: List[Value] = []
        at = _past(_BLANKS, self.text, start + 1)
        while self.text[at : at + 1] != "]":
            items.append(self._value(at, path + (f"#{len(items)}",)))
            at = _past(_BLANKS, self.text, items[-1].end)
            if self.text[at : at + 1] == ",":
                at = _past(_BLANKS, self.text, at + 1)
            elif self.text[at : at + 1] != "]":
                raise Unclear(self.text, at)
        return Value(start, at + 1, items=items)

    def _inline(self, start: int, path: Path) -> int:
        at = _past(_BLANKS, self.text, start + 1)
        while self.text[at : at + 1] != "}":
            at = _past(_BLANKS, self.text, self._member(at, path, ()))
            if self.text[at : at + 1] == ",":
                at = _past(_BLANKS, self.text, at + 1)
            elif self.text[at : at + 1] != "}":
                raise Unclear(self.text, at)
        return at + 1

    def _expect(self, word: str, at: int) -> int:
        if not self.text.startswith(word, at):
            raise Unclear(self.text, at)
        return at + len(word)


def _past(pattern: "re.Pattern[str]", text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _line_end(text: str, at: int) -> int:
    """Where the line ends, before its line end."""
    end = text.find("\n", at)
    end = len(text) if end < 0 else end
    return end - 1 if text[end - 1 : end] == "\r" else end


def _indent(text: str, line: int) -> str:
    found = _BLANK.match(text, line)
    return found.group() if found else ""


def _unquoted(text: str, whole: str, at: int) -> str:
    if text[0] not in "\"'":
        return text
    if text.startswith(('"""', "'''")):
        return text[3:-3]
    if text[0] == "'":
        return text[1:-1]
    try:
        return str(json.loads(text, strict=False))
    except ValueError:
        raise Unclear(whole, at) from None
