# SPDX-License-Identifier: Apache-2.0
"""What a command says: its result on stdout as text or JSON, everything else on stderr, errors as one line.

Errors become a line, a hint and an exit code here, and only here.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from contracts.errors import ExequaturError

_FAULT, _USAGE, _INTERRUPTED = 1, 2, 130


@dataclass(slots=True)
class _Voice:
    """How the command speaks, set once from the options before the command's name."""

    verbose: bool = False
    log_json: bool = False


_voice = _Voice()


def speak(*, verbose: bool, log_json: bool) -> None:
    """Set how errors and logs are written, from the options of `exequatur` itself."""
    _voice.verbose, _voice.log_json = verbose, log_json


def show(result: Mapping[str, object], as_json: bool) -> None:
    """Print a command's result: aligned lines for people, one object for programs."""
    if as_json:
        print(json.dumps(result, default=_plain), flush=True)
    else:
        print("\n".join(_lines(result, "")) if result else "nothing", flush=True)


def line(value: Mapping[str, object]) -> None:
    """Print one JSON object on one line, as streams do."""
    print(json.dumps(value, default=_plain), flush=True)


def note(text: str) -> None:
    """Say something that is not the result."""
    print(text, file=sys.stderr, flush=True)


def instant(seconds: int) -> str:
    """Unix seconds as RFC 3339 in UTC."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def progress(text: str) -> None:
    """Say how far a command is, to people only."""
    if sys.stderr.isatty():
        note(text)


def bar(label: str) -> Callable[[int, int], None]:
    """A progress bar over bytes, as a function of done and total; silent unless stderr is a terminal."""
    if not sys.stderr.isatty():
        return lambda *_: None

    def draw(done: int, total: int) -> None:
        filled = 30 * done // total if total else 30
        end = "\n" if done >= total else ""
        print(f"\r{label} [{'#' * filled:<30}] {done >> 20} MiB", end=end, file=sys.stderr, flush=True)

    return draw


@contextmanager
def reporting(as_json: bool = False) -> Iterator[None]:
    """Turn whatever a command raises into a line, a hint and an exit code; no traceback unless `-v`."""
    from contracts.errors import ExequaturError

    if _voice.verbose or _voice.log_json:
        start_logs()
    try:
        yield
    except (typer.Exit, typer.Abort, typer.TyperException):
        raise
    except KeyboardInterrupt as interrupt:
        raise typer.Exit(_INTERRUPTED) from interrupt
    except ExequaturError as error:
        _say_error(error, as_json)
        raise typer.Exit(int(error.code)) from error
    except BrokenPipeError as closed:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whoever read us left, and Python flushes again at exit
        raise typer.Exit(_FAULT) from closed
    except OSError as error:
        what, where = error.strerror or str(error), str(error.filename or "")
        _say(_failure(_USAGE, type(error).__name__, what, where), as_json)
        raise typer.Exit(_USAGE) from error
    except Exception as error:  # a fault of ours is told as one: no traceback, exit code 1
        _say_fault(error, as_json)
        raise typer.Exit(_FAULT) from error


def usage(error: Exception, code: int, as_json: bool) -> None:
    """Print a wrong option or argument, found before any command ran."""
    shown = getattr(error, "format_message", lambda: str(error))()
    if as_json:
        _say(_failure(code, "Usage", shown, "", "add --help to the command"), as_json)
    else:
        context = getattr(error, "ctx", None)
        prefix = "" if context is None else f"{context.get_usage()}\n"
        help_only = type(error).__name__ == "NoArgsIsHelpError"
        note(shown if help_only else f"{prefix}error: {shown}")


def start_logs() -> None:
    """Log to stderr as the options say; roles that run for long call this, other commands only when asked to."""
    import logging

    from registry.logs import setup

    setup(json=_voice.log_json, verbose=_voice.verbose)
    logging.getLogger("exequatur").setLevel(logging.DEBUG if _voice.verbose else logging.INFO)


def _failure(
    code: int, kind: str, what: str, where: str = "", hint: str = "", reasons: Sequence[str] = ()
) -> dict[str, object]:
    return {
        "code": code,
        "type": kind,
        "what": what,
        "where": where,
        "hint": hint,
        "reasons": list(reasons),
    }


def _say_error(error: "ExequaturError", as_json: bool) -> None:
    _traceback()
    failure = _failure(
        int(error.code), type(error).__name__, error.what, error.where, error.hint, error.reasons
    )
    _say(failure, as_json)


def _say_fault(error: Exception, as_json: bool) -> None:
    _traceback()
    hint = "this is a fault of ours; run again with `exequatur -v` to see where"
    _say(_failure(_FAULT, type(error).__name__, f"{type(error).__name__}: {error}", "", hint), as_json)


def _say(failure: dict[str, object], as_json: bool) -> None:
    if as_json:
        line({"error": failure})
        return
    where = f"{failure['where']}: " if failure["where"] else ""
    note(f"error: {where}{failure['what']}")
    if failure["hint"]:
        note(f"hint: {failure['hint']}")


def _traceback() -> None:
    if _voice.verbose:
        import traceback

        traceback.print_exc()


def _plain(value: object) -> object:
    if isinstance(value, bytes) and type(value).__str__ is bytes.__str__:
        raise TypeError("bytes without a name are never printed")
    return str(value)


def _lines(result: Mapping[str, object], indent: str) -> Iterator[str]:
    width = max(map(len, result), default=0)
    for key, value in result.items():
        name = f"{indent}{key.replace('_', ' '):<{width}}  "
        if isinstance(value, Mapping):
            yield name.rstrip()
            yield from _lines(value, indent + "  ")
        elif isinstance(value, list | tuple):
            yield from _items(name, value, indent)
        else:
            yield name + _word(value)


def _items(name: str, values: Sequence[object], indent: str) -> Iterator[str]:
    if not values:
        yield name + "none"
        return
    yield name.rstrip()
    for value in values:
        if isinstance(value, Mapping):
            shown = (f"{name.replace('_', ' ')} {_word(part)}" for name, part in value.items())
            yield indent + "  " + "  ".join(shown)
        else:
            yield indent + "  " + _word(value)


def _word(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ",".join(map(_word, value)) or "-"
    return str(_plain(value)) if isinstance(value, bytes) else str(value)
