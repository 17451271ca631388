"""The authority of a session."""

from __future__ import annotations

import ssl
import time
from typing import Any

import pytest
from cryptography import x509

from ecoassist.egress.ca import SessionCA

NAME = "api.example.com"


def test_only_a_certificate_leaves() -> None:
    pem = SessionCA().pem

    assert pem.startswith(b"-----BEGIN CERTIFICATE-----")
    assert b"PRIVATE" not in pem
    assert x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_every_session_has_its_own() -> None:
    assert SessionCA().pem != SessionCA().pem


def test_contexts_are_made_once_per_host_and_those_not_asked_for_are_forgotten() -> None:
    ca = SessionCA()
    first, often = ca.context("a.example.com"), ca.context("often.example.com")

    assert ca.context("a.example.com") is first
    for n in range(255):
        assert ca.context("often.example.com") is often
        ca.context(f"h{n}.example.com")
    assert ca.context("often.example.com") is often
    assert ca.context("a.example.com") is not first


def test_a_certificate_is_made_anew_long_before_it_ends() -> None:
    day, now = 86400, [time.time()]
    ca = SessionCA(lambda: now[0])
    first = ca.context(NAME)

    now[0] += day / 2
    assert ca.context(NAME) is first
    now[0] += day / 2
    assert ca.context(NAME) is not first
    now[0] -= 400 * day  # the machine's clock was wrong, and is set back
    second = ca.context(NAME)
    assert ca.context(NAME) is second


@pytest.mark.parametrize(
    "host",
    [
        NAME,
        "127.0.0.1",
        "::1",
        "xn--bcher-kva.example.com",
        "under_score.example.com",
        ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61]),
    ],
)
def test_the_strictest_client_accepts_what_is_signed(host: str) -> None:
    ca = SessionCA()

    assert shaken(ca, ca.context(host), host)["subjectAltName"][0][1].lower().replace("0:0:0:0:0:0:0:1", "::1") == host


def test_a_certificate_for_a_wildcard_serves_the_names_below_it() -> None:
    ca = SessionCA()

    assert shaken(ca, ca.context("*.example.com"), NAME)
    with pytest.raises(ssl.SSLCertVerificationError):
        shaken(ca, ca.context("*.example.com"), "a.b.example.com")


def test_another_sessions_certificate_is_not_accepted() -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        shaken(SessionCA(), SessionCA().context(NAME), NAME)


def shaken(ca: SessionCA, server: ssl.SSLContext, host: str) -> Any:
    """The certificate that a client which trusts `ca` has accepted for `host`, in a handshake without a socket."""
    client = ssl.create_default_context(cadata=ca.pem.decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = client.wrap_bio(down, up, server_hostname=host), server.wrap_bio(up, down, server_side=True)
    for _ in range(3):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                pass
    return sides[0].getpeercert()
