"""Settings become hosts, keys, tiers and a judge; what does not fit is refused before anything is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ecoassist.borders import CleanStore
from ecoassist.clock import Clock
from ecoassist.config import load
from ecoassist.demo.endpoint import Endpoint, Scripted
from ecoassist.egress.policy import Override
from ecoassist.entries import Solution
from ecoassist.errors import NoModel, UsageFault
from ecoassist.play import play
from ecoassist.prompts import CLOSED, NETWORK, OPEN
from ecoassist.reach import apis_of, missing_keys, policy_of
from ecoassist.redactor import Redactor
from ecoassist.sandboxes import Sandboxes
from ecoassist.testing import MemoryStore
from ecoassist.tiers import choices_of, judge_choice, price_of, steps_of
from ecoassist.types import Answer, Attachment, Attempt, CellResult, Place, Price, Reply, Task, Turn
from ecoassist.verdict.judge import Chain
from ecoassist.wiring import now, open_session

WEATHER = """
[apis.weather]
host = "api.weather.example"
secret = "WEATHER_KEY"
place = "query:key, header:X-Key"
card = "forecast, rain"
"""
KEY = "k3y-of-weather"


def config(tmp_path: Path, text: str, **environ: str):  # type: ignore[no-untyped-def]
    file = tmp_path / "config.toml"
    file.write_text(text)
    return load(file, environ={"ECOASSIST_DATA": str(tmp_path / "data"), **environ})


def test_an_api_with_its_key_opens_its_host_and_binds_the_key_to_its_places(tmp_path: Path) -> None:
    settings = config(tmp_path, WEATHER + '[network]\nhosts = ["docs.example"]\n', WEATHER_KEY=KEY)
    policy = policy_of(settings)
    assert policy.hosts == ("api.weather.example", "docs.example")
    (secret,) = policy.secrets
    assert (secret.name, secret.value, secret.hosts) == ("WEATHER_KEY", KEY, ("api.weather.example",))
    assert secret.places == (Place("query", "key"), Place("header", "X-Key"))
    assert len(secret.placeholder) == len(KEY)
    assert secret.placeholder != KEY
    assert [api.card for api in apis_of(settings)] == ["forecast, rain"]


def test_prompts_tell_of_hosts_without_an_api_and_of_the_open_network_outside_a_sandbox(tmp_path: Path) -> None:
    settings = config(tmp_path, WEATHER + '[network]\nhosts = ["docs.example"]\n', WEATHER_KEY=KEY)
    inside, outside = (Sandboxes(settings, print, (), unsafe_local=unsafe) for unsafe in (False, True))
    assert [api.host for api in inside.apis] == ["api.weather.example", "docs.example"]
    assert (inside.network, outside.network) == (CLOSED, OPEN)


def test_a_stored_program_holds_neither_placeholder_nor_key(tmp_path: Path) -> None:
    boxes = Sandboxes(config(tmp_path, WEATHER, WEATHER_KEY=KEY), print, (), unsafe_local=True)
    assert KEY not in (program := boxes.portable(f"key = '{KEY}'"))
    assert "os.environ['WEATHER_KEY']" in program


def test_a_program_of_others_gets_neither_keys_nor_private_apis(tmp_path: Path) -> None:
    text = WEATHER + '[apis.mine]\nurl = "http://localhost:8090"\nprivate = true\n'
    boxes = Sandboxes(config(tmp_path, text, WEATHER_KEY=KEY), print, ())
    hosts = ("api.weather.example", "localhost", "closed.example")
    assert boxes.closed(hosts) == ("closed.example",)
    assert boxes.closed(hosts, keyless=True) == ("localhost", "closed.example")
    policy = boxes._keyless(hosts)
    assert (policy.hosts, policy.secrets, policy.doors, policy.read_only) == (("api.weather.example",), (), (), True)
    boxes = Sandboxes(config(tmp_path, text + '[network]\npolicy = "none"\n', WEATHER_KEY=KEY), print, ())
    assert boxes.closed(hosts) == hosts


def test_why_a_program_failed_is_stored_without_a_placeholder(tmp_path: Path) -> None:
    boxes = Sandboxes(config(tmp_path, WEATHER, WEATHER_KEY=KEY), print, ())
    (secret,) = policy_of(config(tmp_path, WEATHER, WEATHER_KEY=KEY)).secrets
    placeholder = boxes._policy.secrets[0].placeholder
    assert placeholder != secret.placeholder
    store = MemoryStore()
    id = store.keep(Solution("q", "p", Answer(""), "cheap"))
    CleanStore(store, Redactor(), boxes.unmarked).settle(
        id, False, why=f"HTTPError: 403 for https://w?key={placeholder}"
    )
    assert store.rows[id].note == "HTTPError: 403 for https://w?key=[WEATHER_KEY]"


def test_an_api_without_its_key_is_off(tmp_path: Path) -> None:
    settings = config(tmp_path, WEATHER)
    assert missing_keys(settings) == {"weather": "WEATHER_KEY"}
    assert apis_of(settings) == ()
    assert policy_of(settings).hosts == ()


def test_two_apis_may_share_a_key_without_sharing_its_places(tmp_path: Path) -> None:
    text = WEATHER + '[apis.maps]\nhost = "maps.example"\nsecret = "WEATHER_KEY"\nplace = "bearer"\n'
    policy = policy_of(config(tmp_path, text, WEATHER_KEY=KEY))
    assert len({secret.placeholder for secret in policy.secrets}) == 1
    assert [place.kind for secret in policy.secrets_of("maps.example") for place in secret.places] == ["bearer"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (WEATHER.replace("query:key", "cookie:key"), "apis.weather: 'cookie:key'"),
        (WEATHER.replace("api.weather.example", "https://api.weather.example"), "not a host name"),
        ('[network.addresses]\n"a.example" = "127.0.0.1:x"\n', "127.0.0.1:x"),
    ],
)
def test_an_unfit_api_or_address_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageFault) as caught:
        policy_of(config(tmp_path, text, WEATHER_KEY=KEY))
    assert says in str(caught.value)
    assert caught.value.remedy
    assert KEY not in str(caught.value)


def test_a_short_key_is_refused_without_being_shown(tmp_path: Path) -> None:
    with pytest.raises(UsageFault) as caught:
        policy_of(config(tmp_path, WEATHER, WEATHER_KEY="s3cr3t"))
    assert "apis.weather" in str(caught.value)
    assert "s3cr3t" not in str(caught.value) + caught.value.remedy


def test_an_address_replaces_what_a_name_resolves_to(tmp_path: Path) -> None:
    settings = config(tmp_path, '[network]\nhosts = ["a.example"]\naddresses = {"a.example" = "127.0.0.1:8443:8080"}\n')
    assert policy_of(settings).overrides == {"a.example": Override("127.0.0.1", 8443, 8080)}


def tiers(url: str) -> str:
    return "".join(
        f'[[tiers]]\nname = "{name}"\nmodel = "{model}"\nbase_url = "{url}"\nprice = {{ input = 1, output = 2 }}\n'
        for name, model in (("cheap", "small"), ("strong", "big"))
    )


def test_the_last_tier_judges_unless_another_is_named(tmp_path: Path) -> None:
    with Endpoint({"small": [Scripted("")], "big": [Scripted("")]}) as endpoint:
        settings = config(tmp_path, tiers(endpoint.url))
        choices = choices_of(settings)
        assert [choice.model for choice in choices] == ["small", "big"]
        assert price_of(choices[0]) == Price(1, 2)
        judge = judge_choice(settings, choices)
        assert judge is not None
        assert judge.model == "big"
        for name, model in (("cheap", "small"), ("none", None), ("person", None)):
            named = judge_choice(config(tmp_path, tiers(endpoint.url) + f'[judge]\nmodel = "{name}"\n'), choices)
            assert (named.model if named else None) == model
        with pytest.raises(UsageFault, match="'nobody' is not a tier"):
            judge_choice(config(tmp_path, '[judge]\nmodel = "nobody"\n'), choices)


def test_a_model_of_its_own_judges_at_the_endpoint_of_a_tier(tmp_path: Path) -> None:
    with Endpoint({"small": [Scripted("")], "big": [Scripted("")], "fair": [Scripted("")]}) as endpoint:
        named = tiers(endpoint.url) + '[judge]\nmodel = "fair"\ntier = "cheap"\nprice = { input = 3, output = 4 }\n'
        settings = config(tmp_path, named)
        choices = choices_of(settings)
        judge = judge_choice(settings, choices)
        assert judge is not None
        assert (judge.model, judge.base_url, price_of(judge)) == ("fair", endpoint.url, Price(3, 4))
        assert [choice.model for choice in choices] == ["small", "big"]
        with pytest.raises(NoModel, match="does not serve 'fare'"):
            judge_choice(config(tmp_path, named.replace('"fair"', '"fare"')), choices)
        with pytest.raises(UsageFault, match=r"judge\.tier: 'chepa' is not a tier"):
            judge_choice(config(tmp_path, named.replace('tier = "cheap"', 'tier = "chepa"')), choices)


@pytest.mark.parametrize(
    ("judge", "chat", "person", "steps"),
    [
        ("", False, False, ("agreement", "model", "person")),
        ("", False, True, ("agreement", "model", "person")),
        ("", True, True, ("agreement", "person")),
        ("", True, False, ("agreement", "model", "person")),
        ('model = "cheap"', True, True, ("agreement", "person")),
        ('model = "person"', False, True, ("agreement", "person")),
        ('model = "none"', True, True, ("agreement",)),
        ('model = "none"\ntier = "cheap"\nchain = ["model", "person"]', True, True, ()),
        ('chain = ["checks", "model"]', True, True, ("checks", "model")),
        ("chain = []", False, True, ()),
    ],
)
def test_the_chain_is_the_configured_one_else_in_a_conversation_the_person_judges(
    judge: str, chat: bool, person: bool, steps: tuple[str, ...], tmp_path: Path
) -> None:
    assert steps_of(config(tmp_path, f"[judge]\n{judge}\n"), chat=chat, person=person) == steps


@pytest.mark.parametrize(
    ("judge", "options", "who"),
    [
        ("", {}, (True, False)),
        ("", {"asks": True}, (True, True)),
        ("", {"chat": True, "person": True}, (False, True)),
        ('model = "none"', {"chat": True, "person": True}, (False, False)),
        ('model = "person"', {"asks": True}, (False, True)),
        ('model = "person"', {}, (False, False)),
        ('chain = ["model"]', {"chat": True, "person": True}, (True, False)),
    ],
)
def test_a_session_knows_whether_anybody_judges(
    judge: str, options: dict[str, Any], who: tuple[bool, bool], tmp_path: Path
) -> None:
    with Endpoint({"small": [Scripted("")], "big": [Scripted("")]}) as endpoint:
        settings = config(tmp_path, tiers(endpoint.url) + f"[judge]\n{judge}\n")
        with open_session(settings, unsafe_local=True, **options) as session:
            chain = session.engine.judge
            assert isinstance(chain, Chain)
            assert (chain.model is not None, chain.person) == who
            assert session.judged is any(who)


@pytest.mark.parametrize("refuse", [{}, {"json_schema": 400}, {"json_schema": 422, "json_object": 422}])
@pytest.mark.parametrize("reply", ['{"evidence": "4", "reason": "fits", "solved": true}', "**Yes**, it stands there."])
def test_a_judge_is_asked_for_json_as_far_as_its_endpoint_can_and_read_whatever_comes(
    reply: str, refuse: dict[str, int], tmp_path: Path
) -> None:
    cell = Turn(Reply("c"), "print(4)", CellResult("ok", "4"))
    attempt = Attempt("cheap", (cell, Turn(Reply("4"), answer=Answer("4", 4))), "answered", model="small")
    with Endpoint({"small": [Scripted("")], "big": [Scripted(reply)]}, refuse=refuse) as endpoint:
        with open_session(config(tmp_path, tiers(endpoint.url)), unsafe_local=True) as session:
            verdict = play(session.engine.judge.judge(Task("What is 2 + 2?"), [attempt]))
            spent, judging = session.engine.spending()
        [served] = endpoint.log
    assert (verdict.solved, verdict.by, verdict.judge, verdict.own) == (True, "model", "big", False)
    form = served.request.body.get("response_format", {}).get("type")
    assert form == ("json_schema" if not refuse else "json_object" if len(refuse) == 1 else None)
    assert spent == judging
    assert judging.calls == 1


def test_two_tiers_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match="two tiers are called 'cheap'"):
        choices_of(config(tmp_path, tiers("http://127.0.0.1:9").replace('"strong"', '"cheap"')))


def test_without_a_model_no_kernel_is_started(tmp_path: Path) -> None:
    settings = config(tmp_path, tiers("http://127.0.0.1:9"), DOCKER_HOST="unix:///nowhere.sock")
    with pytest.raises(NoModel), open_session(settings):
        pytest.fail("a session without a model")


def test_the_time_is_told_with_its_weekday_and_zone() -> None:
    import re

    assert re.fullmatch(r"[A-Z][a-z]+, \d{1,2} [A-Z][a-z]+ \d{4}, \d\d:\d\d \(.+\)", now())


def test_the_clock_that_stops_for_questions_is_the_one_that_counts_a_cell(tmp_path: Path) -> None:
    clock = Clock()
    with Endpoint({"weak": [Scripted("x")]}) as endpoint:
        tier = f'[[tiers]]\nname = "weak"\nmodel = "weak"\nbase_url = "{endpoint.url}"\n'
        with open_session(config(tmp_path, tier), unsafe_local=True, clock=clock) as session:
            assert session.clock is clock
            assert isinstance(session.boxes, Sandboxes)
            assert session.boxes.clock is clock


def test_each_policy_has_its_words_for_the_model_and_for_the_person(tmp_path: Path) -> None:
    def boxes(policy: str, *files: Attachment, unsafe: bool = False) -> tuple[Sandboxes, list[str]]:
        said: list[str] = []
        text = WEATHER + f'[network]\npolicy = "{policy}"\nhosts = ["docs.example"]\n'
        return Sandboxes(config(tmp_path, text, WEATHER_KEY=KEY), said.append, files, unsafe_local=unsafe), said

    off, said = boxes("none", Attachment("a.csv", b""))
    assert (off.network, off.reach, off.apis, said) == (NETWORK["none"], "none", (), [])
    listed, said = boxes("allowlist", Attachment("a.csv", b""))
    assert (listed.network, listed.reach, said) == (NETWORK["allowlist"], "allowlist (2 hosts)", [])
    free, said = boxes("open")
    assert (free.network, free.reach, said) == (NETWORK["open"], "open", [])
    assert [api.host for api in free.apis] == ["api.weather.example", "docs.example"]
    _, said = boxes("open", Attachment("a.csv", b""), Attachment("b.csv", b""))
    assert said == ["warning: the network is open: code can send a.csv, b.csv to any public host"]
    bare, said = boxes("open", Attachment("a.csv", b""), unsafe=True)
    assert (bare.reach, said) == ("", [])
    with pytest.raises(UsageFault, match="nothing keeps code off the network"):
        boxes("none", unsafe=True)


def test_what_the_person_opens_for_good_is_kept_and_where_it_cannot_be_it_is_open_for_the_session(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    settings = config(tmp_path, "")
    boxes = Sandboxes(settings, said.append, ())
    for host, span in (("a.org", "always"), ("b.org", "once"), ("c.org", "session")):
        boxes.open(host, span)
    boxes.grants.begin()
    assert boxes.grants.hosts == ("a.org", "c.org")
    assert policy_of(config(tmp_path, "")).hosts == ("a.org",)
    settings.added.joinpath("a.org.json").unlink()
    settings.added.rmdir()
    settings.added.touch()
    boxes.open("d.org", "always")
    assert "d.org" in boxes.grants.hosts
    assert "d.org is open for this session only" in said[0]
    assert said[0].startswith("warning: ")


def test_code_may_install_packages_where_an_index_is_given_and_is_told_how(tmp_path: Path) -> None:
    from ecoassist.prompts import system_text

    boxes = Sandboxes(config(tmp_path, '[network]\npackages = ["index.example"]\n'), print, ())
    assert '"-m", "pip", "install"' in system_text(packages=boxes.packages)
    assert "pip" not in system_text()
    locked: list[str] = []
    mirror = {"PIP_CONFIG_FILE": "/dev/null", "PIP_INDEX_URL": "https://me:w0rd-pass@index.example/simple"}
    Sandboxes(config(tmp_path, "[network]\npackages = true\n", **mirror), locked.append, ())
    assert locked == ["the package index of pip here asks for a password, which code is not given"]


def test_a_private_api_on_this_machine_is_not_taken_for_the_sandbox_itself(tmp_path: Path) -> None:
    from ecoassist.sandboxes import _without_proxy

    def without(url: str) -> dict[str, str]:
        return _without_proxy(policy_of(config(tmp_path, f'[apis.a]\nprivate = true\nurl = "{url}"\n')))

    assert without("http://10.0.0.1:8001") == {}
    assert without("http://127.0.0.1:8001") == {}  # the sandbox listens in its place
    assert without("http://[::1]:8001") == dict.fromkeys(("NO_PROXY", "no_proxy"), "localhost,127.0.0.1,0.0.0.0")
    assert without("http://localhost:3128") == dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,0.0.0.0,::1")


def test_the_listing_of_operations_holds_no_key_that_a_card_holds(tmp_path: Path) -> None:
    text = WEATHER.replace('"forecast, rain"', f'"""{KEY}\n' + "rain and snow\n" * 200 + '"""')
    boxes = Sandboxes(config(tmp_path, text, WEATHER_KEY=KEY), print, ())
    (listing,) = boxes.files
    assert boxes.listing == repr(listing.name) == "'.apis.txt'"
    assert b"rain and snow" in listing.content
    assert KEY.encode() not in listing.content
