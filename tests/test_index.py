"""The index that pip uses here, without asking any: pip's own files and constants are laid out for it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ecoassist.config import Config, NetworkConfig
from ecoassist.egress.policy import Door
from ecoassist.errors import UsageFault
from ecoassist.index import Index, _constants, _from_wheel, index_of
from ecoassist.reach import policy_of

OWN = SimpleNamespace(
    PyPI=SimpleNamespace(
        simple_url="https://index.example/simple", netloc="index.example", file_storage_domain="files.example"
    )
)


def found(environ: dict[str, str] | None = None, *system: Path, own: Any = OWN) -> Index | None:
    config = Config(network=NetworkConfig(packages=True), environ=environ or {})
    return index_of(config, lambda: own, system or (Path("/nowhere/pip.conf"),))


def test_without_packages_or_with_the_network_off_there_is_no_index() -> None:
    assert index_of(Config()) is None
    assert index_of(Config(network=NetworkConfig(packages=("index.example",), policy="none"))) is None


def test_listed_hosts_are_the_index_and_nothing_here_is_asked() -> None:
    config = Config(network=NetworkConfig(packages=("index.example", "files.example")))
    assert index_of(config) == Index("https://index.example/simple/", ("index.example", "files.example"))


def test_pips_own_constants_are_the_last_resort() -> None:
    assert found() == Index("https://index.example/simple", ("index.example", "files.example"))
    with pytest.raises(UsageFault, match="no pip here") as caught:
        found(own=None)
    assert "list the hosts" in caught.value.remedy


def test_the_environment_stands_over_every_file(tmp_path: Path) -> None:
    files = []
    for name, text in {
        "etc": "[global]\nindex-url = https://etc.example/simple\n[install]\nextra_index_url = https://more.example/s",
        "home/.config/pip": "[global]\nindex-url: http://box.corp:3141/root/\n",
    }.items():
        files.append(tmp_path / name / "pip.conf")
        files[-1].parent.mkdir(parents=True)
        files[-1].write_text(text)
    etc, home = files[0], {"HOME": str(tmp_path / "home")}

    index = found({}, etc)
    assert index == Index(
        "https://etc.example/simple",
        extra=("https://more.example/s",),
        doors=(Door("etc.example", 443, True), Door("more.example", 443, True)),
    )
    index = found(home, etc)
    assert index
    assert index.doors[0] == Door("box.corp", 3141, False)
    assert index.variables == {
        "PIP_INDEX_URL": "http://box.corp:3141/root/",
        "PIP_EXTRA_INDEX_URL": "https://more.example/s",
        "PIP_TRUSTED_HOST": "box.corp:3141",
    }
    index = found(
        {**home, "PIP_INDEX_URL": "https://env.example/s", "PIP_EXTRA_INDEX_URL": "https://a.b/ https://c.d/"}
    )
    assert index
    assert (index.url, index.extra) == ("https://env.example/s", ("https://a.b/", "https://c.d/"))
    assert found({**home, "PIP_CONFIG_FILE": "/dev/null"}, etc) == found()


def test_a_further_index_joins_the_standard_one() -> None:
    index = found({"PIP_EXTRA_INDEX_URL": "http://10.0.0.9/simple"})
    assert index
    assert (index.url, index.hosts) == ("https://index.example/simple", ("index.example", "files.example"))
    assert (index.extra, index.doors) == (("http://10.0.0.9/simple",), (Door("10.0.0.9", 80, False),))


def test_a_password_of_the_index_stays_here(tmp_path: Path) -> None:
    index = found({"PIP_INDEX_URL": "https://me:s3cret-w0rd@box.corp/simple"})
    assert index
    assert index.locked
    assert "s3cret" not in str(index) + str(index.variables)
    with pytest.raises(UsageFault) as caught:
        found({"PIP_INDEX_URL": "https://me:s3cret-w0rd@box.corp:port/simple"})
    assert "s3cret" not in str(caught.value) + caught.value.remedy


@pytest.mark.parametrize("url", ["file:///srv/simple", "box.corp/simple", "https:///simple", "https://[/"])
def test_an_index_that_is_no_web_address_is_refused_with_the_remedy(url: str) -> None:
    with pytest.raises(UsageFault, match="no http or https URL") as caught:
        found({"PIP_INDEX_URL": url})
    assert "list the hosts" in caught.value.remedy


def test_a_damaged_file_of_pip_is_named(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("index-url\n")
    with pytest.raises(UsageFault, match=r"cannot read .*pip\.conf"):
        found({"PIP_CONFIG_FILE": str(tmp_path / "pip.conf")})


def test_pip_here_tells_its_index_installed_or_bundled() -> None:
    import ensurepip

    own = _constants()
    assert own.PyPI.simple_url.startswith("https://")
    for wheel in (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"):
        bundled = _from_wheel(wheel)
        assert (bundled.PyPI.netloc, bundled.PyPI.file_storage_domain) == (
            own.PyPI.netloc,
            own.PyPI.file_storage_domain,
        )


def test_an_index_is_open_for_reading_and_for_nothing_else() -> None:
    config = Config(
        network=NetworkConfig(packages=True),
        environ={"PIP_CONFIG_FILE": "/dev/null", "PIP_INDEX_URL": "http://127.0.0.1:3141/root/"},
    )
    policy = policy_of(config)
    assert policy.refusal("127.0.0.1", 3141, "GET", tls=False) is None
    assert policy.refusal("127.0.0.1", 3141, "POST", tls=False)
    assert policy.refusal("127.0.0.1", 3142, "GET", tls=False)
    listed = policy_of(Config(network=NetworkConfig(packages=("index.example",))))
    assert listed.refusal("index.example", 443, "GET", tls=True) is None
    assert listed.refusal("index.example", 443, "PUT", tls=True)
