# SPDX-License-Identifier: Apache-2.0
"""Standard logging to stderr, as text or JSON lines, that never writes a bytes value: one could be a key."""

import json as _json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from contracts.ids import FixedBytes

_HANDLER = "exequatur"
_REFUSED = "<bytes>"
_ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def setup(json: bool = False, verbose: bool = False) -> None:
    """Send log records to stderr; warnings and worse, or with `verbose` everything of ours."""
    handler = logging.StreamHandler(sys.stderr)
    handler.set_name(_HANDLER)
    handler.addFilter(without_bytes)
    handler.setFormatter(
        _JsonLines() if json else logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    root = logging.getLogger()
    for old in [h for h in root.handlers if h.get_name() == _HANDLER]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("exequatur").setLevel(logging.DEBUG if verbose else logging.INFO)


def without_bytes(record: logging.LogRecord) -> bool:
    """A logging filter that replaces every bytes value; identifiers of the protocol stay."""
    record.msg = _safe(record.msg)
    if isinstance(record.args, Mapping):
        record.args = {key: _safe(value) for key, value in record.args.items()}
    elif record.args:
        record.args = tuple(map(_safe, record.args))
    for name in set(vars(record)) - _ORDINARY:
        setattr(record, name, _safe(getattr(record, name)))
    return True


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= {name: value for name, value in vars(record).items() if name not in _ORDINARY}
        if record.exc_info and record.exc_info[0]:
            entry["error"] = record.exc_info[0].__name__
        return _json.dumps(entry, default=str)


def _safe(value: object) -> object:
    if isinstance(value, FixedBytes):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return _REFUSED
    if isinstance(value, Mapping):
        return {key: _safe(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_safe(inner) for inner in value]
    return value
