from __future__ import annotations

import json
import sys
import warnings
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoassist.events import Finished, encode
from ecoassist.parsing import parse
from ecoassist.programs import tree
from ecoassist.types import Answer, Code, Malformed, Outcome, Verdict

RUN = "import math\nprint(math.pi)"
CALL = {"name": "python", "arguments": {"code": RUN}}

# (what the reply shows, the reply, what it must be read as). A Malformed is compared by a part of its reason.
REPLIES: list[tuple[str, str, Code | Answer | Malformed]] = [
    # the protocol itself
    ("one block", f"```python\n{RUN}\n```", Code(RUN)),
    ("prose before the block", f"I will compute it.\n\n```python\n{RUN}\n```", Code(RUN)),
    ("prose after the block is dropped", f"```python\n{RUN}\n```\nThis prints 3.14.", Code(RUN)),
    ("an invented answer after the block is dropped", f"```python\n{RUN}\n```\n\nANSWER: 3.14", Code(RUN)),
    ("two blocks in a row", "```python\na = 1\n```\n\n```python\nprint(a)\n```", Code("a = 1\n\nprint(a)")),
    (
        "prose between blocks",
        "```python\na = 1\n```\nNow print it:\n```python\nprint(a)\n```",
        Code("a = 1\n\nprint(a)"),
    ),
    ("plain answer", "Paris is the capital.", Answer("Paris is the capital.")),
    ("answer with a value", "It is 4.\n\nANSWER: 4", Answer("It is 4.", 4)),
    ("answer with a text value", 'It is Paris.\nANSWER: "Paris"', Answer("It is Paris.", "Paris")),
    ("answer with a list", 'Two.\nANSWER: ["a", "b"]', Answer("Two.", ["a", "b"])),
    ("answer with null", "Nobody knows.\nANSWER: null", Answer("Nobody knows.", None)),
    ("answer with false", "No.\nANSWER: false", Answer("No.", False)),
    ("only the value", "ANSWER: 4", Answer("4", 4)),
    ("only a text value", 'ANSWER: "Paris"', Answer("Paris", "Paris")),
    ("only an object", 'ANSWER: {"a": 1}', Answer('{"a": 1}', {"a": 1})),
    (
        "code for the reader",
        "Use this:\n```text\nimport os\nprint(os)\n```",
        Answer("Use this:\n```text\nimport os\nprint(os)\n```"),
    ),
    # the ANSWER line, bent
    ("value that is no JSON", "So:\nANSWER: Paris, France", Answer("So:", "Paris, France")),
    ("bold label", "So.\n**ANSWER:** 4", Answer("So.", 4)),
    ("bold line", "So.\n**ANSWER: 4**", Answer("So.", 4)),
    ("bold label outside of the colon", "So.\n**ANSWER**: 4", Answer("So.", 4)),
    ("line in backticks", "So.\n`ANSWER: 4`", Answer("So.", 4)),
    ("value in backticks", "So.\nANSWER: `Paris`", Answer("So.", "Paris")),
    ("capitalised", "So.\nAnswer: 4", Answer("So.", 4)),
    ("lower case", "So.\nanswer: 4", Answer("So.", 4)),
    ("final answer", "So.\nFinal Answer: 4", Answer("So.", 4)),
    ("as a heading", "So.\n### ANSWER: 4", Answer("So.", 4)),
    ("as a list item", "So.\n- ANSWER: 4", Answer("So.", 4)),
    ("as a quotation", "So.\n> ANSWER: 4", Answer("So.", 4)),
    ("wide colon", "So.\nANSWER：4", Answer("So.", 4)),
    ("blank lines after it", "So.\nANSWER: 4\n\n \n", Answer("So.", 4)),
    ("value on the next line", "So.\nANSWER:\n4", Answer("So.", 4)),
    ("value over several lines", 'So.\nANSWER: {\n  "a": 1\n}', Answer("So.", {"a": 1})),
    ("value in a fence", 'So.\nANSWER:\n```json\n{"a": 1}\n```', Answer("So.", {"a": 1})),
    ("line in a fence", "So.\n```text\nANSWER: 4\n```", Answer("So.", 4)),
    ("line in a python fence", "```python\nANSWER: 4\n```", Answer("4", 4)),
    ("courtesy after it", "So.\nANSWER: 4\n\nLet me know!", Answer("So.\nLet me know!", 4)),
    ("lower case in the middle is prose", "The answer: maybe.\nOr not.", Answer("The answer: maybe.\nOr not.")),
    ("the last of several counts", "ANSWER: 3\nNo, wait.\nANSWER: 4", Answer("ANSWER: 3\nNo, wait.", 4)),
    ("not a number in JSON", "ANSWER: NaN", Answer("NaN", "NaN")),
    ("infinite in JSON", "ANSWER: 1e999", Answer("1e999", "1e999")),
    ("a number with 5,000 digits", "ANSWER: " + "9" * 5000, Answer("9" * 5000, "9" * 5000)),
    ("lone surrogate", 'ANSWER: "\\ud800"', Answer('"\\ud800"', '"\\ud800"')),
    ("money", "It costs that.\nANSWER: $4.20", Answer("It costs that.", "$4.20")),
    # tags of fences
    ("no tag", f"```\n{RUN}\n```", Code(RUN)),
    ("py", f"```py\n{RUN}\n```", Code(RUN)),
    ("python3", f"```python3\n{RUN}\n```", Code(RUN)),
    ("python3.11", f"```python3.11\n{RUN}\n```", Code(RUN)),
    ("Python", f"```Python\n{RUN}\n```", Code(RUN)),
    ("a space before the tag", f"``` python\n{RUN}\n```", Code(RUN)),
    ("ipython", f"```ipython\n{RUN}\n```", Code(RUN)),
    ("jupyter", f"```jupyter\n{RUN}\n```", Code(RUN)),
    ("tool_code", f"```tool_code\n{RUN}\n```", Code(RUN)),
    ("code", f"```code\n{RUN}\n```", Code(RUN)),
    ("tag in braces", f"```{{python}}\n{RUN}\n```", Code(RUN)),
    ("tag with a title", f'```python title="main.py"\n{RUN}\n```', Code(RUN)),
    ("tag with a file name", f"```python:main.py\n{RUN}\n```", Code(RUN)),
    ("python tagged json", f"```json\n{RUN}\n```", Code(RUN)),
    ("python tagged bash", f"```bash\n{RUN}\n```", Code(RUN)),
    ("python tagged javascript", f"```javascript\n{RUN}\n```", Code(RUN)),
    ("syntax error in a tagged block", "```python\nprint(1\n```", Code("print(1")),
    ("syntax error in an untagged block", "```\nimport os\nprint(os\n```", Code("import os\nprint(os")),
    ("javascript", "```js\nconsole.log(1)\n```", Answer("```js\nconsole.log(1)\n```")),
    ("untagged output", "```\nTemperature: 22\n```", Answer("```\nTemperature: 22\n```")),
    ("untagged number", "It gives\n```\n42\n```", Answer("It gives\n```\n42\n```")),
    ("untagged table", "```\na  b\n1  2\n```", Answer("```\na  b\n1  2\n```")),
    ("untagged names", "```\nParis (France)\n```", Answer("```\nParis (France)\n```")),
    ("JSON for the reader", 'So:\n```json\n{"a": 1}\n```', Answer('So:\n```json\n{"a": 1}\n```')),
    (
        "a call in a text fence",
        'So:\n```text\n{"code": "print(1)"}\n```',
        Answer('So:\n```text\n{"code": "print(1)"}\n```'),
    ),
    # fences, bent
    ("tildes", f"~~~python\n{RUN}\n~~~", Code(RUN)),
    ("tildes closed by backticks", f"~~~python\n{RUN}\n```", Code(RUN)),
    ("four backticks", f"````python\n{RUN}\n````", Code(RUN)),
    ("triple quotes", f"'''python\n{RUN}\n'''", Code(RUN)),
    ("CRLF", f"```python\r\n{RUN}\r\n```\r\n".replace("\n", "\r\n").replace("\r\r", "\r"), Code(RUN)),
    ("indented fence", "  ```python\n  import os\n  print(os)\n  ```", Code("import os\nprint(os)")),
    ("fence in a list", "1. ```python\n   import os\n   print(os)\n   ```", Code("import os\nprint(os)")),
    ("fence in a quotation", "> ```python\n> import os\n> print(os)\n> ```", Code("import os\nprint(os)")),
    ("fence after prose on its line", f"Here it is: ```python\n{RUN}\n```", Code(RUN)),
    ("code on the line of the fence", "```python import math\nprint(math.pi)\n```", Code(RUN)),
    ("closing fence on the last line of code", f"```python\n{RUN}```", Code(RUN)),
    ("all on one line", "```python print(1)```", Code("print(1)")),
    ("all on one line without a tag", "```print(1)```", Code("print(1)")),
    ("prose on the line of the closing fence", f"```python\n{RUN}\n``` This prints pi.", Code(RUN)),
    ("unclosed", f"```python\n{RUN}", Code(RUN)),
    ("unclosed, without a tag", f"```\n{RUN}\n", Code(RUN)),
    ("closed by two backticks", f"```python\n{RUN}\n``", Code(RUN)),
    ("closed by one backtick", f"```python\n{RUN}\n`", Code(RUN)),
    ("cut off", "```python\nimport os\nprint(os.listdir(", Malformed("not closed")),
    ("only an opening fence", "```python", Malformed("")),
    ("opened twice", f"```python\n```python\n{RUN}\n```", Code(RUN)),
    ("fences in each other", f"```\n```python\n{RUN}\n```\n```", Code(RUN)),
    ("reply in a markdown fence", f"```markdown\nSo:\n```python\n{RUN}\n```\n```", Code(RUN)),
    ("first block unclosed", "```python\na = 1\n```python\nprint(a)\n```", Code("a = 1\n\nprint(a)")),
    ("a stray fence after an answer", "It is 4.\n```", Answer("It is 4.\n```")),
    ("inline code in an answer", "Use `print(1)` for that.", Answer("Use `print(1)` for that.")),
    ("inline code in three backticks", "Use ```x``` for that.", Answer("Use ```x``` for that.")),
    (
        "a fence in a docstring",
        '```python\ndef f():\n    """Example:\n    ```\n    f()\n    ```\n    """\n\nf()\n```',
        Code('def f():\n    """Example:\n    ```\n    f()\n    ```\n    """\n\nf()'),
    ),
    (
        "backticks in a string",
        "```python\nx = '''\n```\ny\n```\n'''\nprint(x)\n```",
        Code("x = '''\n```\ny\n```\n'''\nprint(x)"),
    ),
    (
        "only comments in the block",
        "It is 4.\n```python\n# nothing to run\n```\nANSWER: 4",
        Answer("It is 4.\n```python\n# nothing to run\n```", 4),
    ),
    ("an empty block", "```python\n```", Malformed("")),
    ("prompts", "```python\n>>> a = 1\n>>> print(a)\n1\n```", Code("a = 1\nprint(a)")),
    ("cell prompts", "```\nIn [1]: a = 1\nIn [2]: print(a)\n```", Code("a = 1\nprint(a)")),
    ("magic", "```python\n%pip install x\nimport x\n```", Code("%pip install x\nimport x")),
    ("untagged magic", "```\n!pip install x\nimport x\n```", Code("!pip install x\nimport x")),
    ("a modulo at the start of a line", "```python\nprint((10\n% 3))\n```", Code("print((10\n% 3))")),
    (
        "no-break spaces",
        "```python\nif\u00a0True:\n\u00a0\u00a0\u00a0\u00a0print(1)\n```",
        Code("if True:\n    print(1)"),
    ),
    ("typographic quotes", "```python\nprint(“a”)\n```", Code('print("a")')),
    ("an ANSWER line inside the code", "```python\nprint(1)\nANSWER: 1\n```", Code("print(1)")),
    ("end-of-turn token", f"```python\n{RUN}\n```<|im_end|>", Code(RUN)),
    ("end-of-code token", f"```py\n{RUN}\n```<end_code>", Code(RUN)),
    # invented output
    ("output in words", "```python\na = 1\n```\nOutput:\n1\n```python\nprint(a + 1)\n```", Code("a = 1")),
    ("output in bold", "```python\na = 1\n```\n**Output:** 1\n```python\nprint(a)\n```", Code("a = 1")),
    ("output in a fence", "```python\na = 1\n```\n```\n1\n```\n```python\nprint(a)\n```", Code("a = 1")),
    ("output in a tagged fence", "```python\na = 1\n```\n```output\n1\n```\n```python\nprint(a)\n```", Code("a = 1")),
    ("an observation", "```python\na = 1\n```\nObservation: 1\n```python\nprint(a)\n```", Code("a = 1")),
    ("a cell's output", "```python\na = 1\n```\nOut[1]: 1\n```python\nprint(a)\n```", Code("a = 1")),
    ("a turn of the person", "```python\na = 1\n```\nUser: thanks\n```python\nprint(a)\n```", Code("a = 1")),
    ("the same block again", f"```python\n{RUN}\n```\nIn full:\n```python\n{RUN}\n```", Code(RUN)),
    ("an install before the code", f"```bash\npip install x\n```\n```python\n{RUN}\n```", Code(RUN)),
    # no fence
    ("bare code", RUN, Code(RUN)),
    ("bare print", "print(2 + 2)", Code("print(2 + 2)")),
    ("bare code under its tag", f"python\n{RUN}", Code(RUN)),
    ("bare code in backticks", "`print(2 + 2)`", Code("print(2 + 2)")),
    ("bare code after prose", f"Here is the code:\n\n{RUN}", Code(RUN)),
    ("bare code that does not parse", "import os\nprint(os", Malformed("block")),
    ("one word", "Paris", Answer("Paris")),
    ("a number", "42", Answer("42")),
    ("a word that is a keyword", "None", Answer("None")),
    ("an equation", "x = 5", Answer("x = 5")),
    ("a list", "[1, 2]", Answer("[1, 2]")),
    ("a JSON answer", '{"answer": 4}', Answer("4", 4)),
    ("a JSON answer with a code in it", '{"code": "USD"}', Answer('{"code": "USD"}')),
    ("imports in prose", "import duties rose.\nThat is all.", Answer("import duties rose.\nThat is all.")),
    # calls as text
    ("JSON code", json.dumps({"code": RUN}), Code(RUN)),
    ("JSON call", json.dumps(CALL), Code(RUN)),
    (
        "JSON call with arguments as text",
        json.dumps({"name": "python", "arguments": json.dumps({"code": RUN})}),
        Code(RUN),
    ),
    ("JSON call whose arguments are the code", json.dumps({"name": "python", "arguments": RUN}), Code(RUN)),
    ("list of function calls", json.dumps([{"type": "function", "function": CALL}]), Code(RUN)),
    ("message with tool calls", json.dumps({"tool_calls": [{"id": "1", "function": CALL}]}), Code(RUN)),
    ("action and its input", json.dumps({"action": "python", "action_input": RUN}), Code(RUN)),
    ("JSON call in a json fence", f"```json\n{json.dumps(CALL)}\n```", Code(RUN)),
    ("JSON call after prose", f"I call:\n{json.dumps(CALL)}", Code(RUN)),
    ("JSON call with raw newlines", '{"code": "import math\nprint(math.pi)"}', Code(RUN)),
    ("JSON call with a fence in it", json.dumps({"code": f"```python\n{RUN}\n```"}), Code(RUN)),
    ("JSON call with a brace missing", json.dumps(CALL)[:-1], Code(RUN)),
    ("Python dict call", str({"name": "python", "arguments": {"code": "print(1)"}}), Code("print(1)")),
    ("tool_call tags", f"<tool_call>\n{json.dumps(CALL)}\n</tool_call>", Code(RUN)),
    ("tool_call half closed", f"<tool_call>{json.dumps(CALL)}</tool_call", Code(RUN)),
    ("tool_call unclosed", f"<tool_call>{json.dumps(CALL)}", Code(RUN)),
    (
        "two tool calls",
        '<tool_call>{"code": "a = f()"}</tool_call>\n<tool_call>{"code": "print(a)"}</tool_call>',
        Code("a = f()\n\nprint(a)"),
    ),
    ("function_call tags", f"<function_call>{json.dumps(CALL)}</function_call>", Code(RUN)),
    ("TOOL_CALLS", f"[TOOL_CALLS]{json.dumps([CALL])}", Code(RUN)),
    ("TOOL_CALLS with ARGS", f"[TOOL_CALLS]python[ARGS]{json.dumps({'code': RUN})}", Code(RUN)),
    ("python_tag", f"<|python_tag|>{RUN}<|eom_id|>", Code(RUN)),
    ("python_tag with JSON", f"<|python_tag|>{json.dumps(CALL)}", Code(RUN)),
    ("code tags", f"<code>\n{RUN}\n</code>", Code(RUN)),
    ("code tags around a fence", f"<code>\n```python\n{RUN}\n```\n</code>", Code(RUN)),
    ("code tag closed by an opening one", f"<code>\n{RUN}\n<code>", Code(RUN)),
    ("code tag unclosed", f"<code>\n{RUN}", Code(RUN)),
    ("execute tags", f"<execute>{RUN}</execute>", Code(RUN)),
    ("execute_ipython tags", f"<execute_ipython>\n{RUN}\n</execute_ipython>", Code(RUN)),
    ("execute tag after prose", f"I run <execute>{RUN}</execute>", Code(RUN)),
    ("parameter tags", f"<function=python>\n<parameter=code>\n{RUN}\n</parameter>\n</function>", Code(RUN)),
    ("named parameter", f'<invoke name="python"><parameter name="code">{RUN}</parameter></invoke>', Code(RUN)),
    ("arg_value", f"<tool_call>python\n<arg_key>code</arg_key>\n<arg_value>{RUN}</arg_value></tool_call>", Code(RUN)),
    ("code tags in prose", "The tag <code>print(1)</code> is HTML.", Answer("The tag <code>print(1)</code> is HTML.")),
    ("a tool that is not there", '{"name": "get_weather", "arguments": {"city": "Oslo"}}', Malformed("no tools")),
    (
        "a tagged tool that is not there",
        '<tool_call>{"name": "weather", "arguments": {}}</tool_call>',
        Malformed("python"),
    ),
    # reasoning
    ("reasoning first", f"<think>Let me see.</think>\n```python\n{RUN}\n```", Code(RUN)),
    ("code in the reasoning", f"<think>\n```python\nbad()\n```\n</think>\n```python\n{RUN}\n```", Code(RUN)),
    ("reasoning before an answer", "<think>Hm.</think>It is 4.\nANSWER: 4", Answer("It is 4.", 4)),
    ("only a closing tag", f"Let me see. bad()\n</think>\n```python\n{RUN}\n```", Code(RUN)),
    ("reasoning that does not close", f"<think>Let me see.\n```python\n{RUN}\n```", Code(RUN)),
    ("nothing but reasoning", "<think>Let me see.</think>", Malformed("reasoning")),
    ("nothing but unclosed reasoning", "<think>Let me see.", Malformed("reasoning")),
    ("thinking tags", "<thinking>Hm.</thinking>\nParis", Answer("Paris")),
    (
        "a tag in a string",
        "```python\nx = s.split('</think>')[-1]\nprint(x)\n```",
        Code("x = s.split('</think>')[-1]\nprint(x)"),
    ),
    ("channels", "<|channel|>analysis<|message|>Hm.<|end|><|channel|>final<|message|>Paris<|return|>", Answer("Paris")),
    # nothing to use
    ("empty", "", Malformed("empty")),
    ("blank", " \n\t\n", Malformed("empty")),
    ("a token alone", "<|im_end|>", Malformed("empty")),
    ("an empty answer", "ANSWER:", Malformed("empty")),
    ("shell", "```sh\npip install x\n```", Malformed("only python runs")),
    ("shell after prose", "First:\n```bash\npip install x\n```", Malformed("only python runs")),
    ("shell in an answer", 'Run this:\n```bash\nls\n```\nANSWER: "ls"', Answer("Run this:\n```bash\nls\n```", "ls")),
]


@pytest.mark.parametrize(("reply", "expected"), [pytest.param(r, e, id=name) for name, r, e in REPLIES])
def test_a_reply_is_read_as(reply: str, expected: Code | Answer | Malformed) -> None:
    read = parse(reply)
    if isinstance(expected, Malformed):
        assert isinstance(read, Malformed)
        assert expected.why in read.why
        assert read.why
    else:
        assert read == expected
        assert (
            not isinstance(expected, Answer) or not isinstance(read, Answer) or type(read.value) is type(expected.value)
        )


def test_names_in_the_table_are_unique() -> None:
    names = [name for name, _, _ in REPLIES]
    assert len(set(names)) == len(names)


PIECES = [
    "```",
    "```python",
    "~~~",
    "`",
    "\n",
    " ",
    "print(1)",
    "x = f(",
    "ANSWER:",
    "4",
    '{"code": "',
    '"}',
    "<think>",
]
PIECES += [
    "</think>",
    "<tool_call>",
    "</tool_call>",
    "<code>",
    "'''",
    '"""',
    "Output:",
    "> ",
    "- ",
    "\\",
    "[",
    "{",
    "\r\n",
]


@settings(max_examples=400, deadline=None)
@given(st.text() | st.lists(st.sampled_from(PIECES)).map("".join) | st.text("`~\n\r pyx()'\"<>{}[]:#"))
def test_any_text_is_read_as_something_of_use(text: str) -> None:
    match parse(text):
        case Code(source):
            assert source.strip()
        case Answer(answer, value):
            assert answer.strip()
            json.dumps(value, allow_nan=False)
        case Malformed(why):
            assert why


UNITS = [
    "```\n",
    "```python\n",
    "```\nfoo bar\n",
    "```python\nx = (\n",
    "```python\nx = (\n```\n",
    "~~~\n",
    "'''python\n",
]
UNITS += [
    "<code>\n",
    "<execute></execute>",
    "<execute></execute>\n",
    "{\n",
    "[\n",
    '[{"a":',
    "ANSWER: x\n",
    "<think>\n",
]
UNITS += ["</think>\n", "<think></think>\n", "-", "(", "not ", "a.", "f()", "if x:\n ", "1. ", "import a\n", "x = 1\n"]
UNITS += [
    "> > ",
    "**",
    "a ```python\n",
    "```python x ",
    "output ",
    "the ",
    "<parameter=",
    "</s>",
    "<|message|>",
    "%a\n",
    "Some of it.\n",
    "```python\nx = 1\nSome of it.\n",
    "```python\n```\n",
    "````\n```\n",
    "<code>\nx = 1\n```\n",
    "<execute_a>\nx = f()\n```\n",
    "<a:code x=1>",
    "<answer>",
    '"code": "',
    '{"code": "x"} ',
    "Action Input: x\n",
    "code: |\n",
    "[PYTHON]\n",
    "python(",
    "1 a\n",
    "&lt;",
    "\\n",
    "<|im_end|>",
    "<|im_start|>user",
    "\\boxed{",
    "'''\n",
    "</",
]


def work(text: str) -> int:
    """Steps that reading takes: calls of functions, and characters that Python's own parser is given."""
    steps = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal steps
        if event == "call":
            steps += 1 + (len(frame.f_locals["source"]) if frame.f_code is tree.__code__ else 0)

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        parse(text)
    finally:
        sys.setprofile(before)
    return steps


@pytest.mark.parametrize("unit", PIECES + UNITS)
def test_twice_as_long_a_reply_of_one_thing_takes_at_most_about_twice_the_steps(unit: str) -> None:
    for prefix in ("", "```python\n", "```text\n", "<code>\n", "ANSWER: ", "{", "<think>"):
        once, twice = (work(prefix + unit * (size // len(unit))) for size in (3_000, 6_000))
        assert twice <= 2.3 * once + 20_000, (prefix, once, twice)


@pytest.mark.parametrize(
    "unit", ["`", "{", "a ", "x = 1\n", "<code>\n", "```\n", "```python\nx = (\n```\n", "So it is.\n"]
)
def test_a_megabyte_of_one_thing_is_read_in_a_bounded_number_of_steps_for_each_character(unit: str) -> None:
    size = 1_000_000
    assert work(unit * (size // len(unit))) <= 60 * size


def test_an_answer_nested_too_deeply_for_its_readers_is_text() -> None:
    for depth, is_text in ((100, False), (101, True), (3_000, True), (200_000, True)):
        raw = "[" * depth + "]" * depth
        read = parse(f"So.\nANSWER: {raw}")
        assert isinstance(read, Answer)
        assert (read.value == raw) is is_text
        encode(Finished(Outcome("solved", read, Verdict(True, "nobody"), ())))


def test_a_lone_surrogate_in_the_reply_does_no_harm() -> None:
    read = parse("It is \ud800.\nANSWER: \ud800")
    assert isinstance(read, Answer)
    (read.text + str(read.value)).encode()


def test_invalid_escapes_in_code_warn_nobody() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert parse("```\nimport re\nre.findall('\\d', '1')\n```") == Code("import re\nre.findall('\\d', '1')")
