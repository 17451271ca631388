"""Which certificates of real hosts are believed, and in what words they are not."""

from __future__ import annotations

import ssl
from pathlib import Path

_UNKNOWN = "no authority that is known here has signed it (network.ca_bundle can name further ones)"
_REASONS = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is self-signed",
    19: _UNKNOWN,
    20: _UNKNOWN,
    21: _UNKNOWN,
    23: "it was revoked",
    62: "it is for another name",
    64: "it is for another address",
}
"""OpenSSL's numbers of what is wrong with a certificate."""
_FAILURES = {
    "WRONG_VERSION_NUMBER": "it does not speak TLS there",
    "HTTP_REQUEST": "it does not speak TLS there",
    "UNSUPPORTED_PROTOCOL": "it has no TLS from 1.2 on",
    "TLSV1_ALERT_PROTOCOL_VERSION": "it has no TLS from 1.2 on",
}


def verifying(file: Path | str | None = None, folder: Path | str | None = None) -> ssl.SSLContext:
    """TLS from 1.2 on towards hosts that speak HTTP/1.1, with verified names.

    `file`, `folder`: PEM certificates of the authorities, in place of the system's; a folder as OpenSSL keeps it.
    Raises OSError where they cannot be read.
    """
    context = ssl.create_default_context(cafile=file, capath=folder)  # of neither: the system's
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def unfit(error: ssl.SSLCertVerificationError) -> str:
    """What is wrong with a certificate."""
    return _REASONS.get(error.verify_code, error.verify_message)


def words(error: OSError) -> str:
    """Without numbers and addresses, which say something about the person's network."""
    reason = error.reason if isinstance(error, ssl.SSLError) else None
    return _FAILURES.get(reason, reason) if reason else type(error).__name__
