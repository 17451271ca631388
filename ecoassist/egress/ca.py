"""A certificate authority for one session: only its certificate ever leaves the process."""

from __future__ import annotations

import datetime
import ipaddress
import secrets
import ssl
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_ROOT = datetime.timedelta(days=365)
"""A session may be left open for long."""
_LEAF = datetime.timedelta(days=7)
_RENEWED = 86400.0
"""Seconds after which a host's certificate is made anew."""
_SKEW = datetime.timedelta(days=1)
_CACHED = 256
"""Host names: the sandbox may ask for any number of them."""
_COMMON_NAME = 64
"""Characters that X.509 lets it have. Clients compare the alternative name, which holds all of a host's."""


class SessionCA:
    """Signs a server certificate for whatever host the sandbox asks for. The signing key exists in memory only."""

    pem: bytes
    """The certificate, the one root that clients in the sandbox need to trust."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """`clock`: seconds since 1970."""
        self._clock = clock
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("ecoassist session CA")
        self._contexts: dict[str, tuple[float, ssl.SSLContext]] = {}
        """By host, the one that was asked for last at the end; with the time when it was made."""
        self._leaf = ec.generate_private_key(ec.SECP256R1())
        # ssl reads keys from files only, so the file holds an encrypted one, and the password stays here.
        self._password = secrets.token_hex(32)
        sealed = BestAvailableEncryption(self._password.encode())
        self._sealed_leaf = self._leaf.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, sealed)
        self.pem = self._root().public_bytes(Encoding.PEM)

    def context(self, host: str) -> ssl.SSLContext:
        """A server's TLS context with a certificate for `host`, a name or an IP address."""
        now = self._clock()
        made, context = self._contexts.pop(host, (0.0, None))
        if not context or not 0 <= now - made < _RENEWED:
            made, context = now, self._context(host)
        while len(self._contexts) >= _CACHED:
            del self._contexts[next(iter(self._contexts))]
        self._contexts[host] = (made, context)
        return context

    def _context(self, host: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        with tempfile.TemporaryDirectory(prefix="ecoassist-") as folder:
            chain = Path(folder, "leaf.pem")
            chain.write_bytes(self._certificate(host).public_bytes(Encoding.PEM) + self._sealed_leaf)
            context.load_cert_chain(chain, password=self._password)
        return context

    def _root(self) -> x509.Certificate:
        public = self._key.public_key()
        return (
            self._builder(self._name, public, _ROOT)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def _certificate(self, host: str) -> x509.Certificate:
        try:
            names: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            names = x509.DNSName(host)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            self._builder(_name(host[:_COMMON_NAME]), self._leaf.public_key(), _LEAF)
            .add_extension(x509.SubjectAlternativeName([names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(issuer, critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def _builder(
        self, subject: x509.Name, public: ec.EllipticCurvePublicKey, valid: datetime.timedelta
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.fromtimestamp(self._clock(), datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _SKEW)
            .not_valid_after(now + valid)
        )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
