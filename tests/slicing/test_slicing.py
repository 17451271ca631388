"""The least program that shows what a cell showed comes to the same as all cells, and leaves out the rest."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecoassist.slicing import Slice, sliced


def shown(cells: Sequence[str]) -> str:
    """What the last cell prints after all others."""
    names: dict[str, object] = {"__name__": "__main__"}
    for cell in cells:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(cell, names)
    return said.getvalue()


def last(*cells: str, failed: Sequence[int] = ()) -> Slice:
    return sliced(cells, {len(cells) - 1}, failed)


# ── what is left out ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("cells", "program"),
    [
        (["print(1)"], "print(1)"),
        (["x = 1\nprint(x)", "y = 2\nprint(y)"], "y = 2\nprint(y)"),
        (
            ["import requests\nr = requests.get('http://a')\nprint(r.json())", "print(requests.get('http://b').text)"],
            "import requests\n\nprint(requests.get('http://b').text)",
        ),
        (
            ["def get(city):\n    return city * 2\n\nfirst = get('Rome')\nprint(first)", "print(get('Oslo'))"],
            "def get(city):\n    return city * 2\n\nprint(get('Oslo'))",
        ),
        (["x = 1; y = 2; print(x)", "print(y)"], "y = 2\n\nprint(y)"),
        (["@str\ndef f():\n    pass\nx = 1", "print(x)"], "x = 1\n\nprint(x)"),
        (["!pip install foo\nimport foo", "print(1)"], "print(1)"),
        (["%matplotlib inline", "print(1)"], "print(1)"),
        (["open('a', 'w').write('x')", "print(1)"], "print(1)"),
        (["url = 'http://a'\nparams = {'q': 1}", "params['q'] = 2", "print(url)"], "url = 'http://a'\n\nprint(url)"),
        (["for n in range(3):\n    print(n)\nm = 4", "print(m)"], "m = 4\n\nprint(m)"),
        (
            ["import json, requests\nx = json.loads('[1]')\nprint(requests.get('u', params=x))", "print(x)"],
            "import json, requests\nx = json.loads('[1]')\n\nprint(x)",
        ),
    ],
)
def test_what_the_last_cell_does_not_need_is_left_out(cells: list[str], program: str) -> None:
    assert last(*cells) == Slice(program, quiet=True)


def test_a_program_that_prints_on_its_way_is_not_quiet() -> None:
    assert not last("def f():\n    return 1\nx = [print('a'), f()]", "print(x)").quiet
    assert last("def f():\n    print('a')", "f()").quiet, "that is what the cell showed"


def test_cells_after_the_ones_that_are_shown_are_left_out() -> None:
    assert sliced(["x = 1", "print(x)", "print('done')"], {1}).program == "x = 1\n\nprint(x)"
    assert sliced(["print(1)", "x = 2", "print(x)"], {0, 2}).program == "print(1)\n\nx = 2\n\nprint(x)"


def test_of_a_cell_that_failed_half_way_what_came_before_is_taken() -> None:
    failing = "import math\nx = math.sqrt(4)\nprint(x.bad)"
    assert last(failing, "print(x)", failed=[0]).program == "import math\nx = math.sqrt(4)\n\nprint(x)"
    assert last(failing, "print(5)", failed=[0]).program == "print(5)"
    assert last("exec('x')", "print(5)", failed=[0]).program == "print(5)"


# ── what is not ─────────────────────────────────────────────────────────────────────────────────────────────────────

KEPT = [
    ["xs = []\nys = xs\nys.append(1)", "print(xs)"],
    ["xs = [[]]\nys = xs[0]", "ys.append(1)", "print(xs)"],
    ["a = {}\nb = [a]", "b[0]['k'] = 1", "print(a)"],
    ["xs = [3, 1]", "xs.sort()", "print(xs)"],
    ["xs = [3, 1]\nys = sorted(xs)", "ys.reverse()", "print(ys)"],
    ["n = 0\ndef add(x):\n    global n\n    n = n + x", "add(3)", "print(n)"],
    ["seen = []\ndef note(x):\n    seen.append(x)", "note(3)", "print(seen)"],
    ["seen = []\ndef note(x):\n    other = seen\n    other.append(x)", "note(3)", "print(seen)"],
    ["seen = []\ndef note(x):\n    seen.append(x)\ndef twice(x):\n    note(x); note(x)", "twice(3)", "print(seen)"],
    ["seen = []\ndef note(x):\n    seen.append(x)", "list(map(note, [1, 2]))", "print(seen)"],
    ["seen = []\nnote = seen.append", "note(3)", "print(seen)"],
    ["seen = []\nnote = lambda x: seen.append(x)", "note(3)", "print(seen)"],
    ["seen = []\ndef fill(into):\n    into.append(3)", "fill(seen)", "print(seen)"],
    ["rows = [{}, {}]", "for row in rows:\n    row['x'] = 1", "print(rows)"],
    ["rows = [{}, {}]", "[row.update(x=1) for row in rows]", "print(rows)"],
    [
        "class Box:\n    def __init__(self):\n        self.x = 1\n    def up(self):\n        self.x += 1",
        "b = Box()",
        "b.up()",
        "print(b.x)",
    ],
    ["x = 1", "x += 1", "print(x)"],
    ["x = [1]", "y = x", "y += [2]", "print(x)"],
    ["x = 1\nif x:\n    y = 2", "print(y)"],
    ["y = 1\nif y > 1:\n    y = 2", "print(y)"],
    ["y = 1", "try:\n    y = int('x')\nexcept ValueError:\n    pass", "print(y)"],
    ["y = 1", "for y in []:\n    pass", "print(y)"],
    ["t = 0", "for n in range(3):\n    t = t + n", "print(t)"],
    ["x = 5", "print([x for x in [x, 2]])"],
    ["def f(a=[]):\n    a.append(1)\n    return a", "f()", "print(f())"],
    ["import random", "random.seed(3)", "print(random.random())"],
    ["import math as m", "def f():\n    return m.pi", "g = f", "print(g())"],
    ["from math import *", "print(floor(2.5))"],
    ["x = {'a': 1}", "del x['a']", "print(x)"],
    ["a, *b = [1, 2, 3]", "b.append(4)", "print(a, b)"],
    ["with open(__import__('os').devnull) as f:\n    text = f.read() + 'x'", "print(text)"],
    ["import os", "os.environ['ECO_A'] = 'b'", "print(os.environ.get('ECO_A'))"],
    [
        "import json",
        "with open('made.json', 'w') as f: f.write('[1]')",
        "with open('made.json') as f: print(json.load(f))",
    ],
    ["from pathlib import Path", "Path('made').write_text('x')", "print(Path('made').read_text())"],
    ["import os", "os.makedirs('made', exist_ok=True)", "print(os.listdir('.'))"],
    [
        "def save():\n    with open('made', 'w') as f:\n        f.write('x')",
        "save()",
        "with open('made') as f: print(f.read())",
    ],
    ["from pathlib import Path\nPath('made').write_text('x')", "with open('made') as f: print(f.read())"],
    ["import os", "os.makedirs('made')", "from glob import glob\nprint(glob('*'))"],
    ["import sys", "sys.path.append('/eco')", "print('/eco' in sys.path)"],
    ["if True:\n    seen = []\n    def note(x):\n        seen.append(x)", "note(1)", "print(seen)"],
    ["exec('x = 3')", "print(x)"],
    ["x = 1", "globals()['x'] = 2", "print(x)"],
    ["x = 1", "y = (x := 4)", "print(x)"],
    ["match [1, 2]:\n    case [a, b]:\n        pass", "print(a + b)"],
    ["x = y = []", "y.append(1)", "print(x)"],
    ["d = {}", "d.setdefault('a', []).append(1)", "print(d)"],
    ["it = iter([1, 2, 3])", "first = next(it)", "print(next(it))"],
    ["a = [1]\nb = (a, 2)", "c, _ = b", "c.append(5)", "print(a)"],
    ["x: list = []", "x.append(2)", "print(x)"],
    ["import copy", "a = [[1]]\nb = copy.copy(a)", "b[0].append(2)", "print(a)"],
]


@pytest.mark.parametrize("cells", KEPT)
def test_what_the_last_cell_needs_stays(cells: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for name, program in {"all": cells, "least": [last(*cells).program]}.items():
        (tmp_path / name).mkdir()
        with monkeypatch.context() as here:
            here.chdir(tmp_path / name)
            here.setenv("ECO_A", "")
            here.setattr(sys, "path", [*sys.path])
            found.append(shown(program))
    assert found[1].endswith(found[0])


def test_cells_that_cannot_be_read_are_all_of_the_program() -> None:
    deep = "x = " + "1 + " * 2_000 + "1"
    for odd in (deep, "exec('x = 1')", "x = 1\r\ny = 2", "x = !ls"):
        assert last(odd, "print(x)").program == f"{odd}\n\nprint(x)"


# ── programs that were made at random ───────────────────────────────────────────────────────────────────────────────

_NAMES = st.sampled_from(["a", "b", "c", "d"])
_LISTS = st.one_of(
    st.builds("{} = [{}]".format, _NAMES, st.integers(0, 9)),
    st.builds("{} = {}".format, _NAMES, _NAMES),
    st.builds("{} = [*{}, {}]".format, _NAMES, _NAMES, _NAMES),
    st.builds("{}.append({})".format, _NAMES, st.integers(0, 9)),
    st.builds("{} += {}".format, _NAMES, _NAMES),
    st.builds("{}[0] = {}".format, _NAMES, st.integers(0, 9)),
    st.builds("if len({}) > 2:\n    {} = {}".format, _NAMES, _NAMES, _NAMES),
    st.builds("for _ in range(2):\n    {}.append(len({}))".format, _NAMES, _NAMES),
    st.builds("f({})".format, _NAMES),
    st.builds("def f(x):\n    {}.append(len(x))".format, _NAMES),
    st.builds("def f(x):\n    global {0}\n    {0} = x".format, _NAMES),
    st.builds("g = {}.append\ng(4)".format, _NAMES),
    st.builds("{} = f({}) or [7]".format, _NAMES, _NAMES),
    st.builds("print({})".format, _NAMES),
)
_FIRST = "def f(x):\n    x.append(0)\na, b, c, d = [1], [2], [3], [4]"


@given(st.lists(_LISTS, max_size=12), _NAMES)
def test_a_slice_of_any_cells_comes_to_the_same(cells: list[str], name: str) -> None:
    cells = [_FIRST, *cells, f"print(repr({name})[:500])"]
    assert shown([last(*cells).program]).splitlines()[-1:] == shown(cells).splitlines()[-1:]
