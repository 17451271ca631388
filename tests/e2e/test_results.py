"""What a question's code makes reaches the person, and its limits hold, seen from outside the process."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ecoassist.demo.endpoint import ChatRequest, Scripted
from tests.e2e.conftest import LOCAL, Command, Serve, is_judge, judged, python

MAKES = """
import os
from IPython.display import HTML, display
rows = "".join(f"<tr><td>Town {n}</td><td>{n}</td></tr>" for n in range(30))
display(HTML(f"<table><tr><th>city</th><th>rain</th></tr>{rows}</table>"))
open("sales.csv", "w").write("a,b\\n1,2\\n")
os.symlink("/etc/hostname", "link.txt")
print("x" * 10_000)
"""
BACKENDS = [pytest.param((), marks=pytest.mark.docker, id="container"), pytest.param((LOCAL,), id="local")]


class Answering:
    """A model that says its replies in order and finds every answer right; it keeps what it was told last."""

    def __init__(self, *replies: Scripted) -> None:
        self.replies = list(replies)
        self.told: list[str] = []

    def __call__(self, request: ChatRequest) -> Scripted:
        if is_judge(request):
            return judged(True)
        self.told.append(request.messages[-1].text)
        return self.replies.pop(0)


def done(text: str = "Done.") -> Scripted:
    return Scripted(f"{text}\nANSWER: 1")


@pytest.mark.parametrize("options", BACKENDS)
def test_tables_files_and_long_output_are_kept_beside_the_person_and_listed(
    options: tuple[str, ...], run: Command, serve: Serve
) -> None:
    model = Answering(python(MAKES), python("print(open('/tmp/none').read())"), python("print('kept')"), done())
    serve({"weak": model})
    theirs = run.folder / "ecoassist-files" / "mine.txt"
    theirs.parent.mkdir()
    theirs.write_text("mine")
    ran = run("ask", "x", "--json", *options)
    assert ran.code == 0, ran.err
    body = json.loads(ran.out)
    found = {file["name"]: file for file in body["files"]}
    assert {name: file["type"] for name, file in found.items()} == {
        "table-1.html": "text/html",
        "output-1.txt": "text/plain",
        "sales.csv": "text/csv",
    }
    folder = Path("ecoassist-files") / body["run"]
    for file in found.values():
        path = run.folder / file["path"]
        assert path.parent == run.folder / folder
        assert path.stat().st_size == file["size"]
        assert f"saved  {file['path']}" in ran.err
    assert (run.folder / folder / "sales.csv").read_text() == "a,b\n1,2\n"
    assert (run.folder / folder / "output-1.txt").read_text().count("x") == 10_000
    assert theirs.read_text() == "mine"
    assert re.search(r"Town 9\s+9", ran.err)
    assert "Town 29 " not in ran.err.partition("city")[2]
    assert "sales.csv (text/csv, 8 bytes)" in model.told[1]
    assert "To read on: print(open(" in model.told[1]


@pytest.mark.parametrize("options", BACKENDS)
def test_the_model_pages_through_long_output_as_it_was_told(
    options: tuple[str, ...], run: Command, serve: Serve
) -> None:
    class Paging(Answering):
        def __call__(self, request: ChatRequest) -> Scripted:
            if not is_judge(request) and (call := re.search(r"To read on: (print\(.*\))", request.messages[-1].text)):
                self.replies.insert(0, python(call[1]))
            return super().__call__(request)

    model = Paging(python("print('A' * 3000 + 'THE MIDDLE' + 'B' * 3000)"), done())
    serve({"weak": model})
    ran = run("ask", "x", *options)
    assert ran.code == 0, ran.err
    assert "THE MIDDLE" not in model.told[1]
    assert "THE MIDDLE" in model.told[2]


def test_files_go_where_the_person_says(run: Command, serve: Serve) -> None:
    serve({"weak": Answering(python("open('a.txt', 'w').write('1')"), done())})
    ran = run("ask", "x", LOCAL, "--files-dir", "out", "--json")
    assert ran.code == 0, ran.err
    (file,) = json.loads(ran.out)["files"]
    assert file["path"].startswith("out/")
    assert (run.folder / file["path"]).read_text() == "1"
    assert not (run.folder / "ecoassist-files").exists()


def test_a_folder_that_cannot_be_written_costs_the_files_and_not_the_answer(run: Command, serve: Serve) -> None:
    serve({"weak": Answering(python("open('a.txt', 'w').write('1')"), done("It is 1."))})
    (run.folder / "ecoassist-files").write_text("no folder")
    ran = run("ask", "x", LOCAL)
    assert (ran.code, ran.out) == (0, "It is 1.\n"), ran.err
    assert "\n! cannot keep files in ecoassist-files" in ran.err


@pytest.mark.parametrize("options", BACKENDS)
def test_a_cell_past_its_limit_is_stopped_and_the_next_one_knows_what_is_left(
    options: tuple[str, ...], run: Command, serve: Serve
) -> None:
    model = Answering(python("kept = 3\nwhile True: pass"), python("print(kept * 2)"), done())
    serve({"weak": model})
    ran = run("ask", "x", "--cell-seconds", "2", *options)
    assert ran.code == 0, ran.err
    assert "the cell ran longer than 2 s" in ran.err
    assert "Still there: kept" in model.told[1]
    assert "6" in model.told[2]


def test_a_limit_that_is_none_is_refused(run: Command, serve: Serve) -> None:
    serve({"weak": Answering(done())})
    ran = run("ask", "x", LOCAL, "--cell-seconds", "0")
    assert ran.code == 2
    assert "cell_seconds" in ran.err
