"""The channels that files go through: what there is, out and in. At most a window of each is under way."""

from __future__ import annotations

import heapq
import io
import json
import os
from collections.abc import Generator
from itertools import islice

from .channels import Channel
from .folders import Found, create, open_regular, walk, write_all
from .link import CHUNK, Link

MOST_LISTED = 200
STEP = 500
"""Entries that one turn of the event loop looks at: about a millisecond."""


class Outgoing(Channel):
    """Gives the host at most `left` bytes of `source`, then closes."""

    source: io.FileIO | io.BytesIO | None = None
    left = 0

    def resume(self) -> None:
        while self.source and self.left and self.credit:
            try:
                data = self.source.read(min(CHUNK, self.credit, self.left))
            except OSError:
                data = b""
            if not data:  # it is shorter now
                self.left = 0
                break
            self.left -= len(data)
            self.send(data)
        if not self.left:
            self.close()

    def release(self) -> None:
        if self.source:
            self.source.close()
            self.source = None


class Download(Outgoing):
    """A file of the working directory, as long as it is when it is opened."""

    def __init__(self, link: Link, channels: dict[int, Channel], number: int, root: str, name: str) -> None:
        super().__init__(link, channels, number)
        try:
            self.source = open_regular(root, name)
            self.left = os.fstat(self.source.fileno()).st_size
        except (OSError, ValueError):
            pass  # nothing comes of it
        self.resume()


class Listing(Outgoing):
    """The newest MOST_LISTED files, by name. The folders are looked at step by step, for they may be full."""

    def __init__(self, link: Link, channels: dict[int, Channel], number: int, root: str) -> None:
        super().__init__(link, channels, number)
        self.steps: Generator[Found | None, None, None] = walk(root)
        self.newest: list[Found] = []
        self.walking = True

    def step(self) -> None:
        looked_at = 0
        for found in islice(self.steps, STEP):
            looked_at += 1
            if found and len(self.newest) < MOST_LISTED:
                heapq.heappush(self.newest, found)
            elif found:
                heapq.heappushpop(self.newest, found)
        if looked_at < STEP:
            self.walking = False
            rows = sorted((name, size, stamp) for stamp, name, size in self.newest)
            content = json.dumps(rows).encode()
            self.source, self.left = io.BytesIO(content), len(content)
            self.resume()

    def resume(self) -> None:
        if not self.walking:
            super().resume()

    def release(self) -> None:
        self.steps.close()
        super().release()


class Upload(Channel):
    """A new file of a plain name in `folder`. One that does not arrive whole is removed."""

    file: io.FileIO | None = None

    def __init__(
        self, link: Link, channels: dict[int, Channel], number: int, folder: str, size: int, name: str
    ) -> None:
        super().__init__(link, channels, number)
        self.path, self.left = f"{folder}/{name}", size
        try:
            self.file = create(folder, name)
        except (OSError, ValueError) as error:
            self.answer(f"error: {error}")
        else:
            self.take(b"")

    def take(self, data: bytes) -> None:
        if not self.file:
            return
        try:
            if len(data) > self.left:
                raise ValueError("more came than was announced")
            write_all(self.file, data)
        except (OSError, ValueError) as error:
            self.answer(f"error: {error}")
            return
        self.left -= len(data)
        if self.left:
            self.grant(len(data))
        else:
            self.answer("ok")

    def answer(self, text: str) -> None:
        self.release()
        self.send(text.encode("utf-8", "replace"))
        self.close()

    def release(self) -> None:
        if not self.file:
            return
        self.file.close()
        self.file = None
        if self.left:
            try:
                os.unlink(self.path)
            except OSError:
                pass  # code was quicker
