"""Options of the test run; pytest reads them only from this folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

_DEFAULT = Path(__file__).parent.parent / "shared" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--shared-data",
        type=Path,
        default=_DEFAULT,
        metavar="FOLDER",
        help="where the published programs and queries are that are not part of this project (default: %(default)s)",
    )


@pytest.fixture(scope="session")
def shared_data(pytestconfig: pytest.Config) -> Callable[[str], Path]:
    """The path of a shared file by its name; skips the test where the file is absent."""
    folder: Path = pytestconfig.getoption("--shared-data")

    def find(name: str) -> Path:
        path = folder / name
        if not path.is_file():
            pytest.skip(f"{path} is absent (--shared-data)")
        return path

    return find
