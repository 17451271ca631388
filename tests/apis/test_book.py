"""What commands add is kept whole, private, and beside what others add at the same time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ecoassist.apis.book import Book
from ecoassist.config import load
from ecoassist.errors import UsageFault

WEATHER = {"host": "api.weather.example", "secret": "WEATHER_KEY", "place": "query:key"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text("")
    return file


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path / "config.d")


def test_an_api_that_was_added_is_in_the_configuration_until_it_is_removed(book: Book, file: Path) -> None:
    book.add("weather", WEATHER)
    assert load(file, environ={}).apis["weather"].keys == {"WEATHER_KEY": "query:key"}
    assert "weather" in book
    assert book.remove("weather")
    assert load(file, environ={}).apis == {}
    assert not book.remove("weather")


def test_the_configuration_file_goes_before_what_was_added_key_by_key(book: Book, file: Path) -> None:
    book.add("weather", WEATHER)
    file.write_text('[apis.weather]\nplace = "bearer"\n')
    api = load(file, environ={}).apis["weather"]
    assert (api.host, api.keys) == ("api.weather.example", {"WEATHER_KEY": "bearer"})


@pytest.mark.parametrize("by", ["command", "file"])
def test_an_api_without_a_host_is_the_one_of_its_name_in_the_catalogue(by: str, book: Book, file: Path) -> None:
    if by == "command":
        book.add("open-meteo", {})
        file.write_text('[apis.open-meteo]\nacts = ["/x"]\n')
    else:
        file.write_text('[apis.open-meteo]\nacts = ["/x"]\n')
    api = load(file, environ={}).apis["open-meteo"]
    assert (api.host, api.acts) == ("api.open-meteo.com", ("/x",))
    assert api.operations


def test_a_name_that_is_not_in_the_catalogue_and_has_no_host_is_named_with_a_near_one(file: Path) -> None:
    file.write_text("[apis.open-metro]\n")
    with pytest.raises(UsageFault, match=r"apis\.open-metro has no host") as caught:
        load(file, environ={})
    assert "open-meteo" in caught.value.remedy


def test_the_folder_and_its_files_are_private_whatever_the_umask(book: Book) -> None:
    before = os.umask(0o000)
    try:
        open_ = book.add("a", WEATHER)
        os.umask(0o777)
        closed = book.add("b", WEATHER)
    finally:
        os.umask(before)
    assert [oct(path.stat().st_mode & 0o777) for path in (book.folder, open_, closed)] == ["0o700", "0o600", "0o600"]


def test_a_folder_that_was_open_to_others_is_closed(book: Book) -> None:
    book.folder.mkdir()
    book.folder.chmod(0o755)
    book.add("a", WEATHER)
    assert book.folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "a/b", "a\\b", "/etc/x", ".hidden", "A", "é", "a b", "a\n", "-f", "x" * 65, "\x1b[1m"],
)
def test_a_name_that_could_be_a_path_or_an_option_is_refused(name: str, book: Book) -> None:
    with pytest.raises(UsageFault, match="is not a name for an API"):
        book.add(name, WEATHER)
    assert name not in book
    assert not book.remove(name)
    assert not book.folder.exists()


def test_a_name_that_is_taken_is_refused_and_what_is_there_stays_unless_it_is_to_be_replaced(book: Book) -> None:
    file = book.add("weather", WEATHER)
    with pytest.raises(UsageFault, match="there is an API 'weather' already") as caught:
        book.add("weather", {"host": "other.example"})
    assert "--force" in caught.value.remedy
    assert json.loads(file.read_text()) == WEATHER
    book.add("weather", {"host": "other.example"}, replace=True)
    assert json.loads(file.read_text()) == {"host": "other.example"}
    assert os.listdir(book.folder) == ["weather.json"]


ADD = """
import sys
from pathlib import Path
from ecoassist.apis.book import Book
from ecoassist.errors import UsageFault
book, me = Book(Path(sys.argv[1])), sys.argv[2]
sys.stdin.readline()
for number in range(40):
    book.add(f"{me}-{number}", {"host": "h.example"})
    try:
        book.add(f"both-{number}", {"host": f"{me}.example"})
    except UsageFault:
        print("late")
"""


def test_two_processes_that_add_at_once_both_win_and_of_one_name_only_one_is_kept(book: Book, file: Path) -> None:
    both = [
        subprocess.Popen(
            [sys.executable, "-c", ADD, str(book.folder), name], stdin=-1, stdout=-1, text=True, env=dict(os.environ)
        )
        for name in ("one", "two")
    ]
    for process in both:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    late = "".join(process.communicate(timeout=60)[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert late.split() == ["late"] * 40
    assert len(load(file, environ={}).apis) == 120


@pytest.mark.parametrize(
    ("content", "says", "remedy"),
    [
        ('{"host": "h.example"', "damaged", "api rm weather"),
        ("[1]", "damaged", "api rm weather"),
        ('"\\ud800', "damaged", "api rm weather"),
        ("[" * 100_000, "damaged", "api rm weather"),
        ('{"host": 3}', "damaged: host", "api rm weather"),
        ('{"hsot": "h.example"}', "there is no setting 'hsot'", "'host'"),
        ('{"host": "h", "operations": [{"path": "/", "filds": []}]}', "operations.0.filds", "'fields'"),
        ('{"host": "h.example", "secret": "sk-0123456789"}', "never the key itself", "api rm weather"),
    ],
)
def test_a_damaged_file_is_an_error_that_names_it_and_nothing_is_lost(
    content: str, says: str, remedy: str, book: Book, file: Path
) -> None:
    damaged = book.add("weather", WEATHER)
    damaged.write_text(content)
    book.add("other", {"host": "h.example"})
    with pytest.raises(UsageFault) as caught:
        load(file, environ={})
    assert str(damaged) in str(caught.value)
    assert says in str(caught.value)
    assert remedy in caught.value.remedy
    assert "sk-0123456789" not in str(caught.value) + caught.value.remedy
    assert damaged.read_text() == content


def test_what_is_no_api_in_the_folder_is_passed_over(book: Book, file: Path) -> None:
    book.add("weather", WEATHER)
    (book.folder / "keys.toml").write_text("A_KEY = 'x'")
    (book.folder / ".half.new").write_text("{")
    (book.folder / ".weather.json").write_text("{")
    assert list(load(file, environ={}).apis) == ["weather"]


def test_where_nothing_can_be_written_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.d").write_text("a file")
    with pytest.raises(UsageFault, match=r"cannot write in .*config\.d") as caught:
        Book(tmp_path / "config.d").add("weather", WEATHER)
    assert "--config" in caught.value.remedy


def test_a_host_that_is_remembered_is_an_api_without_a_key(book: Book, file: Path) -> None:
    assert book.remember("data.example.com")
    assert not book.remember("data.example.com")
    assert load(file, environ={}).apis["data.example.com"].host == "data.example.com"


def test_hosts_whose_names_are_no_names_of_apis_are_remembered_whole_and_apart(book: Book, file: Path) -> None:
    hosts = {f"{'a' * 63}.{'b' * 60}.example", f"{'a' * 63}.{'b' * 60}.other", "_dmarc.example", "dmarc.example"}
    assert all(map(book.remember, hosts))
    assert not any(map(book.remember, hosts))
    assert {api.host for api in load(file, environ={}).apis.values()} == hosts


@pytest.mark.parametrize("name", ["config.toml", "config", "my.d"])
def test_the_folder_stands_beside_the_file_and_is_never_the_file(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text("")
    added = load(file, environ={}).added
    assert added.parent == tmp_path
    assert added != file
    Book(added).add("weather", WEATHER)
    assert list(load(file, environ={}).apis) == ["weather"]
