"""Policies at a real gate: private APIs, open networks, hosts that are opened meanwhile, and re-runs."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import requests

from ecoassist.egress.places import parse_place, placeholder
from ecoassist.egress.policy import Door, Override, Policy, Service
from ecoassist.egress.resolve import Resolver
from ecoassist.types import Secret
from tests.egress.conftest import Host, Net, Reply, Seen

KEY = "intranet-k3y-0123456789"
MARK = placeholder(KEY)


def answering(*addresses: str) -> Resolver:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


def private(net: Net, name: str = "wiki.corp", *, tls: bool = False) -> tuple[Host, Door]:
    """A host on loopback, and the door that a private API has there."""
    host = net.host(name, tls=tls, plain=not tls)
    return host, Door(name, host.tls_port if tls else host.plain_port, tls)


def policy(*doors: Door, hosts: tuple[str, ...] = (), keyed: Door | None = None, **more: object) -> Policy:
    secrets = (Secret("KEY", KEY, MARK, (str(keyed),), (parse_place("bearer"),)),) if keyed else ()
    services = tuple(Service(f"api{n}", door=door) for n, door in enumerate(doors))
    return Policy(hosts, secrets, services=services, **more)  # type: ignore[arg-type]


# ── private APIs ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_private_api_is_reached_at_an_address_that_is_not_public_and_gets_its_key(net: Net) -> None:
    host, door = private(net)
    proxy = net.gate(policy=policy(door, keyed=door), resolve=answering("127.0.0.1"))

    answer = proxy.get(f"http://{door}/v1?x=1", headers={"authorization": f"Bearer {MARK}"})

    assert answer.status_code == 200
    assert host.seen[0].headers["host"] == str(door)
    assert host.seen[0].headers["authorization"] == f"Bearer {KEY}"
    [access] = proxy.gate.drain()
    assert (access.host, access.status, access.api) == (door.host, 200, "api0")


def test_a_private_api_over_tls_is_verified(net: Net) -> None:
    host, door = private(net, tls=True)
    proxy = net.gate(policy=policy(door), resolve=answering("127.0.0.1"))

    assert proxy.get(f"https://{door}/").status_code == 200
    assert len(host.seen) == 1


def test_a_name_that_turns_private_gets_no_further_than_before(net: Net) -> None:
    """DNS rebinding: neither a listed host nor any in an open network leads to where a private API is."""
    host, door = private(net)
    for reach in ("allowlist", "open"):
        rules = policy(door, hosts=("rebound.example",), reach=reach)
        proxy = net.gate(policy=rules, resolve=answering("127.0.0.1"))
        for url in (f"http://rebound.example:{door.port}/", "http://rebound.example/", "https://rebound.example/"):
            assert proxy.get(url).status_code == 403
    assert host.seen == []
    assert host.connections == 0


def test_no_other_port_of_the_host_is_reached_also_not_by_a_redirect_or_a_forged_host_header(net: Net) -> None:
    other = net.host("wiki.corp", plain=True)

    def redirect(seen: Seen) -> Reply:
        return Reply(302, {"location": f"http://wiki.corp:{other.plain_port}/secret"})

    host = net.host("wiki.corp", redirect, tls=False, plain=True)
    door = Door("wiki.corp", host.plain_port, False)
    proxy = net.gate(policy=policy(door), resolve=answering("127.0.0.1"))

    assert proxy.get(f"http://{door}/").status_code == 403  # requests follows the redirect
    assert proxy.get(f"http://wiki.corp:{other.plain_port}/").status_code == 403
    assert proxy.get(f"https://wiki.corp:{other.tls_port}/").status_code == 403
    with pytest.raises(requests.exceptions.SSLError):  # it speaks no TLS, and neither does the gate in its place
        proxy.get(f"https://{door}/")
    forged = {"host": f"wiki.corp:{other.plain_port}"}
    assert proxy.get(f"http://{door}/", headers=forged, allow_redirects=False).status_code == 421
    for address in ("127.0.0.1", "127.1", "2130706433"):
        assert proxy.get(f"http://{address}:{door.port}/").status_code == 403
    assert other.connections == 0


def test_the_key_of_one_private_api_does_not_reach_its_neighbour_on_the_same_host(net: Net) -> None:
    _, mine = private(net)
    neighbour, theirs = private(net)
    proxy = net.gate(policy=policy(mine, theirs, keyed=mine), resolve=answering("127.0.0.1"))

    proxy.get(f"http://{theirs}/", headers={"authorization": f"Bearer {MARK}"})

    assert neighbour.seen[0].headers["authorization"] == f"Bearer {MARK}"


def test_a_private_address_is_reached_as_it_was_written(net: Net) -> None:
    host, door = private(net, "127.0.0.1")
    proxy = net.gate(policy=policy(door))

    assert proxy.get(f"http://{door}/").status_code == 200
    assert proxy.get(f"http://127.0.0.1:{door.port + 1}/").status_code == 403
    assert len(host.seen) == 1


# ── what is open ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1"])
def test_an_open_network_has_public_addresses_only(net: Net, address: str) -> None:
    proxy = net.gate(policy=Policy(reach="open"), resolve=answering("1.1.1.1", address))

    answer = proxy.get("https://anything.example/")

    assert answer.status_code == 403
    assert "not public" in answer.text


def test_an_open_network_gives_keys_to_their_hosts_only(net: Net) -> None:
    mine, other = net.host("api.example.com"), net.host("other.example.org")
    found = {host.name: Override("127.0.0.1", host.tls_port) for host in (mine, other)}
    secret = Secret("KEY", KEY, MARK, ("api.example.com",), (parse_place("bearer"),))
    proxy = net.gate(policy=Policy(("api.example.com",), (secret,), overrides=found, reach="open"))

    for host in (mine, other):
        assert proxy.get(f"https://{host.name}/", headers={"authorization": f"Bearer {MARK}"}).status_code == 200
    assert [host.seen[0].headers["authorization"][7:] for host in (mine, other)] == [KEY, MARK]


def test_a_host_is_open_from_the_very_next_request_also_in_a_tunnel_that_stands(net: Net) -> None:
    host = net.host("api.example.com")
    found = {host.name: Override("127.0.0.1", host.tls_port)}
    proxy = net.gate(policy=Policy(overrides=found))

    with proxy.session() as session:
        assert session.get("https://api.example.com/", timeout=30).status_code == 403
        [access] = proxy.gate.drain()
        assert (access.blocked, access.refused != "") == (True, True)
        proxy.gate.policy.grants.open(host.name, "once")
        assert session.get("https://api.example.com/", timeout=30).status_code == 200
        proxy.gate.policy.grants.begin()
        assert session.get("https://api.example.com/", timeout=30).status_code == 403
    assert len(host.seen) == 1


def test_with_the_network_off_nothing_leaves(net: Net) -> None:
    host, door = private(net)
    rules = policy(door, hosts=(host.name,), reach="none")
    proxy = net.gate(policy=rules, resolve=answering("127.0.0.1"))

    for url in (f"http://{door}/", "https://wiki.corp/", "https://any.example/"):
        answer = proxy.get(url)
        assert (answer.status_code, "the network is off" in answer.text) == (403, True)
    assert not any(access.blocked for access in proxy.gate.drain())
    assert host.connections == 0


# ── re-runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_re_run_sends_nothing_that_acts(net: Net) -> None:
    host = net.host("api.example.com")
    found = {host.name: Override("127.0.0.1", host.tls_port)}
    service = Service("api", (host.name,), acts=("/send/*", "/stop"))
    rules = Policy((host.name,), overrides=found, services=(service,))
    proxy = net.gate(policy=rules.readonly((host.name,)))

    assert proxy.get("https://api.example.com/read").status_code == 200
    for path in ("/send/1", "/SEND/1", "/x/..%2fsend/1", "//send//1"):
        answer = proxy.get(f"https://api.example.com{path}")
        assert (answer.status_code, "changes something" in answer.text) == (403, True)
    hidden = b"GET /stop#x HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n"
    assert b"changes something" in proxy.inside("api.example.com:443", hidden)
    answer = proxy.get("https://api.example.com/read", data=b"a body")
    assert (answer.status_code, "GET with a body" in answer.text) == (403, True)
    chunked = proxy.get("https://api.example.com/read", data=iter([b"a ", b"body"]))
    assert (chunked.status_code, "GET with a body" in chunked.text) == (403, True)
    assert [seen.target for seen in host.seen] == ["/read"]
