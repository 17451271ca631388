"""A certificate authority for one session: only its certificate ever leaves the process."""

from __future__ import annotations

import datetime
import ipaddress
import secrets
import ssl
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID = datetime.timedelta(days=7)
_SKEW = datetime.timedelta(days=1)
_CACHED = 256
"""Host names: the sandbox may ask for any number of them."""


class SessionCA:
    """Signs a server certificate for whatever host the sandbox asks for. The signing key exists in memory only."""

    pem: bytes
    """The certificate, the one root that clients in the sandbox need to trust."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("ecoassist session CA")
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._leaf = ec.generate_private_key(ec.SECP256R1())
        # ssl reads keys from files only, so the file holds an encrypted one, and the password stays here.
        self._password = secrets.token_hex(32)
        sealed = BestAvailableEncryption(self._password.encode())
        self._sealed_leaf = self._leaf.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, sealed)
        self.pem = self._root().public_bytes(Encoding.PEM)

    def context(self, host: str) -> ssl.SSLContext:
        """A server's TLS context with a certificate for `host`, a name or an IP address."""
        if host not in self._contexts:
            if len(self._contexts) >= _CACHED:
                self._contexts.clear()
            self._contexts[host] = self._context(host)
        return self._contexts[host]

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
            self._builder(self._name, public)
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
            self._builder(_name(host[:64]), self._leaf.public_key())
            .add_extension(x509.SubjectAlternativeName([names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(issuer, critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def _builder(self, subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _SKEW)
            .not_valid_after(now + _VALID)
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
