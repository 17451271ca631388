"""Files through a real container, while code in it plays tricks with names and kinds of files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator

import pytest

from ecoassist.errors import NoSandbox
from ecoassist.kernel.box import DockerBox
from ecoassist.kernel.cell.cells import CellKernel
from ecoassist.kernel.link.files import WorkFiles
from ecoassist.kernel.settings import BoxSettings
from tests.kernel.conftest import Run

pytestmark = pytest.mark.docker
TRICKS = r"""
import os, socket
open("real.txt", "w").write("real")
os.symlink("/etc/passwd", "link")
os.symlink("/", "root")
os.mkfifo("pipe")
s = socket.socket(socket.AF_UNIX); s.bind("socket")
os.mkdir(".hidden"); open(".hidden/x", "w").write("x"); open(".x", "w").write("x")
os.makedirs("a/b/c/d/e"); open("a/b/c/deep.txt", "w").write("deep"); open("a/b/c/d/e/deeper", "w").write("x")
os.mkdir("folder.txt")
open(b"\xff\xfe.txt", "w").write("x")
open("README", "w").write("upper"); open("readme", "w").write("lower")
open("é", "w").write("composed"); open("e\u0301", "w").write("decomposed")
open("..a", "w").write("x"); open("a\nb\x1b[2J", "w").write("lines"); open("x" * 255, "w").write("long")
open("\u202etxt.exe", "w").write("bidi"); open("C:\\x", "w").write("windows")
os.makedirs("swap"); open("swap/file", "w").write("first")
"""


@pytest.fixture(scope="module")
def kernel(box_settings: BoxSettings) -> Iterator[CellKernel]:
    kernel = DockerBox(box_settings).start()
    assert isinstance(kernel, CellKernel)
    yield kernel
    kernel.close()


@pytest.fixture
def files(kernel: CellKernel) -> WorkFiles:
    kernel.restart()
    found = kernel._host.files()
    assert found is not None
    return found


@pytest.fixture
def ok(kernel: CellKernel, run: Run) -> Callable[[str], str]:
    def ok(code: str) -> str:
        result = run(kernel, code)
        assert result.status == "ok", result
        return result.value

    return ok


def content(files: WorkFiles, name: str) -> bytes:
    return b"".join(files.get(name, 1 << 30))


def test_a_hundred_files_come_out(files: WorkFiles, ok: Callable[[str], str]) -> None:
    ok("for n in range(100): open(f'{n}.txt', 'w').write(str(n) * n)")
    found = {file.name: file.size for file in files.list()}
    assert found == {f"{n}.txt": len(str(n)) * n for n in range(100)}
    for n in range(100):
        assert content(files, f"{n}.txt") == (str(n) * n).encode()


def test_a_large_file_goes_in_and_comes_out_byte_for_byte(files: WorkFiles, ok: Callable[[str], str]) -> None:
    data = os.urandom(30 << 20)
    path = files.put("large.bin", [data[: 10 << 20], data[10 << 20 :]])
    digest = f"import hashlib; hashlib.sha256(open({path!r}, 'rb').read()).hexdigest()"
    assert hashlib.sha256(data).hexdigest() in ok(digest)
    ok(f"import shutil; shutil.copy({path!r}, 'out.bin')")
    assert content(files, "out.bin") == data


def test_tricks_with_names_and_kinds_open_nothing_and_hang_nothing(files: WorkFiles, ok: Callable[[str], str]) -> None:
    ok(TRICKS)
    found = {file.name for file in files.list()}
    assert found == {
        "real.txt", "a/b/c/deep.txt", "README", "readme", "é", "e\u0301", "a\nb\x1b[2J", "x" * 255, "\u202etxt.exe",
        "C:\\x", "swap/file",
    }  # fmt: skip
    assert {content(files, name) for name in ("README", "readme", "é", "e\u0301")} == {
        b"upper", b"lower", b"composed", b"decomposed",
    }  # fmt: skip
    for name in ("link", "root/etc/passwd", "pipe", "socket", ".x", ".hidden/x", "folder.txt", "../../etc/passwd", "a"):
        assert content(files, name) == b"", name
    ok("import os; os.remove('swap/file'); os.rmdir('swap'); os.symlink('/etc', 'swap')")
    assert content(files, "swap/passwd") == b""
    assert content(files, "real.txt") == b"real"


def test_what_code_put_in_the_way_is_replaced_and_never_followed(files: WorkFiles, ok: Callable[[str], str]) -> None:
    ok("import os; open('mine', 'w').write('mine'); os.symlink(os.path.abspath('mine'), '/tmp/a'); os.mkfifo('/tmp/b')")
    for name in "ab":
        assert files.put(name, [b"host's"]) == f"/tmp/{name}"
    assert "mine" in ok("open('mine').read()")
    assert "host's" in ok("open('/tmp/a').read()")
    ok("os.mkdir('/tmp/c')")
    with pytest.raises(NoSandbox, match="did not take c"):
        files.put("c", [b"x"])


def test_a_full_folder_is_said(files: WorkFiles, ok: Callable[[str], str]) -> None:
    with pytest.raises(NoSandbox, match=r"(?i)space"):
        files.put("too much", [bytes(1 << 20)] * 400)
    assert files.list() == ()
