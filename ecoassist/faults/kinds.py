"""The kinds of faults, what is done about each, and which kind a reply or a cell is. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from ecoassist.types import API_OFF, NETWORK_OFF, Access, CellError, CellResult, Fault, FaultKind, Reply

Policy = Literal["repair", "ask", "restart", "failover", "escalate", "stop"]
POLICY: dict[FaultKind, Policy] = {
    "code": "repair",
    "package": "repair",
    "format": "repair",
    "data": "repair",
    "api": "repair",
    "auth": "ask",
    "blocked": "ask",
    "provider": "failover",
    "sandbox": "restart",
    "budget": "stop",
    "refusal": "escalate",
    "interrupted": "stop",
}
"""repair: the same tier goes on with the error in view. ask: only the person can help; without one the tier may find
another way once, and no stronger model is asked. restart: the sandbox is replaced once, then the environment is broken.
failover: the endpoint was asked again already, another tier is next. escalate: another model may do what this one will
not. stop: the money is spent, or the person wants the floor."""

_PACKAGE = frozenset({"ModuleNotFoundError", "PackageNotFoundError"})
_CODE = frozenset({"NameError", "UnboundLocalError", "SyntaxError", "IndentationError", "TabError"})
"""What no call can have caused."""
_LOOKUP = frozenset({"KeyError", "IndexError", "StopIteration", "JSONDecodeError", "EmptyDataError", "XMLSyntaxError"})
_LACKING = re.compile(
    r"'NoneType' object|(?:sequence|iterable argument) is empty|empty (?:sequence|iterable)|"
    r"indices must be integers|Expecting value|at least one data point|No tables found"
)
"""In messages of other exceptions: what was looked for is not in what came."""
_EMPTY = re.compile(
    r"None|null|nan|NaN|NaT|<NA>|\[\]|\{\}|\(\)|set\(\)|\"\"|''|dict_(?:keys|values|items)\(\[\]\)|"
    r"Empty DataFrame|Columns: \[[^\n]*\]|Index: \[\]|Series\(\[\], [^\n]*\)"
)
"""A line that says nothing: Python's, JSON's and pandas' empty things."""
_DETAIL = 4_000
"""Characters of a message that are kept."""
_MODULE = re.compile(r"No module named ['\"]?([\w.-]{1,80})")


def of_reply(reply: Reply) -> Fault | None:
    """The fault of a reply that is not worth reading, or None."""
    if reply.finish == "interrupted":
        return Fault("interrupted")
    if reply.finish == "filter":
        return Fault("refusal", "the provider's content filter stopped the reply")
    return None


def of_cell(result: CellResult) -> Fault | None:
    """The fault of a cell, or None where it did what it could.

    One that ended well has a fault where it made calls and none was answered, or where all it says of what they
    brought is an empty thing. A program that tried several hosts and was answered by one has none.
    """
    match result.status:
        case "interrupted":
            return Fault("interrupted")
        case "gone":
            return Fault("sandbox", result.reason or "the sandbox is gone")
        case "ok":
            return _of_calls(result) or _of_nothing(result)
    error = result.error if result.cause in ("", "exception") else None  # else that of the stop, which says nothing
    detail = f"{error.name}: {error.message}"[:_DETAIL] if error else result.reason or result.status
    if error and error.name in _PACKAGE:
        named = _MODULE.match(error.message)
        return Fault("package", detail, named[1].partition(".")[0] if named else "")
    last = result.accesses[-1] if result.accesses and result.status in ("error", "timeout") else None
    if last is None or (error and error.name in _CODE):
        return Fault("code", detail)
    if not last.answered:  # what ended the cell came after it
        return _of_call(last, detail)
    return Fault("data" if error and _is_lookup(error) else "code", detail)


def key_refused(access: Access) -> bool:
    """Whether an API did not take its key, or asks for one where none is configured.

    A request that carried no key although there is one says nothing about it: that is the code's to mend.
    """
    if not access.api or access.refused:
        return False
    return (access.status in (401, 403) and access.key == "sent") or (access.status == 401 and not access.key)


def _of_calls(result: CellResult) -> Fault | None:
    """Of a cell that ended well: its calls, where none was answered; what only a person can mend goes first."""
    if not result.accesses or any(access.answered for access in result.accesses):
        return None
    return _of_call(min(result.accesses, key=lambda access: _rank(access, result.opened)), "")


def _rank(access: Access, opened: Sequence[str]) -> int:
    kind = _kind(access)
    return 2 if access.host in opened else 0 if kind == "auth" else 1 if kind == "blocked" else 3


def _of_call(access: Access, detail: str) -> Fault:
    """Of a call that was not answered, and of the exception that came after it."""
    kind = _kind(access)
    if access.refused:
        said = f"{access.host}: {access.refused}"
    else:
        said = f"{access.host} answered {access.status}" if access.status else f"{access.host} did not answer"
        said += f": {detail}" if detail else ""
    return Fault(kind, said, (access.api or access.host) if kind == "auth" else access.host)


def _kind(access: Access) -> FaultKind:
    """Of a call that was not answered. What a port or an address has wrong, the code can mend."""
    if access.refused.startswith(API_OFF) or key_refused(access):
        return "auth"
    if access.blocked or access.refused.startswith(NETWORK_OFF):
        return "blocked"
    return "api"


def _of_nothing(result: CellResult) -> Fault | None:
    """Of a cell that was answered: what it printed and its value, where they are nothing. Silence is no fault."""
    said = [line.strip() for text in (result.text, result.value) for line in text.splitlines() if line.strip()]
    if not said or result.files or result.tables or not any(access.answered for access in result.accesses):
        return None
    return Fault("data", f"the calls were answered, and all the cell says is {said[0][:40]}") if _empty(said) else None


def _empty(lines: Sequence[str]) -> bool:
    return all(_EMPTY.fullmatch(line) for line in lines)


def _is_lookup(error: CellError) -> bool:
    return error.name in _LOOKUP or bool(_LACKING.search(error.message[:2_000]))
