"""Config -> what code may reach: the enabled APIs as prompts tell of them, and the gate's policy."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from .config import ApiConfig, Config
from .egress.places import parse_place, placeholder
from .egress.policy import Override, Policy
from .errors import UsageFault
from .types import Api, Operation, Secret


def missing_keys(config: Config) -> dict[str, str]:
    """API names and the first variable of their keys that is not set. Such an API is left out: no model tries it."""
    wanted = {name: [key for key in api.keys if not config.keys.get(key)] for name, api in config.apis.items()}
    return {name: variables[0] for name, variables in wanted.items() if variables}


def enabled(config: Config) -> dict[str, ApiConfig]:
    """The APIs whose keys are there."""
    off = missing_keys(config)
    return {name: api for name, api in config.apis.items() if name not in off}


def apis_of(config: Config) -> tuple[Api, ...]:
    """The enabled APIs as a prompt tells of them."""
    return tuple(_api(name, api) for name, api in enabled(config).items())


def _api(name: str, api: ApiConfig) -> Api:
    operations = tuple(Operation(o.method, o.path, o.summary, o.parameters, o.fields) for o in api.operations)
    keys = api.keys
    return Api(
        name, host_of(api), ",".join(keys), api.card, api.url, ", ".join(keys.values()), operations, len(operations)
    )


def host_of(api: ApiConfig) -> str:
    """Its main host."""
    return api.host or (urlsplit(api.url).hostname or "")


def policy_of(config: Config) -> Policy:
    """Hosts and keys of the enabled APIs. Each key gets a new placeholder. Raises UsageFault for an unfit one."""
    shown: dict[str, str] = {}
    secrets = []
    hosts: dict[str, None] = {}
    for name, api in enabled(config).items():
        own = tuple(dict.fromkeys([host_of(api), *api.hosts]))
        hosts |= dict.fromkeys(own)
        for variable, place in api.keys.items():
            value = config.keys[variable]
            try:
                places = tuple(parse_place(part) for part in place.split(","))
                mark = shown.setdefault(variable, placeholder(value))
            except UsageFault as error:
                raise UsageFault(f"apis.{name}: {error}", error.remedy) from error
            secrets.append(Secret(variable, value, mark, own, places))
    hosts |= dict.fromkeys(config.network.hosts)
    return Policy(tuple(hosts), tuple(secrets), overrides=_overrides(config.network.addresses))


def _overrides(addresses: Mapping[str, str]) -> dict[str, Override]:
    found = {}
    for host, text in addresses.items():
        address, *ports = text.split(":")
        if len(ports) > 2 or not all(port.isdecimal() for port in ports):
            raise UsageFault(
                f"network.addresses: {text!r} is not an address",
                "write ADDRESS, ADDRESS:TLS_PORT or ADDRESS:TLS_PORT:HTTP_PORT",
            )
        found[host] = Override(address, *(int(port) for port in ports))
    return found
