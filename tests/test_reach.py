"""Settings of the network become a policy: what is open, for whom a key is, what is refused before anything runs."""

from __future__ import annotations

import pytest

from ecoassist.config import ApiConfig, Config, NetworkConfig
from ecoassist.egress.policy import Door, Override
from ecoassist.errors import UsageFault
from ecoassist.keys import Keys
from ecoassist.reach import apis_of, policy_of, summary

KEYS = Keys({"INTRA_KEY": "k3y-of-the-intranet"})


def settings(network: NetworkConfig | None = None, **apis: ApiConfig) -> Config:
    return Config(apis=apis, network=network or NetworkConfig(), keys=KEYS)


@pytest.mark.parametrize(
    ("url", "door"),
    [
        ("http://127.0.0.1:8001/v1", Door("127.0.0.1", 8001, False)),
        ("http://[0:0::1]:80", Door("::1", 80, False)),
        ("https://Wiki.Corp/rest", Door("wiki.corp", 443, True)),
        ("http://localhost", Door("localhost", 80, False)),
    ],
)
def test_a_private_api_is_a_door_and_its_key_is_for_that_door(url: str, door: Door) -> None:
    policy = policy_of(settings(intra=ApiConfig(private=True, url=url, secret="INTRA_KEY")))

    assert policy.doors == (door,)
    assert policy.hosts == ()
    assert [secret.hosts for secret in policy.secrets] == [(str(door),)]
    assert policy.upstream(*door[:2], tls=door.tls) == door
    assert policy.refusal(*door[:2], "POST", tls=door.tls) is None
    assert policy.refusal(door.host, door.port + 1, "POST", tls=door.tls)
    assert summary(policy) == "allowlist (1 host)"


@pytest.mark.parametrize(
    ("api", "says"),
    [
        (ApiConfig(url="http://api.example.com/v1"), "not https on the usual port"),
        (ApiConfig(url="https://api.example.com:8443/v1"), "not https on the usual port"),
        (ApiConfig(url="ftp://api.example.com"), "no http or https URL"),
        (ApiConfig(url="https://api.example.com:port"), "not a URL"),
        (ApiConfig(url="https://10.0.0.1"), "not a host name"),
        (ApiConfig(private=True, url="http://a.corp:1", hosts=("b.corp",)), "has one host"),
        (ApiConfig(private=True, url="http://a.corp:1", host="b.corp"), "that of its URL a.corp"),
        (ApiConfig(private=True, url="http://*.corp:1"), "is not a host"),
    ],
)
def test_an_api_that_would_open_more_than_it_says_is_refused(api: ApiConfig, says: str) -> None:
    with pytest.raises(UsageFault, match=says):
        policy_of(settings(one=api))


def test_with_the_network_off_no_key_is_handed_out_and_no_api_is_told_of() -> None:
    config = settings(NetworkConfig(policy="none"), a=ApiConfig(host="api.example.com", secret="INTRA_KEY"))

    assert apis_of(config) == ()
    assert policy_of(config).secrets == ()
    assert summary(policy_of(config)) == "none"


def test_the_open_network_is_said_to_be_open_and_a_list_tells_its_length() -> None:
    assert summary(policy_of(settings(NetworkConfig(policy="open")))) == "open"
    assert summary(policy_of(settings(NetworkConfig(hosts=("a.org", "b.org"))))) == "allowlist (2 hosts)"
    assert summary(policy_of(settings())) == "allowlist (0 hosts)"


def test_paths_that_act_count_as_written_and_below_the_base_of_the_api() -> None:
    api = ApiConfig(host="api.example.com", url="https://api.example.com/v1/", acts=("/send/*", "now"))
    again = policy_of(settings(a=api)).readonly(("api.example.com",))

    def refused(target: str) -> bool:
        return again.refusal("api.example.com", 443, "GET", tls=True, target=target) is not None

    assert refused("/v1/send/4")
    assert refused("/send/4")
    assert refused("/v1/now?x=1")
    assert not refused("/v2/send/4")
    assert not refused("/v1/read")


def test_the_gate_knows_which_api_a_host_belongs_to() -> None:
    policy = policy_of(settings(NetworkConfig(hosts=("docs.org",)), a=ApiConfig(host="a.org", hosts=("b.org",))))

    assert [policy.api_of(host) for host in ("a.org", "b.org", "docs.org")] == ["a", "a", ""]


@pytest.mark.parametrize(
    ("text", "override"),
    [
        ("10.0.0.1", Override("10.0.0.1")),
        ("10.0.0.1:8443", Override("10.0.0.1", 8443)),
        ("10.0.0.1:8443:8080", Override("10.0.0.1", 8443, 8080)),
        ("fd00::1", Override("fd00::1")),
        ("[fd00::1]:8443", Override("fd00::1", 8443)),
    ],
)
def test_an_address_takes_the_place_of_what_a_name_resolves_to(text: str, override: Override) -> None:
    config = Config(network=NetworkConfig(addresses={"api.example.com": text}))

    assert policy_of(config).overrides == {"api.example.com": override}


@pytest.mark.parametrize(
    "text", ["", "localhost", "10.0.0", "10.0.0.1:", "10.0.0.1:1:2:3", "[fd00::1", "10.0.0.1:https"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageFault, match="is not an address"):
        policy_of(Config(network=NetworkConfig(addresses={"api.example.com": text})))
