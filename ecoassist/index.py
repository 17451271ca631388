"""The package index that pip uses on this machine: where it is, and what a sandbox needs to reach it."""

from __future__ import annotations

import configparser
import importlib
import os
import sys
import sysconfig
import zipimport
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec, module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from .config import Config
from .egress.policy import Door, door_of
from .errors import UsageFault

_REMEDY = 'list the hosts of the index instead: packages = ["HOST", "HOST OF THE FILES"]'


class Index(NamedTuple):
    url: str
    """Without user and password, as every URL here: those never go into a sandbox."""
    hosts: tuple[str, ...] = ()
    """To be read in public."""
    extra: tuple[str, ...] = ()
    """URLs of further indexes."""
    doors: tuple[Door, ...] = ()
    """Of indexes that pip here was told of: a mirror may be in the person's own network."""
    locked: bool = False
    """A user or password was left out."""

    @property
    def variables(self) -> dict[str, str]:
        """For pip in a sandbox."""
        plain = " ".join(str(door) for door in self.doors if not door.tls)
        found = {"PIP_INDEX_URL": self.url, "PIP_EXTRA_INDEX_URL": " ".join(self.extra), "PIP_TRUSTED_HOST": plain}
        return {name: value for name, value in found.items() if value}


def index_of(config: Config, constants: Callable[[], Any] | None = None, system: Iterable[Path] = ()) -> Index | None:
    """None where code may not install packages. Raises UsageFault where no index is found.

    `constants`: pip's own module of them. `system`: pip's configuration files that do not belong to the person.
    """
    packages = config.network.packages
    if not packages or config.network.policy == "none":
        return None
    if isinstance(packages, tuple):
        return Index(f"https://{packages[0]}/simple/", packages)
    told = _told(config.environ, tuple(system) or _system())
    if first := told.get("index-url", ""):
        return _configured(first.split()[0], told.get("extra-index-url", "").split())
    own = (constants or _constants)()
    if own is None:
        raise UsageFault("network.packages: there is no pip here that could tell its index", _REMEDY)
    standard = Index(own.PyPI.simple_url, (own.PyPI.netloc, own.PyPI.file_storage_domain))
    if not (more := told.get("extra-index-url", "").split()):
        return standard
    also = _configured(more[0], more[1:])
    return standard._replace(extra=(also.url, *also.extra), doors=also.doors, locked=also.locked)


def _configured(url: str, extra: Iterable[str]) -> Index:
    try:
        parts = [urlsplit(text) for text in (url, *extra)]
        shown = [one._replace(netloc=one.netloc.rpartition("@")[2]).geturl() for one in parts]
        doors = tuple(dict.fromkeys(map(door_of, shown)))
    except (ValueError, UsageFault):  # not quoted: it may hold a password
        raise UsageFault("network.packages: the index of pip here is no http or https URL", _REMEDY) from None
    return Index(shown[0], (), tuple(shown[1:]), doors, any("@" in one.netloc for one in parts))


# ── what pip here was told ──────────────────────────────────────────────────────────────────────────────────────────


def _told(environ: Mapping[str, str], system: tuple[Path, ...]) -> dict[str, str]:
    """pip's settings of its indexes, as pip reads them: each file over those before it, the environment over all."""
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}}
    for file in _files(environ, system):
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError, OSError) as error:
            raise UsageFault(f"network.packages: cannot read {file}", _REMEDY) from error
        for name, found in sections.items():
            if parser.has_section(name):
                found |= {key.replace("_", "-"): value for key, value in parser.items(name)}
    settings = sections["global"] | sections["install"]
    for name in ("index-url", "extra-index-url"):
        if value := environ.get("PIP_" + name.upper().replace("-", "_")):
            settings[name] = value
    return settings


def _files(environ: Mapping[str, str], system: tuple[Path, ...]) -> list[Path]:
    """pip's configuration files, there or not, in the order in which it reads them."""
    named = environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return []
    files = list(system)
    if home := environ.get("HOME"):
        files += [
            Path(home, ".pip/pip.conf"),
            Path(environ.get("XDG_CONFIG_HOME") or f"{home}/.config", "pip/pip.conf"),
        ]
    return [*files, Path(named)] if named else files


def _system() -> tuple[Path, ...]:
    return (Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"), Path(sys.prefix, "pip.conf"))


def _constants() -> Any:
    """pip's module with the addresses of its standard index; None: there is no pip."""
    if find_spec("pip"):
        return importlib.import_module("pip._internal.models.index")
    bundled = find_spec("ensurepip")
    folders = [Path(bundled.origin or "").parent / "_bundled"] if bundled else []
    if elsewhere := sysconfig.get_config_var("WHEEL_PKG_DIR"):  # where distributions put it
        folders.append(Path(elsewhere))
    wheels = [wheel for folder in folders for wheel in sorted(folder.glob("pip-*.whl"))]
    return _from_wheel(wheels[-1]) if wheels else None


def _from_wheel(wheel: Path) -> Any:
    loader = zipimport.zipimporter(f"{wheel}/pip/_internal/models")
    spec = spec_from_loader("index", loader)
    if spec is None or spec.loader is None:
        return None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
