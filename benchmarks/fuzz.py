"""Hostile data for whatever reads what the sandbox sends: `python -m benchmarks.fuzz [--seconds 60] [--seed N]`.

Each part has its share of the time. An exception that is not of the parser's own kind ends the run at once, with the
seed that repeats it; a hang shows as the worst case, growth as memory.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import json
import random
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ecoassist.errors import NoSandbox
from ecoassist.kernel.cell.client import _message, _said
from ecoassist.kernel.cell.zmtp import Received
from ecoassist.kernel.displays.rich import shown
from ecoassist.kernel.link.frames import FROM_PEER, HEADER, Attached, Frames, Violation, exit_of, started_of, window_of
from ecoassist.kernel.link.mux import Mux
from ecoassist.kernel.link.transfer import fit, listed

from .common import Figure, report

THEIRS = 0x80000000
WORDS = [
    b"", b"{}", b"[]", b"null", b"ok", b"proxy", b'[["a", 1, 2]]', b'[["../a", -1, 1e999]]',
    b'{"code": 0, "oom": false}',
    b'{"error": "\\ud800"}', b'{"facts": {"cpus": NaN}}', b"\0\0\0\1", b"[" * 9000, b"9" * 9000, bytes(65536),
]  # fmt: skip
KINDS = ["stream", "display_data", "execute_result", "error", "execute_input", "status", "\ud800", 7, None, []]
FIELDS = ["name", "text", "data", "text/plain", "text/html", "image/png", "image/svg+xml", "application/json", "ename",
          "traceback", "execution_state", "msg_type", "msg_id"]  # fmt: skip
TEXTS = ["", "x", "\ud800", "\x1b[2J", "<table><tr><td>1", "aGVsbG8=", "../../etc/passwd", "a\0b", ".", "é" * 200]
HANG = 5.0
"""Seconds that no case may take."""
GROWTH = 32.0
"""MB that memory may grow from the end of a part's first tenth to its end."""


def words(chance: random.Random) -> bytes:
    word = chance.choice(WORDS) if chance.random() < 0.7 else chance.randbytes(chance.randrange(200))
    if word and chance.random() < 0.2:
        at = chance.randrange(len(word))
        word = word[:at] + chance.randbytes(1) + word[at + 1 :]
    return word


def frame(chance: random.Random) -> bytes:
    kind, payload = bytes([chance.choice(FROM_PEER)]), words(chance)
    number = chance.choice([0, 1, 2, 3, THEIRS + chance.randrange(1 << 20), chance.getrandbits(32)])
    size = chance.getrandbits(32) if chance.random() < 0.02 else len(payload)
    return HEADER.pack(kind, number, size) + payload


def parse(chance: random.Random) -> None:
    """The link's own parsers, with any split."""
    stream = b"".join(frame(chance) for _ in range(chance.randrange(1, 20)))
    for parser in (Frames(), Attached()):
        data = stream if isinstance(parser, Frames) else b"\1\0\0\0" + len(stream).to_bytes(4, "big") + stream
        try:
            while data:
                cut = chance.randrange(1, len(data) + 1)
                for _ in parser.feed(data[:cut]):
                    pass
                data = data[cut:]
        except Violation:
            pass
    for read in (exit_of, started_of, window_of, listed):
        try:
            read(words(chance))
        except Violation:
            pass
    fit(chance.choice(TEXTS))


def anything(chance: random.Random, depth: int = 4) -> object:
    kind = chance.randrange(7 if depth else 5)
    if kind == 5:
        return [anything(chance, depth - 1) for _ in range(chance.randrange(4))]
    if kind == 6:
        return {chance.choice(FIELDS): anything(chance, depth - 1) for _ in range(chance.randrange(5))}
    return [None, True, chance.getrandbits(70), float("nan"), chance.choice(TEXTS)][kind]


def message(chance: random.Random) -> None:
    """A Jupyter message in parts, and the forms of what it displays."""
    content = {name: anything(chance) for name in chance.sample(FIELDS, 5)}
    bodies: list[object] = [{"msg_type": chance.choice(KINDS)}, {"msg_id": "a"}, {}, content]
    parts = [b"<IDS|MSG>", b"", *(json.dumps(body).encode() for body in bodies)]
    if chance.random() < 0.3:
        parts[chance.randrange(len(parts))] = words(chance)
    said = _said(_message(Received([bytearray(part) for part in parts], chance.random() < 0.9)))
    said.text.encode()
    shown(said.bundle)
    shown(content)


def link(chance: random.Random) -> None:
    """A live link over a pair of sockets, asked for files while its peer sends what it likes."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(0.02)
    mux = Mux(ours, framed=chance.random() < 0.2, hello={}, channels={}, stall=0.05)
    asking = threading.Thread(target=ask, args=(mux, chance.choice(["list", "get", "put"])))
    asking.start()
    try:
        theirs.sendall(HEADER.pack(b"G", 0, 2) + b"{}") if chance.random() < 0.1 else None
        number, started = 0, False
        for _ in range(chance.randrange(2, 30)):
            try:
                got = theirs.recv(1 << 16)
            except TimeoutError:
                got = b""
            if b"G\0\0\0\0\0\0\0\0" in got and not started:
                theirs.sendall(HEADER.pack(b"G", 0, 2) + b"{}")
                number, started = 1, True
            elif chance.random() < 0.6:
                payload = words(chance)
                theirs.sendall(HEADER.pack(chance.choice([b"D", b"C", b"W", b"L"]), number, len(payload)) + payload)
            else:
                theirs.sendall(frame(chance))
    except OSError:
        pass  # it closed the link
    mux.close()
    theirs.close()
    asking.join(HANG)
    if asking.is_alive() or not mux.gone.is_set():
        raise RuntimeError("something waits although the link was closed")


def ask(mux: Mux, act: str) -> None:
    try:
        mux.start()
        while act == "list":
            mux.files.list()
        while act == "get":
            for _ in mux.files.get("a", 1 << 20):
                pass
        while True:
            mux.files.put("a", [bytes(1 << 19)])
    except NoSandbox:
        pass


def run(name: str, case: Callable[[random.Random], None], seconds: float, seed: int) -> list[Figure]:
    """Runs cases for so long; the figures of this part."""
    faulthandler.dump_traceback_later(seconds + 60, exit=True)  # where it hangs; the exit code is 1
    crashed: list[object] = []
    threading.excepthook = lambda args: crashed.append(args.exc_value)
    began = time.perf_counter()
    end, count, worst = began + seconds, 0, 0.0
    settled: float | None = None
    while (start := time.perf_counter()) < end:
        if settled is None and start > began + seconds / 10:
            settled = memory()
        try:
            case(random.Random(f"{seed}/{name}/{count}"))
        except Exception as error:
            raise SystemExit(f"{name}: case {count} of seed {seed}: {error!r}") from error
        if crashed:
            raise SystemExit(f"{name}: case {count} of seed {seed}: in the link's thread: {crashed[0]!r}")
        worst = max(worst, time.perf_counter() - start)
        count += 1
    faulthandler.cancel_dump_traceback_later()
    return [
        Figure(f"{name}: cases", count / seconds, "/s", note=f"{count} in all"),
        Figure(f"{name}: worst case", worst * 1000, "ms", HANG * 1000),
        Figure(f"{name}: growth", memory() - (settled or memory()), "MB", GROWTH),
    ]


def memory() -> float:
    """MB that this process holds."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / (1 << 20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, add_help=False)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options, sys.argv[1:] = parser.parse_known_args()
    share = options.seconds / 3
    figures = [
        figure
        for name, case in (("parsers", parse), ("messages", message), ("live link and files", link))
        for figure in run(name, case, share, options.seed)
    ]
    report(f"Hostile data, seed {options.seed}", figures)


if __name__ == "__main__":
    main()
