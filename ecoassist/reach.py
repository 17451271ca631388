"""Config -> what code may reach: the enabled APIs as prompts tell of them, and the gate's policy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from . import catalogue, templates
from .config import ApiConfig, Config
from .egress.places import parse_place, placeholder
from .egress.policy import Door, Override, Policy, Service, door_of
from .entries import Solution
from .errors import UsageFault
from .index import index_of
from .types import Api, Operation, Secret

_WAY = re.compile(r"(\[[0-9a-f:]+\]|[0-9.]+)(?::(\d{1,5}))?(?::(\d{1,5}))?", re.IGNORECASE)
"""An address with its ports."""


def missing_keys(config: Config) -> dict[str, str]:
    """API names and the first variable of their keys that is not set. Such an API is left out: no model tries it."""
    wanted = {name: [key for key in api.keys if not config.keys.get(key)] for name, api in config.apis.items()}
    return {name: variables[0] for name, variables in wanted.items() if variables}


def enabled(config: Config) -> dict[str, ApiConfig]:
    """The APIs whose keys are there."""
    off = missing_keys(config)
    return {name: api for name, api in config.apis.items() if name not in off}


def apis_of(config: Config) -> tuple[Api, ...]:
    """The enabled APIs as a prompt tells of them; with the network off there are none."""
    if config.network.policy == "none":
        return ()
    return tuple(described(name, api) for name, api in enabled(config).items())


def described(name: str, api: ApiConfig) -> Api:
    """It in the words of a prompt."""
    operations = tuple(Operation(o.method, o.path, o.summary, o.parameters, o.fields) for o in api.operations)
    keys = api.keys
    return Api(
        name, host_of(api), ",".join(keys), api.card, api.url, ";".join(keys.values()), operations, len(operations)
    )


def host_of(api: ApiConfig) -> str:
    """Its main host."""
    return api.host or (urlsplit(api.url).hostname or "")


def adopting(config: Config) -> Callable[[Solution], Solution]:
    """Gives somebody else's solution the names that its APIs have here, and anew what is derived from its program."""

    @cache
    def names() -> dict[str, str]:
        own = {host: name for name, api in config.apis.items() for host in (host_of(api), *api.hosts)}
        return catalogue.hosts() | own

    def adopt(solution: Solution) -> Solution:
        known = filter(None, map(names().get, solution.hosts))
        parameters = templates.parameters(solution.query, solution.program)
        return replace(solution, apis=tuple(dict.fromkeys(known)) or solution.apis, parameters=parameters)

    return adopt


def policy_of(config: Config) -> Policy:
    """Hosts and keys of the enabled APIs. Each key gets a new placeholder; with the network off none is of use.

    Raises UsageFault for an unfit API.
    """
    shown: dict[str, str] = {}
    secrets: list[Secret] = []
    hosts: dict[str, None] = {}
    services = []
    for name, api in enabled(config).items():
        try:
            service = _service(name, api)
            hosts |= dict.fromkeys(service.hosts)
            secrets += _secrets(api, service, config.keys, shown)
        except UsageFault as error:
            raise UsageFault(f"apis.{name}: {error}", error.remedy) from error
        services.append(service)
    if index := index_of(config):
        services.append(Service("", index.hosts, reads=True))
        services += [Service("", door=door, reads=True) for door in index.doors]
    hosts |= dict.fromkeys(config.network.hosts)
    return Policy(
        tuple(hosts),
        tuple(secrets) if config.network.policy != "none" else (),
        overrides=_overrides(config.network.addresses),
        reach=config.network.policy,
        services=tuple(services),
        off=_off(config),
    )


def _off(config: Config) -> dict[str, tuple[str, str]]:
    """Hosts of the APIs that are left out, with the API and the variable that is not set."""
    missing = missing_keys(config)
    return {
        host: (name, missing[name])
        for name in missing
        for host in (host_of(config.apis[name]), *config.apis[name].hosts)
    }


def summary(policy: Policy) -> str:
    """The policy in a few words: "allowlist (3 hosts)"."""
    if policy.reach != "allowlist":
        return policy.reach
    names = {*policy.hosts, *policy.grants.hosts, *(door.host for door in policy.doors)}
    names |= {host for service in policy.services for host in service.hosts}
    return f"allowlist ({len(names)} host{'' if len(names) == 1 else 's'})"


def _service(name: str, api: ApiConfig) -> Service:
    base = door_of(api.url) if api.url else None
    if api.private:
        if api.hosts:
            raise UsageFault("a private API has one host", "describe each of its hosts as an API of its own")
        door = base or Door(api.host, 443, True)
        if api.host not in ("", door.host):
            raise UsageFault(f"its host is {api.host}, and that of its URL {door.host}", "leave the host out")
        return Service(name, door=door, acts=_acts(api), base=_base(api))
    if base and base[1:] != (443, True):
        raise UsageFault(
            f"{api.url} is not https on the usual port", "only a private API may have another: private = true"
        )
    own = dict.fromkeys([host_of(api), *([base.host] if base else []), *api.hosts])
    return Service(name, tuple(own), acts=_acts(api), base=_base(api))


def _base(api: ApiConfig) -> str:
    """Of its paths."""
    return urlsplit(api.url).path.rstrip("/")


def _acts(api: ApiConfig) -> tuple[str, ...]:
    """Its patterns as they are, and below the base of its paths."""
    return tuple(dict.fromkeys(text for path in api.acts for text in (path, _base(api) + "/" + path.lstrip("/"))))


def _secrets(api: ApiConfig, service: Service, keys: Mapping[str, str], shown: dict[str, str]) -> Iterator[Secret]:
    """`shown`: the placeholders of the variables seen so far."""
    hosts = (str(service.door),) if service.door else service.hosts
    for variable, place in api.keys.items():
        value = keys[variable]
        places = tuple(parse_place(part) for part in place.split(","))
        if variable not in shown:
            shown[variable] = placeholder(value)
        yield Secret(variable, value, shown[variable], hosts, places)


def _overrides(addresses: Mapping[str, str]) -> dict[str, Override]:
    return {host: _override(text) for host, text in addresses.items()}


def _override(text: str) -> Override:
    try:
        found = _WAY.fullmatch(text)
        address = str(ip_address(found[1].strip("[]") if found else text))
    except ValueError as error:
        raise UsageFault(
            f"network.addresses: {text!r} is not an address",
            "write ADDRESS, ADDRESS:TLS_PORT or ADDRESS:TLS_PORT:HTTP_PORT; one of IPv6 that has ports in brackets",
        ) from error
    return Override(address, *(int(port) for port in found.groups()[1:] if port) if found else ())
