"""Keys come from the environment, a file of the owner's, or the keyring; nobody else reads them, nothing shows one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import keyring
import pytest
from keyring.backend import KeyringBackend

from ecoassist.config import Config, load
from ecoassist.demo.endpoint import Endpoint
from ecoassist.errors import EnvironmentFault, NoModel, UsageFault
from ecoassist.events import Notice, Stream, Tick
from ecoassist.keys import AZURE_KEY, FILE, MODEL_KEYS, PROVIDERS, Keys, in_keyring, put, read, remove
from ecoassist.models.providers import DEFAULTS
from ecoassist.play import play
from ecoassist.reach import missing_keys, policy_of
from ecoassist.sandboxes import box_settings
from ecoassist.testing import Recorder
from ecoassist.tiers import choices_of
from ecoassist.wiring import open_session

NAME, KEY, OTHER = "WEATHER_KEY", "k3y-of-weather", "0th3r-k3y"
WEATHER = '[apis.weather]\nhost = "api.weather.example"\nsecret = "WEATHER_KEY"\n'


def nothing() -> Stream[None]:
    yield Tick()


class Ring(KeyringBackend):
    """A keyring in memory. `fails`: every call raises an error that quotes the key."""

    priority = 1

    def __init__(self, fails: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.held: dict[tuple[str, str], str] = {}
        self.asked: list[str] = []
        self.fails = fails
        self.locked = threading.Event()
        self.locked.set()

    def get_password(self, service: str, username: str) -> str | None:
        self.asked.append(username)
        self.locked.wait()
        if self.fails:
            raise RuntimeError(f"no bus for {KEY}")
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.fails:
            raise RuntimeError(f"cannot store {password}")
        self.held[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.held[service, username]


@pytest.fixture
def ring() -> Iterator[Ring]:
    """In place of the system's keyring."""
    before, ours = keyring.get_keyring(), Ring()
    keyring.set_keyring(ours)
    yield ours
    ours.locked.set()
    keyring.set_keyring(before)


@pytest.fixture
def added(tmp_path: Path) -> Path:
    return tmp_path / "config.d"


def config(tmp_path: Path, text: str = WEATHER, **environ: str) -> Config:
    """Its added files are in tmp_path / "config.d"."""
    (tmp_path / "config.toml").write_text(text)
    return load(tmp_path / "config.toml", environ=environ)


def keys_file(added: Path, text: str, mode: int = 0o600) -> Path:
    added.mkdir(exist_ok=True)
    (added / FILE).write_text(text)
    (added / FILE).chmod(mode)
    return added / FILE


# ── where a key is found ────────────────────────────────────────────────────────────────────────────────────────────


def test_the_environment_comes_before_the_file_and_the_file_before_the_keyring(
    tmp_path: Path, added: Path, ring: Ring
) -> None:
    ring.held["ecoassist", NAME] = "from-keyring"
    assert config(tmp_path).keys[NAME] == "from-keyring"
    assert config(tmp_path).keys.source(NAME) == "keyring"
    put(added, NAME, "from-file")
    assert config(tmp_path).keys[NAME] == "from-file"
    assert config(tmp_path).keys.source(NAME) == "file"
    keys = config(tmp_path, WEATHER_KEY="from-environment").keys
    assert (keys[NAME], keys.source(NAME)) == ("from-environment", "environment")


def test_a_key_of_the_file_reaches_the_policy_and_one_that_is_nowhere_turns_its_api_off(
    tmp_path: Path, added: Path
) -> None:
    assert missing_keys(config(tmp_path)) == {"weather": NAME}
    put(added, NAME, KEY)
    (secret,) = policy_of(config(tmp_path)).secrets
    assert (secret.name, secret.value) == (NAME, KEY)


def test_a_model_s_key_may_stand_in_the_file(tmp_path: Path, added: Path) -> None:
    text = '[[tiers]]\nname = "a"\nmodel = "b"\nbase_url = "http://127.0.0.1:1/v1"\nkey = "MY_KEY"\n'
    with pytest.raises(NoModel, match="MY_KEY is not set"):
        choices_of(config(tmp_path, text))
    put(added, "MY_KEY", KEY)
    with pytest.raises(NoModel, match="cannot be reached"):  # it has its key, and tries
        choices_of(config(tmp_path, text))


def test_the_keyring_is_asked_for_declared_variables_only_and_once_for_each(tmp_path: Path, ring: Ring) -> None:
    keys = config(tmp_path, WEATHER, OPENAI_API_KEY="sk-1").keys
    assert [keys.get(name) for name in ("PATH", "SOME_PASSWORD", NAME, NAME, "OPENAI_API_KEY")].count(None) == 4
    assert ring.asked == [NAME]


@pytest.mark.parametrize(
    ("tiers", "declared"),
    [
        ("", (NAME, "OPENAI_API_KEY")),
        ('[[tiers]]\nname = "a"\nmodel = "b"\nkey = "MINE"\n', (NAME, "MINE")),
        ('[[tiers]]\nname = "a"\nmodel = "b"\n', (NAME, "OPENAI_API_KEY")),
        ('[[tiers]]\nname = "a"\nmodel = "b"\nbase_url = "https://api.mistral.ai/v1"\n', (NAME, "MISTRAL_API_KEY")),
        ('[[tiers]]\nname = "a"\nmodel = "b"\nbase_url = "http://gpu.lan:8000/v1/"\n', (NAME, "OPENAI_API_KEY")),
        ('[[tiers]]\nname = "a"\nmodel = "b"\nbase_url = "http://127.0.0.1:11434/v1"\n', (NAME,)),
        ('[[tiers]]\nname = "a"\nmodel = "b"\nbase_url = "no address"\n', (NAME,)),
    ],
)
def test_declared_are_the_variables_of_apis_and_of_models(
    tmp_path: Path, tiers: str, declared: tuple[str, ...]
) -> None:
    settings = config(tmp_path, tiers + WEATHER, OPENAI_BASE_URL="http://gpu.lan:8000/v1")
    assert settings.variables == declared


def test_the_key_of_every_known_provider_may_be_asked_of_the_keyring() -> None:
    assert {urlsplit(one.base_url).hostname: one.key_names[0] for one in DEFAULTS} == PROVIDERS
    assert {name for one in DEFAULTS for name in one.key_names} | {AZURE_KEY} == set(MODEL_KEYS)


def test_iteration_goes_over_the_declared_keys_that_are_set_and_shows_no_value(tmp_path: Path, added: Path) -> None:
    put(added, NAME, KEY)
    settings = config(tmp_path, HOME="/home/someone")
    assert dict(settings.keys) == {NAME: KEY}
    assert len(settings.keys) == 1
    assert KEY not in repr(settings.keys) + str(settings) + repr(settings) + settings.model_dump_json()


def test_the_keyring_s_library_is_loaded_only_for_a_key_that_is_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(WEATHER)
    script = """
import pathlib, sys
from ecoassist.config import load
file = pathlib.Path("config.toml")
load(file, environ={"WEATHER_KEY": "k3y-of-weather"}).keys["WEATHER_KEY"]
print("keyring" in sys.modules)
load(file, environ={}).keys.get("WEATHER_KEY")
print("keyring" in sys.modules)
"""
    command = [sys.executable, "-c", script]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert ended.stdout.split() == ["False", "True"], ended.stderr


# ── a keyring that does not work ────────────────────────────────────────────────────────────────────────────────────


def test_a_broken_keyring_is_a_notice_without_the_key_and_is_not_asked_again(tmp_path: Path, ring: Ring) -> None:
    ring.fails = True
    settings = config(tmp_path, WEATHER + '[apis.b]\nhost = "b.example"\nsecret = "B_KEY"\n')
    assert missing_keys(settings) == {"weather": NAME, "b": "B_KEY"}
    assert ring.asked == [NAME]
    (trouble,) = settings.keys.troubles
    assert "the keyring does not work: RuntimeError" in trouble
    assert KEY not in trouble
    with pytest.raises(NoModel, match=r"MINE is not set.*the keyring does not work"):
        choices_of(config(tmp_path, '[[tiers]]\nname = "a"\nmodel = "b"\nkey = "MINE"\n'))


def test_a_keyring_that_nobody_needed_is_no_news(tmp_path: Path, ring: Ring) -> None:
    ring.fails = True
    with Endpoint({"only": []}) as endpoint:
        text = f'[[tiers]]\nname = "a"\nmodel = "only"\nbase_url = "{endpoint.url}"\n'
        data = str(tmp_path / "data")
        for more, warned in (("", False), (WEATHER, True)):
            with open_session(config(tmp_path, text + more, ECOASSIST_DATA=data), unsafe_local=True) as session:
                play(session.desk.merge(nothing(), lambda: None), [recorder := Recorder()])
            told = [event.text for event in recorder.events if isinstance(event, Notice)]
            assert any("the keyring does not work" in text for text in told) is warned


def test_a_locked_keyring_holds_nobody_up_for_longer_than_its_time(ring: Ring) -> None:
    ring.locked.clear()
    with pytest.raises(EnvironmentFault, match=r"did not answer within 0\.05 s"):
        in_keyring(lambda library: library.get_password("ecoassist", NAME), seconds=0.05)


def test_without_the_extra_nothing_is_found_and_storing_says_what_to_install(
    tmp_path: Path, added: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)  # as if it were not installed
    settings = config(tmp_path)
    assert NAME not in settings.keys
    assert settings.keys.troubles == []
    with pytest.raises(EnvironmentFault) as caught:
        put(added, NAME, KEY, "keyring")
    assert "ecoassist[keyring]" in caught.value.remedy


def test_a_key_is_kept_in_the_keyring_and_taken_out_again(added: Path, ring: Ring) -> None:
    put(added, NAME, KEY, "keyring")
    assert ring.held == {("ecoassist", NAME): KEY}
    assert not added.exists()
    assert remove(added, NAME, "keyring")
    assert not remove(added, NAME, "keyring")


def test_a_keyring_that_fails_to_store_does_not_say_what(added: Path, ring: Ring) -> None:
    ring.fails = True
    with pytest.raises(EnvironmentFault) as caught:
        put(added, NAME, KEY, "keyring")
    assert KEY not in str(caught.value) + caught.value.remedy
    assert caught.value.__cause__ is None


# ── a file that others could read ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o666])
def test_a_file_that_others_may_read_or_write_is_refused_with_a_remedy(tmp_path: Path, added: Path, mode: int) -> None:
    file = keys_file(added, f'{NAME} = "{KEY}"\n', mode)
    with pytest.raises(UsageFault, match="others may read it") as caught:
        missing_keys(config(tmp_path))
    assert caught.value.remedy == f"chmod 600 {file}"
    assert KEY not in str(caught.value)


def test_a_link_is_refused_wherever_it_leads(tmp_path: Path, added: Path) -> None:
    elsewhere = keys_file(tmp_path / "elsewhere", f'{NAME} = "{KEY}"\n')
    added.mkdir()
    (added / FILE).symlink_to(elsewhere)
    for attempt in (lambda: config(tmp_path).keys[NAME], lambda: put(added, NAME, OTHER)):
        with pytest.raises(UsageFault, match="symbolic link"):
            attempt()
    (added / FILE).unlink()
    (added / FILE).symlink_to(added / "nothing")
    with pytest.raises(UsageFault, match="symbolic link"):
        put(added, NAME, OTHER)
    assert read(elsewhere) == {NAME: KEY}


def test_a_file_of_another_user_is_refused(added: Path) -> None:
    file = keys_file(added, f'{NAME} = "{KEY}"\n')
    assert read(file, user=os.geteuid()) == {NAME: KEY}
    with pytest.raises(UsageFault, match="belongs to another user"):
        read(file, user=os.geteuid() + 1)


def test_a_pipe_in_its_place_is_refused_and_not_waited_for(tmp_path: Path, added: Path) -> None:
    added.mkdir()
    os.mkfifo(added / FILE, 0o600)
    with pytest.raises(UsageFault, match="no regular file"):
        missing_keys(config(tmp_path))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{NAME} = {KEY}", "not TOML (at line 1"),
        (f'{NAME} = "{KEY}', "not TOML (at "),
        (f'{NAME} = "{KEY}"\n{NAME} = "{OTHER}"', "not TOML"),
        (f'{NAME} = ["{KEY}"]', f"{NAME} is not a text"),
        (f'[weather]\n{NAME} = "{KEY}"', "weather is not a text"),
        (f'{NAME} = "{KEY}"\n# ' + "x" * (1 << 20), "is larger than"),
        ("\ud800", "not UTF-8"),
    ],
)
def test_what_is_wrong_in_the_file_is_told_without_its_keys(tmp_path: Path, added: Path, text: str, says: str) -> None:
    file = keys_file(added, "")
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(UsageFault) as caught:
        missing_keys(config(tmp_path))
    assert says in str(caught.value)
    assert KEY not in str(caught.value) + caught.value.remedy
    assert caught.value.__cause__ is None


# ── keeping a key ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("umask", [0, 0o022, 0o777])
def test_the_file_is_its_owner_s_alone_whatever_the_umask(added: Path, umask: int) -> None:
    added.mkdir()
    before = os.umask(umask)
    try:
        put(added, NAME, KEY)
        put(added, "OTHER_KEY", OTHER)
    finally:
        os.umask(before)
    assert (added / FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in added.iterdir()] == [FILE]


def test_a_new_folder_is_its_owner_s_alone(added: Path) -> None:
    put(added, NAME, KEY)
    assert added.stat().st_mode & 0o777 == 0o700


def test_other_lines_and_comments_stay(added: Path) -> None:
    file = keys_file(added, f'# mine\n{NAME} = "old" # until May\n\n  "OTHER_KEY" = \'{OTHER}\'\n# {NAME} = "x"')
    put(added, NAME, KEY)
    put(added, "NEW_KEY", 'a"b\\c')
    assert file.read_text() == (
        f'# mine\n{NAME} = "{KEY}"\n\n  "OTHER_KEY" = \'{OTHER}\'\n# {NAME} = "x"\nNEW_KEY = "a\\"b\\\\c"\n'
    )
    assert remove(added, "OTHER_KEY")
    assert read(file) == {NAME: KEY, "NEW_KEY": 'a"b\\c'}
    assert not remove(added, "OTHER_KEY")


@pytest.mark.parametrize(
    "text",
    [
        'OTHER_KEY = """\nWEATHER_KEY = "inside a text"\n"""\n',
        'OTHER_KEY = "x"\nWEATHER_KEY = """\none\n"""\n',
        'OTHER_KEY = "\U0001f511\\u007f\\b"\nWEATHER_KEY = """\n"""\n',
    ],
)
def test_a_file_that_no_line_can_be_changed_in_is_written_anew(added: Path, text: str) -> None:
    held = tomllib.loads(text)
    file = keys_file(added, text)
    put(added, NAME, KEY)
    assert read(file) == held | {NAME: KEY}
    remove(added, NAME)
    assert read(file) == {"OTHER_KEY": held["OTHER_KEY"]}


def test_keys_that_are_put_at_the_same_time_are_all_kept(added: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: put(added, f"KEY_{number}", KEY), range(40)))
    assert len(read(added / FILE)) == 40


@pytest.mark.parametrize("value", ["", "two words", "line\nbreak", "tab\t", "schlüssel", "nul\0"])
def test_what_cannot_be_a_key_is_refused_without_being_shown(added: Path, value: str) -> None:
    with pytest.raises(UsageFault) as caught:
        put(added, NAME, value)
    assert not value or value not in str(caught.value) + caught.value.remedy
    assert not added.exists()


def test_a_key_in_place_of_a_name_is_refused_without_being_shown(added: Path) -> None:
    with pytest.raises(UsageFault) as caught:
        put(added, KEY, NAME)
    assert KEY not in str(caught.value) + caught.value.remedy


def test_a_disk_that_takes_nothing_is_told_and_leaves_no_piece_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.d").write_text("a file where the folder should be")
    with pytest.raises(EnvironmentFault, match="cannot write"):
        put(tmp_path / "config.d", NAME, KEY)


def test_what_a_killed_process_left_of_a_key_goes_with_the_next_change(added: Path) -> None:
    put(added, NAME, KEY)
    killed = f"""
import os, pathlib
os.fsync = lambda file: os.kill(os.getpid(), 9)
from ecoassist.keys import put
put(pathlib.Path({str(added)!r}), {NAME!r}, {OTHER!r})
"""
    assert subprocess.run([sys.executable, "-c", killed]).returncode == -9
    assert len(list(added.iterdir())) == 2
    assert read(added / FILE) == {NAME: KEY}
    remove(added, NAME)
    assert [file.name for file in added.iterdir()] == [FILE]


def test_removing_where_nothing_is_makes_nothing(added: Path) -> None:
    assert not remove(added, NAME)
    assert not added.exists()


# ── no way for a key to a process of ours ───────────────────────────────────────────────────────────────────────────


def test_the_guard_of_a_kernel_s_folder_has_no_key_in_its_environment_or_arguments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ecoassist.kernel.guard import Guard

    monkeypatch.setenv(NAME, KEY)
    guard = Guard()
    try:
        about = Path(f"/proc/{guard._shell.pid}")
        assert KEY.encode() not in (about / "environ").read_bytes() + (about / "cmdline").read_bytes()
    finally:
        guard.close()


def test_what_containers_and_their_image_are_made_with_holds_no_key(tmp_path: Path, added: Path) -> None:
    put(added, "FILED_KEY", KEY)
    apis = WEATHER + '[apis.filed]\nhost = "b.example"\nsecret = "FILED_KEY"\n'
    settings = box_settings(config(tmp_path, apis, WEATHER_KEY=OTHER, OPENAI_API_KEY="sk-0123456789", PATH="/usr/bin"))
    assert not [key for key in (KEY, OTHER, "sk-0123456789") if key in repr(settings)]


def test_a_look_up_of_one_s_own_takes_the_place_of_the_keyring() -> None:
    keys = Keys({}, None, [NAME], {NAME: KEY}.get)
    assert json.loads(json.dumps(dict(keys))) == {NAME: KEY}
