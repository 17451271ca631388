"""Names of hosts, as they are known in here: each that is asked for gets an address of its own on the loopback.

Nobody else is asked, so that no name says anything to anyone outside. The gate decides what is behind a name, when
somebody connects to its address.
"""

from __future__ import annotations

import os
import re
import socket
import struct

MOST = 4096
"""Names that are remembered. Whoever asks for more gets them, and the oldest lead nowhere."""
LARGEST = 1232
"""Bytes of a query; more is cut off, and then not well-formed."""
FIRST, COUNT = 0x7F400001, (1 << 22) - 2
"""The addresses: 127.64.0.1 to 127.127.255.254, all of which lead into this container."""
HERE = socket.inet_aton("127.0.0.1")
NAME = re.compile(rb"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*")
"""What the gate takes for a host name, in lower case."""
LONGEST_NAME = 253
HEADER = struct.Struct("!HHHHHH")
"""Of a message: id, flags, number of questions, answers, authorities and additional records."""
RESPONSE, OPCODE, RECURSION = 0x8080, 0x7800, 0x0100
MALFORMED, NO_SUCH_NAME, NOT_IMPLEMENTED, REFUSED = 1, 3, 4, 5
ADDRESS, INTERNET = 1, 1
"""The type and the class of the one kind of record that there is."""
ANSWER = struct.pack("!HHHIH", 0xC00C, ADDRESS, INTERNET, 1, 4)
"""Before the address: the question's name, a record that is good for a second, four bytes."""


class Names:
    """Names and their addresses, those used last at the end."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.addresses: dict[str, int] = {}
        self.names: dict[int, str] = {}
        self.next = 0

    def address(self, name: str) -> bytes:
        """That of a name in lower case. No address gets a second name before all others had one."""
        found = self.addresses.pop(name, 0) or self.free()
        self.addresses[name] = found
        self.names[found] = name
        if len(self.addresses) > self.most:
            del self.names[self.addresses.pop(next(iter(self.addresses)))]
        return found.to_bytes(4, "big")

    def free(self) -> int:
        while (number := FIRST + self.next % COUNT) in self.names:
            self.next += 1
        self.next += 1
        return number

    def name(self, address: str) -> str:
        """What was asked for when `address` was given; empty where nothing was."""
        return self.names.get(int.from_bytes(socket.inet_aton(address), "big"), "")


def answer(query: bytes, names: Names) -> bytes:
    """To a message of the domain name system; empty where none is due. Takes any bytes."""
    if len(query) < HEADER.size or query[2] & 0x80:  # an answer to an answer would be answered in turn
        return b""
    number, flags, questions, *_ = HEADER.unpack_from(query)
    asked = question(query)
    known = b""
    if flags & OPCODE:
        code = NOT_IMPLEMENTED
    elif questions != 1 or asked is None:
        code = MALFORMED
    else:
        name, end = asked
        kind, group = struct.unpack_from("!HH", query, end - 4)
        if group != INTERNET:
            code = REFUSED
        elif not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
            code = NO_SUCH_NAME
        else:
            code = 0
            known = ANSWER + address_of(name.decode(), names) if kind == ADDRESS else b""
    echoed = query[HEADER.size : asked[1]] if asked and questions == 1 else b""
    head = HEADER.pack(number, RESPONSE | flags & (OPCODE | RECURSION) | code, bool(echoed), bool(known), 0, 0)
    return head + echoed + known


def address_of(name: str, names: Names) -> bytes:
    if name == os.uname().nodename or name.rpartition(".")[2] == "localhost":
        return HERE
    return names.address(name)


def question(query: bytes) -> tuple[bytes, int] | None:
    """The name of the first question, in lower case, and where the question ends; None where it is not whole.

    A label that points elsewhere in the message, as only answers have them, is not followed.
    """
    labels, at = [], HEADER.size
    while at < len(query) and query[at]:
        size = query[at]
        if size > 63:
            return None
        labels.append(query[at + 1 : at + 1 + size])
        at += 1 + size
    end = at + 5
    if end > len(query) or at - HEADER.size > 254:
        return None
    # a dot within a label must not pass for the one between two: it makes the name an impossible one
    return b".".join(label.replace(b".", b"?") for label in labels).lower(), end
