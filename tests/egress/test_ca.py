"""The authority of a session."""

from __future__ import annotations

import time

from cryptography import x509

from ecoassist.egress.ca import SessionCA


def test_only_a_certificate_leaves() -> None:
    pem = SessionCA().pem

    assert pem.startswith(b"-----BEGIN CERTIFICATE-----")
    assert b"PRIVATE" not in pem
    assert x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_every_session_has_its_own() -> None:
    assert SessionCA().pem != SessionCA().pem


def test_contexts_are_made_quickly_once_per_host_and_not_without_end() -> None:
    ca = SessionCA()
    begun = time.monotonic()
    first = ca.context("a.example.com")

    assert ca.context("a.example.com") is first
    for n in range(300):
        ca.context(f"h{n}.example.com")
    assert ca.context("a.example.com") is not first
    assert time.monotonic() - begun < 15


def test_addresses_get_a_certificate_too() -> None:
    ca = SessionCA()

    assert ca.context("127.0.0.1") is not ca.context("::1")
