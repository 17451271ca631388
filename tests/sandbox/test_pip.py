"""Code installs packages where it may, from an index on loopback with wheels made here; elsewhere it is told no."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator

import pytest

from tests.sandbox.test_clients import Outside, cell, says

pytestmark = pytest.mark.docker
INDEX = 'packages = ["index.example", "files.example"]'


def wheel(name: str, version: str, code: str, needs: str = "", command: str = "") -> bytes:
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": command,
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return packed.getvalue()


COMMAND = "[console_scripts]\ngreet = greeting:greet\n"
WHEELS = {
    "greeting": wheel(
        "greeting", "1.0", "def greet(): print('hello')\n", "Requires-Dist: manners\nRequires-Dist: idna\n", COMMAND
    ),
    "manners": wheel("manners", "1.0", "please = True\n"),
    "idna": wheel("idna", "99.0", "__version__ = '99.0'\n"),
    "large": wheel("large", "1.0", "x = '" + "y" * 270_000_000 + "'\n"),
}
VERSIONS = {"idna": "99.0"}


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    made = Outside(tmp_path_factory.mktemp("outside"))
    for name, content in WHEELS.items():
        file = f"{name}-{VERSIONS.get(name, '1.0')}-py3-none-any.whl"
        made.pages[f"/simple/{name}/"] = f'<a href="https://files.example/{file}">{file}</a>'.encode()
        made.pages[f"/{file}"] = content
    yield made
    made.close()


@pytest.fixture(autouse=True)
def one_at_a_time(outside: Outside) -> Iterator[None]:
    yield
    while outside.kernels:
        outside.kernels.pop().close()


INSTALLS: dict[str, Callable[[str], str]] = {
    "a process": lambda name: (
        f"import subprocess, sys; subprocess.run([sys.executable, '-m', 'pip', 'install', '-q', {name!r}], check=True)"
    ),
    "a command": lambda name: f"!pip install -q {name}",
    "a magic": lambda name: f"%pip install -q {name}",
    "python -m": lambda name: f"!python -m pip install -q {name}",
}


@pytest.mark.parametrize("way", INSTALLS)
def test_a_package_is_installed_with_what_it_needs_and_is_there_at_once(outside: Outside, way: str) -> None:
    kernel = outside.kernel(network=INDEX)
    used = "import greeting, manners, idna\ngreeting.greet(), manners.please, idna.__version__"
    result = cell(kernel, f"{INSTALLS[way]('greeting')}\n{used}")
    assert result.text.endswith("hello\n"), result
    assert result.value.startswith("(None, True, ")
    assert "99" not in result.value  # what is there already is good enough
    assert says(kernel, "!greet").split() == ["hello"]
    assert {access.host for access in result.accesses} == {"index.example", "files.example"}
    kernel.restart()
    missing = cell(kernel, "import greeting")
    assert missing.error
    assert missing.error.name == "ModuleNotFoundError"


def test_a_newer_version_takes_the_place_of_one_in_the_image(outside: Outside) -> None:
    kernel = outside.kernel(network=INDEX)
    assert cell(kernel, "!pip install -q 'idna>=99'\nimport idna; idna.__version__").value == "'99.0'"
    assert "idna 99.0" in " ".join(says(kernel, "!pip list").split())
    assert cell(kernel, "import requests; requests.__version__").status == "ok"


def test_compiled_modules_can_be_loaded_from_where_packages_go(outside: Outside) -> None:
    kernel = outside.kernel(network=INDEX)
    code = """
import ctypes, shutil, sys, sysconfig
from zmq.backend.cython import _zmq
ctypes.CDLL(shutil.copy(_zmq.__file__, sysconfig.get_path("purelib"))) and sysconfig.get_path("purelib")[:9]
"""
    assert cell(kernel, code).value == "'/home/sbx'"


def test_a_package_that_does_not_fit_is_told_and_the_next_cell_works(outside: Outside) -> None:
    kernel = outside.kernel(network=INDEX)
    text = says(kernel, "!pip install -q large")
    assert "No space left on device" in text
    assert cell(kernel, "6 * 7").value == "42"


def test_what_is_unknown_to_the_index_is_told_at_once(outside: Outside) -> None:
    text = says(outside.kernel(network=INDEX), "!pip install nothing-of-that-name")
    assert "No matching distribution found for nothing-of-that-name" in text


def test_without_leave_to_install_pip_says_so_and_asks_nobody(outside: Outside) -> None:
    kernel = outside.kernel()
    for way in INSTALLS.values():
        result = cell(kernel, way("greeting"))
        assert "installing-packages-is-off-in-this-sandbox" in result.text + str(result.error)
        assert result.accesses == ()
    assert "requests" in says(kernel, "!pip list")


def test_packages_stay_in_the_sandbox(outside: Outside) -> None:
    kernel = outside.kernel(network=INDEX)
    assert cell(kernel, "!pip install -q manners\nimport os; os.listdir()").value == "['.venv']"
