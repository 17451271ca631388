"""Where a team's database is: a connection string, read here, so that no part of a password ends up elsewhere. Pure."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from ecoassist.errors import EnvironmentFault

SCHEMES = ("postgresql", "postgres")
PORT = "5432"
FORM = "postgresql://USER:PASSWORD@HOST/DATABASE"


@dataclass(frozen=True, slots=True)
class Address:
    parameters: dict[str, str]
    """As libpq names them."""
    password: str
    """Empty: none."""

    def __repr__(self) -> str:
        return f"Address({self.shown})"  # a password must not reach a traceback or a log

    @property
    def shown(self) -> str:
        """For the person: without the password."""
        named = self.parameters
        user = f"{named['user']}@" if "user" in named else ""
        return f"{user}{named.get('host', '')}/{named.get('dbname', '')}"


def parsed(text: str) -> Address:
    """What a connection string says. Raises EnvironmentFault, which quotes nothing of it."""
    try:
        parts = urlsplit(text.strip())
        who, _, where = parts.netloc.rpartition("@")
        user, _, password = who.partition(":")
        host, port = _place(where)
        named = {"host": host, "port": port, "dbname": _name(parts.path), "user": unquote(user)}
        options = parse_qsl(parts.query, strict_parsing=bool(parts.query))
    except ValueError:
        raise _unreadable() from None
    if parts.scheme not in SCHEMES or parts.fragment:
        raise _unreadable()
    parameters = {name: value for name, value in named.items() if value} | dict(options)
    if any(not value.isprintable() for value in (*parameters.values(), unquote(password))):
        raise _unreadable()
    secret = parameters.get("password") or unquote(password)
    # all of this is stated even where it is empty: what another program's variables hold is not for this server, and
    # they must not say to which server the password goes, nor whether anybody can listen in
    parameters["password"] = secret
    local = "service" not in parameters and _local(parameters.get("hostaddr") or parameters.get("host", ""))
    parameters.setdefault("sslmode", "prefer" if local else "require")
    if "service" not in parameters:
        parameters = {"host": "", "hostaddr": "", "port": PORT} | parameters
    return Address(parameters, secret)


def passwords(text: str) -> tuple[str, ...]:
    """Those in a connection string, for whoever keeps secrets out of texts: as it is meant, and as it is written."""
    written = text.rpartition("@")[0].partition("://")[2].partition(":")[2]
    with suppress(EnvironmentFault):
        return tuple(dict.fromkeys(filter(None, (parsed(text).password, written))))
    return (written,) if written else ()


def _place(where: str) -> tuple[str, str]:
    """Host and port. Raises ValueError."""
    host, colon, port = where.rpartition(":") if not where.endswith("]") else (where, "", "")
    if not colon:
        host, port = where, ""
    if port and not port.isdecimal():
        raise ValueError
    return unquote(host.strip("[]")), port


def _name(path: str) -> str:
    """The database. Raises ValueError for what is more likely the rest of a password with a "/" in it."""
    if "@" in path or "/" in path[1:]:
        raise ValueError
    return unquote(path[1:])


def _local(host: str) -> bool:
    """Whether no network lies between: a socket of this machine, or its loopback."""
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _unreadable() -> EnvironmentFault:
    return EnvironmentFault(
        "its connection string cannot be read",
        f"write it as {FORM}, with %40 for @, %2F for / and %3A for : in the password",
    )
