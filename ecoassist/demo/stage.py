"""Everything that the tour plays on: an endpoint with scripts, emulated APIs, and a configuration that names them.

The configuration is a file like anybody's own, and nothing in ecoassist knows that it belongs to a demo.
"""

from __future__ import annotations

import datetime
import json
import random
import secrets
import string
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecoassist.config import Config, JudgeConfig, load
from ecoassist.egress.ca import SessionCA
from ecoassist.egress.policy import Policy
from ecoassist.egress.proxy import Gate
from ecoassist.types import Attachment

from . import roles
from .emulators import SERVICES, Emulators, Service
from .endpoint import Endpoint
from .listener import listening
from .script import Script

KEYS = {
    "WEATHERAPI_KEY": ("api.weatherapi.com", string.digits + "abcdef", 31),
    "ALPHAVANTAGE_KEY": ("www.alphavantage.co", string.digits + string.ascii_uppercase, 16),
    "GOOGLE_MAPS_KEY": ("maps.googleapis.com", string.digits + string.ascii_letters, 39),
}
"""Variable -> host, alphabet and length of the key. The keys are made up anew for every tour."""

SETTINGS = """\
[[tiers]]
name = "cheap"
model = "@weak"
base_url = @endpoint
price = { input = 0.10, output = 0.50 }

[[tiers]]
name = "strong"
model = "@strong"
base_url = @endpoint
price = { input = 2.00, output = 10.00 }

[apis.weather]
host = "api.weatherapi.com"
secret = "WEATHERAPI_KEY"
place = "query:key"
card = '''
Weather now and forecast of any city: temperature, wind, chance of rain or snow.
GET https://api.weatherapi.com/v1/forecast.json?key=KEY&q=CITY&dt=YYYY-MM-DD (one day) or &days=N (from today on)
-> forecast.forecastday[]: date, day {maxtemp_c, mintemp_c, daily_chance_of_rain, condition.text}, hour[]'''

[apis.stock]
host = "www.alphavantage.co"
secret = "ALPHAVANTAGE_KEY"
place = "query:apikey"
card = '''
Stock prices: open, high, low and closing price of each trading day.
GET https://www.alphavantage.co/query?function=TIME_SERIES_DAILY&symbol=IBM&apikey=KEY
-> "Time Series (Daily)": {DATE: {"1. open", "2. high", "3. low", "4. close", "5. volume"}}, latest first'''

[apis.places]
host = "maps.googleapis.com"
secret = "GOOGLE_MAPS_KEY"
place = "query:key"
card = '''
Places near a spot: restaurants, cafes, museums, with address, rating and opening hours.
GET https://maps.googleapis.com/maps/api/place/textsearch/json?query=WHAT+in+WHERE&key=KEY
-> results[]: name, formatted_address, rating, opening_hours'''

[network]
ca_bundle = @authority

[network.addresses]
"""
"""Prices: examples, in dollars per million tokens; what a small and a large model of one provider cost."""


@dataclass(frozen=True, slots=True)
class Stage:
    config: Config
    """Of the two tiers."""
    alone: Config
    """Of the strong tier alone, at its own endpoint: no verdict, and a memory that stays empty."""
    endpoint: Endpoint
    """Of `config`."""
    emulators: Emulators
    keys: Mapping[str, str]
    """Variable -> the real key."""

    def accepted(self, variable: str) -> int:
        """How many requests came with the real key."""
        host, key = KEYS[variable][0], self.keys[variable]
        return sum(key in request.params.values() for request in self.emulators.log[host])


@contextmanager
def stage(
    environ: Mapping[str, str], pace: float, *, local: bool = False, models: Mapping[str, Script] | None = None
) -> Iterator[Stage]:
    """Sets up servers and settings, and takes them down.

    `environ`: where the container engine is looked for. `local`: for kernels outside a sandbox, which reach the
    emulated hosts through a proxy in their environment. `models`: the scripts of the two models, if not the tour's.
    """
    keys = {name: "".join(secrets.choice(letters) for _ in range(size)) for name, (_, letters, size) in KEYS.items()}
    services = {**SERVICES, "www.alphavantage.co": _telling(SERVICES["www.alphavantage.co"])}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ecoassist-demo-")))
        by_host = {host: keys[name] for name, (host, _, _) in KEYS.items()}
        emulators = stack.enter_context(Emulators(by_host, datetime.datetime.now(), services))
        endpoint = stack.enter_context(Endpoint(models or roles.models(pace)))
        variables = {**environ, **keys, "ECOASSIST_DATA": str(folder / "data")}
        if local:
            variables |= stack.enter_context(_way_out(emulators, folder))
        config = load(_settings(endpoint, emulators, folder), environ=variables)
        quick = stack.enter_context(Endpoint(models or roles.models(0)))
        strong = config.tiers[-1].model_copy(update={"base_url": quick.url})
        update = {"tiers": (strong,), "judge": JudgeConfig(model="none"), "data": folder / "alone"}
        yield Stage(config, config.model_copy(update=update), endpoint, emulators, keys)


def _settings(endpoint: Endpoint, emulators: Emulators, folder: Path) -> Path:
    authority, file = folder / "authority.pem", folder / "config.toml"
    authority.write_bytes(emulators.pem)
    text = SETTINGS.replace("@endpoint", json.dumps(endpoint.url)).replace("@authority", json.dumps(str(authority)))
    text = text.replace("@weak", roles.WEAK).replace("@strong", roles.STRONG)
    text += "".join(
        f'"{host}" = "{there.address}:{there.tls_port}:{there.plain_port}"\n'
        for host, there in emulators.overrides.items()
    )
    file.write_text(text, encoding="utf-8")
    return file


@contextmanager
def _way_out(emulators: Emulators, folder: Path) -> Iterator[dict[str, str]]:
    """The environment that leads programs of this machine to the emulated hosts, and nowhere else."""
    authority = SessionCA()
    trusted = folder / "trusted.pem"
    trusted.write_bytes(authority.pem)
    gate = Gate(Policy(tuple(emulators.overrides), overrides=emulators.overrides), authority, emulators.upstream)
    with listening(gate) as proxy:
        names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
        yield {**dict.fromkeys(names, proxy), "no_proxy": "", "NO_PROXY": "", "SSL_CERT_FILE": str(trusted)}


def _telling(service: Service) -> Service:
    """The stock service, which tells a caller of a premium function its own key, as its notices on quotas do."""

    def answer(path: str, params: Mapping[str, str], key: str, now: datetime.datetime) -> tuple[int, Any]:
        if params.get("function") == "REALTIME_BULK_QUOTES" and params.get("apikey") == key:
            return 200, {"Information": f"Premium endpoint. We have detected your API key as {key}."}
        return service(path, params, key, now)

    return answer


def sales() -> Attachment:
    """Half a year of a shop with four regions, the same in every tour."""
    chance = random.Random(7)
    rows = ["date,region,units,price"]
    for week in range(26):
        day = datetime.date(2026, 1, 5) + datetime.timedelta(weeks=week)
        for region, level in {"North": 40, "East": 55, "South": 70, "West": 35}.items():
            rows.append(f"{day},{region},{chance.randint(level - 20, level + 20)},{chance.choice((4.5, 12.9, 24.0))}")
    return Attachment("sales.csv", "\n".join(rows).encode())
