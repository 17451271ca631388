"""What stands before models and the store lets no key pass, and attached files hold none."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecoassist.borders import CleanModel, CleanStore, keys_of, redactor_of
from ecoassist.budget import Budget, Metered
from ecoassist.config import Config, load
from ecoassist.entries import Solution
from ecoassist.keys import Keys, put
from ecoassist.play import play
from ecoassist.redactor import Redactor
from ecoassist.sandboxes import Sandboxes
from ecoassist.testing import MemoryStore, ScriptedModel
from ecoassist.types import Answer, Attachment, Message, Price

KEY = "k3y-of-weather/99"
MODEL_KEY = "sk-of-the-model-1"
REDACTOR = Redactor([("WEATHER_KEY", KEY)])
SETTINGS = """
[[tiers]]
name = "cheap"
model = "small"
base_url = "http://127.0.0.1:9/v1"
key = "TIER_KEY"
[apis.weather]
host = "api.weather.example"
secret = "WEATHER_KEY"
secrets = { APP_ID = "query:app" }
"""


def config(tmp_path: Path, **environ: str) -> Config:
    file = tmp_path / "config.toml"
    file.write_text(SETTINGS)
    return load(file, environ={"ECOASSIST_DATA": str(tmp_path / "data"), **environ})


def test_known_are_the_keys_of_tiers_and_apis_and_those_used_where_nothing_is_configured(tmp_path: Path) -> None:
    keys = {
        "TIER_KEY": MODEL_KEY,
        "WEATHER_KEY": KEY,
        "APP_ID": "a" * 9,
        "OPENAI_API_KEY": "o" * 9,
        "GROQ_API_KEY": "g" * 9,
    }
    settings = config(tmp_path, **keys, HOME="/not/a/key", EMPTY="")

    assert keys_of(settings) == keys
    assert redactor_of(settings).text(" ".join(keys.values())) == " ".join(f"[{name}]" for name in keys)


def test_the_process_holds_what_was_read_and_nothing_is_read_for_that(tmp_path: Path) -> None:
    asked: list[str] = []

    def ring(variable: str) -> str | None:
        asked.append(variable)
        return "from-the-ring"

    file = tmp_path / "keys.toml"
    file.write_text('FILED = "from-the-file"\n')
    file.chmod(0o600)
    keys = Keys({"A_KEY": KEY, "OPENAI_API_KEY": MODEL_KEY, "HOME": "/nobody"}, file, ["A_KEY", "RINGED"], ring)

    assert keys.held() == {"A_KEY": KEY, "OPENAI_API_KEY": MODEL_KEY}
    assert asked == []
    assert keys["RINGED"] == "from-the-ring"
    assert keys.held() == {
        "A_KEY": KEY,
        "OPENAI_API_KEY": MODEL_KEY,
        "FILED": "from-the-file",
        "RINGED": "from-the-ring",
    }


def test_a_model_is_sent_no_key_and_only_what_is_sent_is_metered() -> None:
    model = ScriptedModel("fine")
    budget = Budget(None, 60)  # the key in full would not fit any more
    clean = CleanModel(Metered(model, budget, None, 20), Redactor([("K", "x" * 200)]))

    play(clean.reply([Message("system", "be good"), Message("user", "x" * 200)]))

    assert model.seen == [(Message("system", "be good"), Message("user", "[K]"))]
    assert clean.name == model.name


def test_what_holds_no_key_reaches_the_model_as_the_same_message() -> None:
    model, message = ScriptedModel("fine"), Message("user", "hello")

    play(CleanModel(model, REDACTOR).reply([message]))

    assert model.seen[0][0] is message


def test_no_key_goes_into_the_store_or_comes_out_of_it() -> None:
    inner = MemoryStore()
    old = inner.keep(Solution(f"old {KEY}", f"k = '{KEY}'", Answer(KEY), "cheap"))
    store = CleanStore(inner, REDACTOR)

    new = store.keep(Solution(f"new {KEY}", f"k = '{KEY}'", Answer("x", {"a": KEY}), "cheap"))

    kept = {entry.id: entry.solution for entry in inner.pending()}
    assert KEY not in repr(kept[new])
    assert KEY in repr(kept[old])
    assert KEY not in repr(store.pending())
    for id in (old, new):
        store.settle(id, True)
    assert KEY not in repr(store.similar(f"old {KEY}"))
    store.credit(new, True)


# ── attached files ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_key_in_an_attached_file_is_replaced_and_the_person_told_which(tmp_path: Path) -> None:
    said: list[str] = []
    notes = Attachment("notes.txt", f"use {KEY} or {MODEL_KEY.encode().hex()}\n".encode())
    other = Attachment("other.bin", bytes(range(256)))
    settings = config(tmp_path, WEATHER_KEY=KEY, APP_ID="a" * 9, TIER_KEY=MODEL_KEY)

    boxes = Sandboxes(settings, said.append, (notes, other))

    clean, same = boxes.attached
    assert same is other
    assert len(clean.content) == len(notes.content)
    assert KEY.encode() not in clean.content
    assert MODEL_KEY.encode().hex().encode() not in clean.content
    shown = next(s.placeholder for s in boxes._policy.secrets if s.name == "WEATHER_KEY")
    assert clean.content.startswith(f"use {shown} or ".encode())
    assert sorted(said, reverse=True) == [
        "warning: notes.txt holds the value of WEATHER_KEY: code gets a placeholder in its place",
        "warning: notes.txt holds the value of TIER_KEY: code gets a placeholder in its place",
    ]


def test_what_nobody_declared_but_the_process_holds_is_replaced_in_files_as_well(tmp_path: Path) -> None:
    proxy = "http://me:hidden-password@proxy.example.net:3128"
    settings = config(tmp_path, APP_ID="a" * 9, MISTRAL_API_KEY=MODEL_KEY, https_proxy=proxy)
    put(settings.added, "UNDECLARED", KEY)

    (clean,) = Sandboxes(settings, print, (Attachment("env.txt", f"{proxy} {KEY} {MODEL_KEY}".encode()),)).attached

    for text in ("hidden-password", KEY, MODEL_KEY):
        assert text.encode() not in clean.content


def test_a_key_in_the_name_of_a_file_is_replaced_too(tmp_path: Path) -> None:
    said: list[str] = []
    settings = config(tmp_path, WEATHER_KEY="k3y-of-weather", APP_ID="a" * 9)

    (clean,) = Sandboxes(settings, said.append, (Attachment("k3y-of-weather.txt", b"x"),)).attached

    assert "k3y-of" not in clean.name
    assert clean.name.endswith(".txt")
    assert not any("k3y-of" in text for text in said)
    assert len(said) == 1


@pytest.mark.parametrize("value", ["", "short", "  short  "])
def test_a_value_too_short_to_be_a_key_leaves_files_alone(tmp_path: Path, value: str) -> None:
    file = Attachment("notes.txt", f"<{value}>".encode())

    assert Sandboxes(config(tmp_path, TIER_KEY=value), print, (file,)).attached == (file,)


@pytest.mark.parametrize("value", ["a key with spaces", "Schlüssel-ß", "\ttabs around it\n"])
def test_an_odd_key_is_replaced_as_well(tmp_path: Path, value: str) -> None:
    file = Attachment("notes.txt", f"<{value}>".encode())

    (clean,) = Sandboxes(config(tmp_path, TIER_KEY=value), print, (file,)).attached

    assert value.strip().encode() not in clean.content
    assert clean.content.startswith(b"<")


def test_a_price_is_no_text() -> None:
    price = Price(1, 2)

    assert REDACTOR.value(price) is price


def test_the_passwords_of_this_machines_proxies_are_redacted() -> None:
    redactor = redactor_of(Config(environ={"https_proxy": "http://me:hidden%2Dpassword@proxy.example.net:3128"}))

    assert redactor.text("407 from me:hidden%2Dpassword, or hidden-password") == (
        "407 from me:[PROXY_PASSWORD], or [PROXY_PASSWORD]"
    )


@pytest.mark.parametrize(("team", "environ"), [("TEAM_MEMORY", {"TEAM_MEMORY": "{url}"}), ("{url}", {})])
def test_the_password_of_the_team_s_store_is_told_nowhere(team: str, environ: dict[str, str], tmp_path: Path) -> None:
    url = "postgresql://eco:hunter2%2Fof-the-team@db.example/eco"
    file = tmp_path / "config.toml"
    file.write_text(f'[solutions]\nteam = "{team.format(url=url)}"\n')
    settings = load(file, environ={name: value.format(url=url) for name, value in environ.items()})
    clean = redactor_of(settings).text(f"{url} hunter2/of-the-team hunter2%2Fof-the-team")
    assert "of-the-team" not in clean
    assert "[TEAM_PASSWORD]" in clean
