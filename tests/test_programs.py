from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecoassist.programs import assemble, names, normalised, without_placeholders

KEY = "k3yplac3h0ld3r"
NAMES = {KEY: "WEATHER_KEY"}


def printed(program: str) -> str:
    """What the program prints where the environment holds the key."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], env={**os.environ, "WEATHER_KEY": KEY}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_program_is_its_cells_in_order() -> None:
    assert assemble(["a = 1\n", "print(a)"]) == "a = 1\n\nprint(a)"


def test_a_cell_that_repeats_the_one_before_is_dropped() -> None:
    assert assemble(["print(1)", "print( 1 )  # again", "print(2)"]) == "print(1)\n\nprint(2)"


def test_a_cell_that_comes_again_after_another_is_kept() -> None:
    assert assemble(["print(a)", "a = 2", "print(a)"]).count("print(a)") == 2


def test_blank_cells_leave_nothing() -> None:
    assert assemble([]) == assemble(["", " \n"]) == ""


def test_future_imports_of_later_cells_come_first() -> None:
    program = assemble(["a = 1", "from __future__ import annotations\nprint(a)"])
    assert program.startswith("from __future__ import annotations\n")
    assert printed(program) == "1\n"


@pytest.mark.parametrize(
    "program",
    [
        f"print('{KEY}')",
        f"import os\nprint('{KEY}')",
        f"print('{KEY}')\nimport os",
        f"print('https://x.y/?key={KEY}&q=1')",
        f"print('{KEY}{KEY} {KEY}')",
        f"city = 'Oslo'\nprint(f'https://x.y/?key={KEY}&q={{city!r:>8}}')",
        f"city = 'Oslo'\nprint(f\"{{city + '{KEY}'}} {{city}}\")",
        f"city = 'Oslo'\nprint('a' f'{{city}}' '{KEY}')",
        f"print('{KEY[:5]}' '{KEY[5:]}')",
        f"print('{KEY}'.upper(), 'a{KEY}'.upper())",
        f"print('%s{KEY}' % 3)",
        f"print(b'{KEY}', b'a{KEY}\\xff')",
        f"print({{'key': '{KEY}', '{KEY}': 1}})",
        f"def f(key='{KEY}'):\n    return'{KEY}'+key\nprint(f())",
        f"print('''one\n{KEY}\ntwo''')",
        f"# {KEY}\nprint('é', '{KEY}', 'ü')  # {KEY}",
        f'"""About."""\nfrom __future__ import annotations\nprint(__doc__, "{KEY}")',
        f"print(r'\\d{KEY}')",
        f"if True:\n    print(\n        'a'\n        '{KEY}',\n    )",
        f"print('{KEY}')\r\nprint(2)\r\n",
        f"@(lambda f: f)\ndef f(): return '{KEY}'\nprint(f())",
    ],
)
def test_a_program_without_placeholders_prints_the_same(program: str) -> None:
    clean = without_placeholders(program, NAMES)
    assert KEY not in clean
    assert printed(clean) == printed(program)


def test_a_program_that_holds_no_placeholder_is_untouched() -> None:
    program = "x  =  'a'   # comment\nprint( x )"
    assert without_placeholders(program, NAMES) == program


def test_what_holds_no_placeholder_keeps_its_layout() -> None:
    program = f"import os\n\nx  =  1   # one\nkey = '{KEY}'\n"
    assert without_placeholders(program, NAMES) == "import os\n\nx  =  1   # one\nkey = os.environ['WEATHER_KEY']\n"


def test_an_import_under_another_name_is_not_enough() -> None:
    assert without_placeholders(f"import os as o\nx = '{KEY}'", NAMES).startswith("import os\nimport os as o\n")


def test_a_placeholder_in_a_comment_alone_becomes_the_name() -> None:
    assert without_placeholders(f"print(1)  # {KEY}", NAMES) == "print(1)  # WEATHER_KEY"


def test_docstrings_and_patterns_stay_constants() -> None:
    program = f"def f(x):\n    '''{KEY}'''\n    match x:\n        case '{KEY}':\n            return 1\nprint(f.__doc__)"
    assert printed(without_placeholders(program, NAMES)) == "WEATHER_KEY\n"


def test_a_program_with_magic_lines_keeps_them() -> None:
    clean = without_placeholders(f"!pip install x\nkey = '{KEY}'", NAMES)
    assert clean == "import os\n!pip install x\nkey = os.environ['WEATHER_KEY']"


def test_source_that_does_not_parse_still_loses_the_placeholder() -> None:
    assert without_placeholders(f"print('{KEY}'", NAMES) == "print('WEATHER_KEY'"


def test_of_two_placeholders_the_longer_is_seen() -> None:
    assert without_placeholders("x = 'abcdefgh1'", {"abcdefgh": "A", "abcdefgh1": "B"}).endswith("x = os.environ['B']")


@given(st.text("k3yplac3h0ld3r'\"f{}()=\n #\\b", max_size=30), st.text("'\"f{}()=\n #\\b", max_size=10))
def test_no_placeholder_survives_any_text(before: str, after: str) -> None:
    assert KEY not in without_placeholders(before + KEY + after, NAMES)


def test_same_code_is_seen_through_layout_comments_and_quotes() -> None:
    assert normalised("a = 'x'  # one\n\n\nprint( a )") == normalised('# two\na="x"\nprint(a)')
    assert normalised("print(1)") != normalised("print(2)")


def test_same_code_is_seen_where_it_does_not_parse() -> None:
    assert normalised("print(1\n\n# x\n") == normalised("print(1  \n")
    assert normalised("!pip install a") != normalised("!pip install b")


def test_code_nested_too_deep_to_print_is_still_compared() -> None:
    code = "x = " + "1 + " * 900 + "1"
    assert normalised(code) == normalised(code)
    assert KEY not in without_placeholders(code + f" + len('{KEY}')", NAMES)


@pytest.mark.parametrize(
    ("cell", "left"),
    [
        ("a = b = 1\nc: int = 2\nc += 1", ("a", "b", "c")),
        ("with open('x.csv') as file:\n    rows = list(file)", ("rows",)),
        (
            "try:\n    table = 1\nexcept ValueError:\n    table = None\nelse:\n    x = 1\nfinally:\n    y = 1",
            ("table", "x", "y"),
        ),
        ("for n in (1, 2):\n    if n:\n        last = n\n    else:\n        first = n", ("last", "first")),
        ("while True:\n    one = 1\n    break", ("one",)),
        ("match 1:\n    case _:\n        two = 2", ("two",)),
        ("if True:\n    def f():\n        inner = 1\n    class C:\n        inner = 1", ("f", "C")),
        ("async def g():\n    inner = 1", ("g",)),
        ("if (m := 1):\n    pass", ("m",)),
        ("total = sum(i for i in (1, 2))", ("total",)),
        ("print(1)", ()),
    ],
)
def test_what_a_cell_leaves_behind_is_found_wherever_it_is_assigned(cell: str, left: tuple[str, ...]) -> None:
    assert names([cell]) == left
