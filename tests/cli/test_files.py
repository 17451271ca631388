from __future__ import annotations

import io
import os
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import pytest

from ecoassist.cli import files
from ecoassist.cli.files import attachments
from ecoassist.errors import UsageFault


def piped(content: bytes) -> BinaryIO:
    """The reading end of a pipe that holds `content`, at most what a pipe takes."""
    read, write = os.pipe()
    os.write(write, content)
    os.close(write)
    return os.fdopen(read, "rb")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"text\n", "stdin.txt"),
        ("größe".encode(), "stdin.txt"),
        (b"\xff\xfe", "stdin.bin"),
        (b"nul\0", "stdin.bin"),
        ("größe".encode("latin-1"), "stdin.bin"),
    ],
)
def test_piped_input_is_named_by_what_it_is(content: bytes, name: str) -> None:
    with piped(content) as stdin:
        (file,) = attachments([], stdin)
    assert (file.name, file.content) == (name, content)


def test_a_redirected_file_counts_as_piped(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"text")
    with (tmp_path / "a").open("rb") as stdin:
        assert [file.name for file in attachments([], stdin)] == ["stdin.txt"]


def test_no_input_is_no_file() -> None:
    with piped(b"") as empty, open(os.devnull, "rb") as null:
        assert attachments([], empty) == attachments([], null) == attachments([], None) == ()
    assert attachments([], io.BytesIO(b"not a descriptor")) == ()


def test_a_terminal_is_not_waited_for() -> None:
    parent, child = os.openpty()
    with closing(os.fdopen(parent, "rb", buffering=0)), os.fdopen(child, "rb", buffering=0) as stdin:
        assert attachments([], stdin) == ()


def test_a_file_and_piped_input_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "stdin.txt").write_text("x")
    with piped(b"y") as stdin, pytest.raises(UsageFault, match=r"two files are called stdin\.txt"):
        attachments([tmp_path / "stdin.txt"], stdin)


def test_files_that_are_too_large_together_are_refused(tmp_path: Path) -> None:
    half = tmp_path / "half"
    with half.open("wb") as file:
        file.truncate(files.MOST // 2)
    (tmp_path / "more").write_bytes(b"x")
    assert len(attachments([half], None)) == 1
    whole = tmp_path / "whole"
    with whole.open("wb") as file:
        file.truncate(files.MOST)
    with pytest.raises(UsageFault, match="larger than 100 MB"):
        attachments([whole, tmp_path / "more"], None)


@pytest.mark.parametrize("what", ["absent", "folder", "unreadable"])
def test_a_file_that_cannot_be_read_is_named(what: str, tmp_path: Path) -> None:
    path = tmp_path / what
    if what == "folder":
        path.mkdir()
    if what == "unreadable":
        path.symlink_to(path)
    with pytest.raises(UsageFault, match=what) as error:
        attachments([path], None)
    assert error.value.remedy


def test_a_name_that_is_not_unicode_is_refused(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9")
    path.write_text("x")
    with pytest.raises(UsageFault, match="not Unicode"):
        attachments([path], None)


def test_dots_are_no_name(tmp_path: Path) -> None:
    for path in (tmp_path / "..", Path("/"), Path()):
        with pytest.raises(UsageFault):
            attachments([path], None)
