"""The published EcoAssistant programs, unmodified, in the sandbox: through the gate to the emulated services.

They bring placeholder keys of their own, which the gate swaps for real ones that only the emulators know.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from ecoassist import faults
from ecoassist.demo.emulators import Emulators
from ecoassist.demo.emulators.market import trades
from ecoassist.egress.ca import SessionCA
from ecoassist.egress.policy import Policy
from ecoassist.egress.proxy import Gate
from ecoassist.events import Stream
from ecoassist.kernel.box import DockerBox
from ecoassist.kernel.settings import BoxSettings
from ecoassist.ports import Kernel
from ecoassist.types import CellResult, Place, Secret

pytestmark = pytest.mark.docker

WEATHER, STOCK, MAPS = "api.weatherapi.com", "www.alphavantage.co", "maps.googleapis.com"
SECRETS = (
    Secret("WEATHERAPI_KEY", "c7d1e2f3", "b4d5490d", (WEATHER,), (Place("query", "key"),)),
    Secret("ALPHAVANTAGE_KEY", "d8e2f3a4", "af8fb19b", (STOCK,), (Place("query", "apikey"),)),
    Secret("GOOGLE_PLACES_KEY", "e9f3a4b5", "181dbb37", (MAPS,), (Place("query", "key"),)),
)
SUNDAY = datetime.datetime(2027, 2, 7, 10, 30)
NEW_YEAR = datetime.datetime(2027, 1, 1, 10, 30)
NO_ANSWER = re.compile(r"\b(unable|error|failed|not found|forecast is not available)\b", re.IGNORECASE)

SHIFT = """
def _shift(*moment):
    # All in one function: what is cleared between programs is the kernel's global names.
    import datetime, time

    date, now, clock = datetime.date, datetime.datetime, time.time
    ahead = now(*moment) - now.fromtimestamp(clock())
    seconds = ahead.total_seconds()

    def instances_of(kind):
        class Meta(type):
            def __instancecheck__(cls, value):
                return isinstance(value, kind)

        return Meta

    class Date(date, metaclass=instances_of(date)):
        @classmethod
        def today(cls):
            return cls.fromordinal((now.now() + ahead).toordinal())

    class DateTime(now, metaclass=instances_of(now)):
        @classmethod
        def now(cls, tz=None):
            return cls.fromtimestamp(clock() + seconds, tz)

        @classmethod
        def today(cls):
            return cls.now()

        @classmethod
        def utcnow(cls):
            return cls.now(datetime.timezone.utc).replace(tzinfo=None)

    def by_default(convert):
        return lambda at=None: convert(clock() + seconds if at is None else at)

    datetime.date, datetime.datetime = Date, DateTime
    time.time = lambda: clock() + seconds
    time.localtime, time.gmtime = by_default(time.localtime), by_default(time.gmtime)


_shift({moment})
"""
CLEAR = "get_ipython().run_line_magic('reset', '-f')"


def result_of(stream: Stream[CellResult]) -> CellResult:
    while True:
        try:
            next(stream)
        except StopIteration as end:
            result: CellResult = end.value
            return result


def run(kernel: Kernel, code: str) -> CellResult:
    return result_of(kernel.run(code))


@dataclass
class Day:
    """A kernel, and the services it can reach, on one day."""

    today: datetime.date
    kernel: Kernel
    emulators: Emulators


@pytest.fixture(scope="module", params=[None, SUNDAY, NEW_YEAR], ids=["today", "a Sunday", "1 January"])
def day(request: pytest.FixtureRequest, box_settings: BoxSettings) -> Iterator[Day]:
    moment: datetime.datetime | None = request.param
    now = moment or datetime.datetime.now(datetime.UTC).replace(tzinfo=None)  # the sandbox has UTC
    hosts = (WEATHER, STOCK, MAPS)
    with Emulators({secret.hosts[0]: secret.value for secret in SECRETS}, now) as emulators:
        ca = SessionCA()
        gate = Gate(Policy(hosts, SECRETS, overrides=emulators.overrides), ca, emulators.upstream)
        box = DockerBox(box_settings)
        kernel = box.start(serve=gate.serve, variables=gate.variables, ca_pem=ca.pem, accesses=gate.drain)
        try:
            if moment:
                fields = moment.timetuple()[:5]
                assert run(kernel, SHIFT.format(moment=", ".join(map(str, fields)))).status == "ok"
            yield Day(now.date(), kernel, emulators)
        finally:
            kernel.close()


def test_every_published_program_runs_to_an_answer(day: Day, gold_programs: Mapping[str, str]) -> None:
    assert len(gold_programs) == 52
    failed = {}
    for query, program in gold_programs.items():
        result = run(day.kernel, program)
        fault = faults.of_cell(result)
        if "import yfinance" in program:
            assert fault is not None
            assert fault.kind == "package"
            assert result.error is not None
            assert result.error.name == "ModuleNotFoundError"
        elif result.status != "ok" or not result.text.strip() or NO_ANSWER.search(result.text):
            failed[query] = result
        assert not any(secret.value in result.text for secret in SECRETS)
        assert run(day.kernel, CLEAR).status == "ok"
    assert failed == {}


def test_programs_meet_a_closed_market_and_last_weeks_prices(day: Day, gold_programs: Mapping[str, str]) -> None:
    status = gold_programs["Can you tell me the open status for the London Stock Exchange today?"]
    volume = gold_programs["Please give me the trading volume of Amazon for the past week."]
    assert run(day.kernel, status).text.strip() in (["open", "closed"] if trades(day.today) else ["closed"])
    assert re.search(r"was \d+", run(day.kernel, volume).text)


def test_every_request_of_the_programs_carried_a_real_key(day: Day, gold_programs: Mapping[str, str]) -> None:
    if not any(day.emulators.log.values()):  # on its own, without the test above
        run(day.kernel, next(program for program in gold_programs.values() if "b4d5490d" in program))
    for secret in SECRETS:
        log = day.emulators.log[secret.hosts[0]]
        assert all(request.params[secret.places[0].name] == secret.value for request in log)
        assert all(request.tls for request in log)
    assert any(day.emulators.log.values())


def test_the_sandbox_and_the_services_agree_on_the_day(day: Day) -> None:
    code = f"""
import datetime, os, requests, time
place = {{"key": os.environ["WEATHERAPI_KEY"], "q": "Paris"}}
body = requests.get("http://{WEATHER}/v1/current.json", params=place).json()
print(datetime.date.today(), datetime.datetime.now().date(), time.strftime("%Y-%m-%d", time.localtime()))
print(body["location"]["localtime"][:10], body["current"]["last_updated"][:10])
"""
    result = run(day.kernel, code)
    assert result.status == "ok", result
    assert set(result.text.split()) == {day.today.isoformat()}
