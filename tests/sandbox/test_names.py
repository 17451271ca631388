"""Names in the sandbox: whatever is asked, the answer is small, quick and known to nobody outside."""

from __future__ import annotations

import os
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.relay.names import COUNT, FIRST, LARGEST, Names, answer

HEAD = struct.Struct("!HHHHHH")
LDH = "abcdefghijklmnopqrstuvwxyz0123456789"
labels = st.text(LDH, min_size=1, max_size=63)


def query(
    name: str, kind: int = 1, *, flags: int = 0x0100, group: int = 1, questions: int = 1, more: bytes = b""
) -> bytes:
    labels = [label.encode() for label in name.split(".")] if name else []
    written = b"".join(bytes([len(label)]) + label for label in labels)
    return HEAD.pack(7, flags, questions, 0, 0, 0) + written + b"\0" + struct.pack("!HH", kind, group) + more


def code(reply: bytes) -> int:
    return reply[3] & 0x0F


def address(reply: bytes) -> str:
    assert HEAD.unpack_from(reply)[3] == 1
    return socket.inet_ntoa(reply[-4:])


def test_each_name_has_an_address_of_its_own_and_keeps_it() -> None:
    names = Names()
    one, other = (address(answer(query(name), names)) for name in ("api.example.com", "b.example.com"))
    assert one != other
    assert address(answer(query("API.Example.Com"), names)) == one
    assert (names.name(one), names.name(other), names.name("127.0.0.1")) == ("api.example.com", "b.example.com", "")


def test_an_answer_is_the_question_with_an_address() -> None:
    asked = query("a.example", more=b"\0\0\x29\x04\xd0\0\0\0\0\0\0")  # with what glibc adds
    reply = answer(asked, Names())
    assert HEAD.unpack_from(reply) == (7, 0x8180, 1, 1, 0, 0)
    assert reply[12:].startswith(query("a.example")[12:])
    assert reply[-16:-4] == b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4"


@pytest.mark.parametrize("kind", [28, 5, 12, 15, 16, 33, 65, 252, 255])
def test_there_are_no_records_but_addresses(kind: int) -> None:
    names = Names()
    reply = answer(query("a.example", kind), names)
    assert (code(reply), HEAD.unpack_from(reply)[2:]) == (0, (1, 0, 0, 0))
    assert names.addresses == {}


def test_this_machine_is_where_it_always_is() -> None:
    names = Names()
    for name in ("localhost", "app.localhost", os.uname().nodename.lower()):
        if "." not in os.uname().nodename or name.endswith("localhost"):
            assert address(answer(query(name), names)) == "127.0.0.1"
    assert names.addresses == {}


@pytest.mark.parametrize("name", ["", "a b.example", "-a.example", "a-.example", "ü.example", "a\0.example"])
def test_what_is_no_host_name_does_not_exist(name: str) -> None:
    names = Names()
    assert code(answer(query(name), names)) == 3
    assert names.addresses == {}


def test_a_dot_inside_a_label_is_not_the_one_between_labels() -> None:
    asked = HEAD.pack(7, 0, 1, 0, 0, 0) + b"\x09a.example\0" + struct.pack("!HH", 1, 1)
    assert code(answer(asked, Names())) == 3


def test_what_is_no_question_gets_no_answer_or_a_refusal() -> None:
    names = Names()
    assert answer(query("a.example", flags=0x8180), names) == b""  # two that answer answers would never end
    assert answer(query("a.example")[:11], names) == b""
    assert code(answer(query("a.example", flags=0x2800), names)) == 4  # an update
    assert code(answer(query("a.example", group=3), names)) == 5
    assert code(answer(query("a.example", questions=2), names)) == 1
    assert code(answer(query("a.example", questions=0), names)) == 1
    assert code(answer(query("a.example")[:-1], names)) == 1
    assert code(answer(HEAD.pack(7, 0, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1", names)) == 1  # points at itself
    assert code(answer(HEAD.pack(7, 0, 1, 0, 0, 0) + b"\x3fa" * 500, names)) == 1
    assert names.addresses == {}


def test_ten_thousand_names_take_no_more_room_than_four_thousand() -> None:
    names = Names()
    kept = address(answer(query("kept.example"), names))
    given = set()
    for number in range(10_000):
        given.add(address(answer(query(f"n{number}.example"), names)))
        if number % 1000 == 0:
            assert address(answer(query("kept.example"), names)) == kept  # who is asked for is not forgotten
    assert len(given) == 10_000
    assert len(names.addresses) == len(names.names) == names.most
    assert names.name(kept) == "kept.example"
    forgotten = address(answer(query("n9999.example"), names))
    for number in range(names.most):
        answer(query(f"m{number}.example"), names)
    assert names.name(forgotten) == ""


def test_addresses_begin_again_after_the_last_and_pass_over_those_in_use() -> None:
    names = Names(most=3)
    first = names.address("a.example")
    names.next = COUNT - 1
    last = int.from_bytes(names.address("b.example"), "big")
    assert last == FIRST + COUNT - 1
    assert socket.inet_ntoa(last.to_bytes(4, "big")) == "127.127.255.254"
    names.address("a.example")
    assert int.from_bytes(names.address("c.example"), "big") == int.from_bytes(first, "big") + 1


@given(
    st.binary(max_size=LARGEST) | st.builds(lambda a, b: query("a.example")[:a] + b, st.integers(0, 27), st.binary())
)
def test_any_bytes_get_a_small_answer_or_none(data: bytes) -> None:
    names = Names(most=4)
    reply = answer(data, names)
    assert len(reply) <= len(data) + 16
    if reply:
        assert reply[:2] == data[:2]
        assert reply[2] & 0x80
        assert answer(reply, names) == b""
    assert len(names.addresses) <= 1


@given(st.lists(st.lists(labels, min_size=1, max_size=3), max_size=30))
def test_names_and_addresses_stay_one_to_one(asked: list[list[str]]) -> None:
    names = Names(most=5)
    for parts in asked:
        name = ".".join(parts)
        reply = answer(query(name), names)
        if name not in (os.uname().nodename, "localhost") and parts[-1] != "localhost":
            assert names.name(address(reply)) == name
        assert {names.names[number] for number in names.addresses.values()} == set(names.addresses)
        assert len(names.names) == len(names.addresses) <= 5
