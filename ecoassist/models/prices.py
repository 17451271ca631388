"""What a model costs, from the price list of the genai-prices library that is installed: no network.

A price in the configuration goes before this one; that is up to whoever asks.
"""

from __future__ import annotations

import ipaddress
from datetime import datetime
from importlib.metadata import version
from urllib.parse import urlsplit

from ecoassist.types import Price

PROBE = 1000
"""Tokens priced to learn a rate: within the first step of all prices that have steps."""


def price_of(model: str, base_url: str, at: datetime | None = None) -> Price | None:
    """Dollars per million tokens at that endpoint and moment (None: now); None: unknown, which is not free.

    An endpoint on this machine or in a private network costs nothing: that is our rule, for the list has no such ones.
    Where long prompts cost more per token, it is the price of short ones; where prices vary by hour, that of `at`.
    """
    return Price(0.0, 0.0, 0.0) if is_local(base_url) else listed_price(model, base_url, at)


def price_of_reading(model: str, base_url: str) -> Price | None:
    """Of a model that only reads, as one for embeddings does. None: unknown."""
    return Price(0.0, 0.0, 0.0) if is_local(base_url) else listed_price(model, base_url, writes=False)


def listed_price(
    model: str, base_url: str | None = None, at: datetime | None = None, *, writes: bool = True
) -> Price | None:
    """The price in the list: of the provider that base_url belongs to; None: of whichever provider has the model.

    Text tokens without any price are unknown, not free, unless the name itself ends in ":free", or it never `writes`.
    """
    from genai_prices import Usage, calc_price  # noqa: TID251 - the one place; 0.3 s to import

    def rate(**tokens: int) -> float:
        priced = calc_price(Usage(**tokens), model, provider_api_url=base_url, genai_request_timestamp=at)
        return float(priced.total_price) * 1e6 / PROBE

    try:
        read, written = rate(input_tokens=PROBE), rate(output_tokens=PROBE)
        cached = rate(input_tokens=PROBE, cache_read_tokens=PROBE)
        kept = rate(input_tokens=PROBE, cache_write_tokens=PROBE)
    except LookupError:
        return None
    if (read == 0 or (written == 0 and writes)) and not model.endswith(":free"):
        return None
    return Price(read, written, cached, kept if kept != read else None)


def is_local(base_url: str) -> bool:
    """Whether the endpoint is on this machine or in a private network, told by its address alone."""
    host = urlsplit(base_url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_private


def source() -> str:
    """Where prices come from, for `ecoassist doctor`. The list itself bears no date."""
    return f"genai-prices {version('genai-prices')}"
