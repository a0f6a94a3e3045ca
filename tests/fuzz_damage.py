"""How `fuzz.py` damages files: bytes, JSON, text, databases."""

from __future__ import annotations

import contextlib
import copy
import json
import random
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

_NUMBERS = (0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**400, 0.5, -0.0, 1e308, 1e-320)
_ODD = (
    *_NUMBERS,
    *(float("nan"), float("inf"), None, True, [], {}, [[]], "", "0", "\x00", "../../x", "é\ud800"),
    *("64x64", "0x0", "-1x4", "a" * 5000, {"path": "/dev/null"}, [None], [1, 2, 3], "nan"),
)
_BYTES = (0, 1, 0x7F, 0x80, 0xFF)


class Reader(NamedTuple):
    """Something that reads.

    Attributes:
        seeds: Right files, by name: the suffix counts.
        read: Reads one, as the program does.
        damage: Makes a wrong file of a right one.
    """

    seeds: dict[str, bytes]
    read: Callable[[Path], object]
    damage: Callable[[bytes, random.Random], bytes]


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Bytes of which a few are changed, or a part is gone, repeated or foreign."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        if not data:
            return bytes(data)
        start = chance.randrange(len(data))
        if chance.random() < 0.3:  # headers are where formats are decided
            start = chance.randrange(min(len(data), 256))
        length = min(chance.choice((1, 2, 4, 16, 256)), len(data) - start)
        match chance.randrange(7):
            case 0:
                data[start] ^= 1 << chance.randrange(8)
            case 1:
                data[start] = chance.choice(_BYTES)
            case 2:
                data[start : start + length] = bytes([chance.choice(_BYTES)]) * length
            case 3:
                data[start : start + length] = chance.randbytes(length)
            case 4:
                del data[start : start + length]
            case 5:
                data[start:start] = data[start : start + length] * chance.choice((1, 2, 64))
            case 6 if chance.random() < 0.2:
                del data[start:]
    return bytes(data)


def damaged_json(content: bytes, chance: random.Random) -> bytes:
    """JSON with some values replaced, gone or renamed; sometimes no JSON any more."""
    if chance.random() < 0.15:
        return damaged(content, chance)
    if chance.random() < 0.02:
        return b"[" * 100_000
    value = json.loads(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        value = _altered(value, chance)
    return json.dumps(value).encode()


def _altered(value: Any, chance: random.Random) -> Any:
    """A value in which one place, anywhere, is another."""
    value = copy.deepcopy(value)
    places = list(_places(value))
    if not places:
        return chance.choice(_ODD)
    inside, key = chance.choice(places)
    match chance.randrange(6):
        case 0:
            del inside[key]
        case 1 if isinstance(inside, dict):
            inside[chance.choice(("", "format", "grid", "later"))] = inside.pop(key)
        case 2:
            other, there = chance.choice(places)
            if there in (other if isinstance(other, dict) else range(len(other))):
                inside[key] = copy.deepcopy(other[there])
        case _:
            inside[key] = copy.deepcopy(chance.choice(_ODD))
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys: Any = list(value) if isinstance(value, dict) else ()
    if isinstance(value, list):
        keys = range(len(value))
    for key in keys:
        yield value, key
        yield from _places(value[key])


def damaged_text(content: bytes, chance: random.Random) -> bytes:
    """A text with marks of the syntax strewn in, cut out and repeated."""
    text = content.decode()
    for _ in range(chance.choice((1, 2, 5, 20))):
        at = chance.randrange(len(text) + 1)
        match chance.randrange(4):
            case 0:
                marks = ("(", ")", "[", "]", "|", ":", "\\", " AND ", "@", "-", ":1e999", ":nan")
                text = text[:at] + chance.choice((*marks, ":-1", "٣", "\x00", "🐢")) + text[at:]
            case 1:
                text = text[:at] + text[at + chance.randrange(4) :]
            case 2:
                text = text[:at] + text[at : at + 9] * chance.choice((2, 300)) + text[at:]
            case 3:
                text = text[at:] + text[:at]
    return text.encode("utf-8", "surrogatepass")


def damaged_database(content: bytes, chance: random.Random) -> bytes:
    """A SQLite file whose bytes, tables or values are others."""
    if chance.random() < 0.4:
        return damaged(content, chance)
    base = sqlite3.connect(":memory:")
    base.deserialize(content)
    tables = [name for (name,) in base.execute("select name from sqlite_master where type='table'")]
    table = chance.choice(tables)
    columns = [row[1] for row in base.execute(f"pragma table_info({table})")]
    column, other = chance.choice(columns), chance.choice(tables)
    value = chance.choice(("null", "-1", "'x'", "x'00'", "1e999", "9223372036854775807"))
    with contextlib.suppress(sqlite3.Error):  # what SQLite itself refuses is no damage
        base.executescript(
            chance.choice(
                (
                    f"drop table {table}",
                    f"delete from {table}",
                    f"update {table} set {column} = {value}",
                    f"alter table {table} rename column {column} to other",
                    f"alter table {table} add column other",
                    f"drop table {table}; create view {table} as select * from {other}",
                    f"drop table {table}; create table {table} (key text, other text)",
                    f"pragma application_id = {chance.randrange(2**31)}",
                    f"create trigger t after insert on {table} begin select raise(fail, ''); end",
                )
            )
        )
    changed = base.serialize()
    base.close()
    return bytes(changed)
