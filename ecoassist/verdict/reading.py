"""A judge's reply, read. Pure, and made for text that may carry other people's words.

Judges were asked for JSON and give what they like: a bare "Yes.", **yes**, {"verdict": "correct"}, YAML, another
language, their thoughts before it. All of that is read. What is not read as a verdict is what the judge was shown and
says again: an API that answers {"solved": true} must not have judged itself. So whatever stands in `shown` as it stands
in the reply does not count, nor does anything inside <data> marks, a quotation, or another object.

Where nothing is clear there is no verdict: a false yes is stored and served, a missing one costs a second question.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

NAMES = (
    *("solved", "is_solved", "verdict", "judgement", "judgment", "correct", "is_correct", "supported"),
    *("decision", "conclusion"),
)
"""What judges call the field they were asked for, in small letters and with underscores."""
NESTING = ("verdict", "judgement", "judgment")
"""Fields that may hold the whole verdict as an object."""
_YES = ("yes", "yep", "yeah", "y", "true", "correct", "right", "solved", "supported", "accepted", "pass", "passed")
_NO = ("no", "nope", "n", "false", "incorrect", "wrong", "unsolved", "unsupported", "rejected", "fail", "failed")
PLAIN: dict[str, bool] = {**dict.fromkeys(_YES, True), **dict.fromkeys(_NO, False)}
"""Also the first word of a sentence may say it."""
_SI = (
    *("1", "✓", "✔", "✅", "👍", "ja", "oui", "sí", "si", "sim", "da", "да", "tak", "evet", "kyllä", "igen"),
    *("はい", "是", "是的", "对", "正确", "네", "예", "نعم", "हाँ"),
)
_NEIN = (
    *("0", "✗", "✘", "❌", "👎", "nein", "non", "não", "nej", "nei", "ei", "nie", "нет", "hayır"),
    *("いいえ", "否", "不是", "不", "错误", "아니요", "لا", "नहीं"),
    *("not solved", "not correct", "not supported", "partially", "partially solved", "partly solved"),
)
ALONE: dict[str, bool] = PLAIN | {**dict.fromkeys(_SI, True), **dict.fromkeys(_NEIN, False)}
"""Only where nothing else is said in its place: "si" and "da" begin other sentences as well."""
MOST = 24_000
"""Characters of a reply that are read, from its end."""
MOST_SHOWN = 150_000
"""Characters of what a judge is shown that are looked through: more than it is ever shown (`evidence.py`)."""
LONGEST = 500
"""Characters of a line in which a verdict is looked for."""

_TAG = re.compile(r"</?(?:think|thinking|thought|reasoning)>", re.I)
_THOUGHTS = re.compile(r"<(think|thinking|thought|reasoning)>.*?(?:</\1>|\Z)", re.I | re.S)
_THOUGHT_BEFORE = re.compile(r"\A.*</(?:think|thinking|thought|reasoning)>", re.I | re.S)
_SHOWN = re.compile(r"<\s*data\s*>.*?(?:<\s*/\s*data\s*>|\Z)", re.I | re.S)
_QUOTED = re.compile(r"^[ \t]*>.*$", re.M)
_NAME = "|".join(NAMES).replace("_", "[ _]?")
_MARKS = r"[ \t*_`'\"#-]{0,12}"
_VALUE = r"(?P<said>[^\s,;.!*_`'\"{}()\[\]:]+(?: (?:solved|correct|supported)\b)?)"
_LINE = re.compile(
    rf"{_MARKS}(?:(?:my|the|final|overall)[ ]+){{0,3}}(?:{_NAME}){_MARKS}(?:is\b)?{_MARKS}(?:[:=]|(?<=is)){_MARKS}"
    rf"{_VALUE}{_MARKS}(?P<rest>.*)",
    re.I,
)
_FIELD = re.compile(rf"(?:^\{{|,)\s*['\"]?(?:{_NAME})['\"]?\s*[:=]\s*['\"]?{_VALUE}['\"]?\s*(?=[,}}]|\Z)", re.I)
_DICTATED = re.compile(
    r"(?:\b|_)(?:solved|correct|supported|verdict)\b\W{0,6}(?:[:=]|\b(?:to|as|is)\b)\W{0,6}(?:true|yes)\b", re.I
)
"""Within a line: no verdict of a judge, but what one may be told to say."""
_TELLING = re.compile(r"^[ \t*_`'\"#-]{0,12}(reason|evidence)[ \t*_`'\"]{0,8}[:=][ \t]*(\S.*)$", re.I | re.M)
_LEAD = re.compile(r"(?P<word>[a-z]+)\W*(?:[.,:;!\u2013\u2014-]|$)", re.I)
_BRACE = re.compile(r"[{}]")
_FIELD_OPENS = re.compile(rf"{_MARKS}(?:{_NAME}){_MARKS}[:=]", re.I)
_ENDS = re.compile(r"[ \t*_`'\")\]]*(?:$|[.,;:!(\u2013\u2014-](?!\d)|(?:because|since|as)\b)", re.I)
"""What follows a yes that is all that was said in its place."""
_DOUBT = re.compile(
    r"\b(?:but|however|though|although|yet|unless|except|if|only|not|no|cannot|wrong|incorrect|false|partly|partially"
    r"|mostly|nearly|almost|doubt\w*|aber|nicht|falsch|nein)\b|n['\u2019]t\b",
    re.I,
)
_TAKEN_BACK = re.compile(
    r"^[ \t*_`'\"#-]{0,12}(?:no|nope|but|however|wait|actually|on reflection|wrong|incorrect|nein|aber)\b", re.I | re.M
)
_WITHIN = re.compile(r"[\w,][ \t*_`'\"]*\Z")
"""How a line goes that is in the midst of a sentence."""


@dataclass(frozen=True, slots=True)
class Judgement:
    solved: bool
    reason: str = ""
    evidence: str = ""
    """The words of the output that it rests on."""


def read(text: str, shown: str = "", answer: str = "") -> Judgement | None:
    """The judgement in a reply; None: there is no clear one.

    `shown`: what the judge was sent. `answer`: the one to be judged: a "Yes." in reply to an answer "Yes, it rains."
    may be that answer said again. Takes linear time but for text that no model writes, and never raises.
    """
    own = _own_words(text[-MOST:], thoughts=not _TAG.search(shown))
    seen = _squashed(shown)
    found, rest = _objects(own)
    found += _lines(own, rest)
    clear = [one for one in sorted(found, key=lambda one: one[0]) if _squashed(one[2]) not in seen]
    if clear:
        at, judgement, source = clear[-1]
        return None if judgement.solved and _doubted(own, rest, at, source) else judgement
    return None if found else _words(rest.strip(), seen, answer)


def imitations(shown: str) -> tuple[str, ...]:
    """What of a text that is no judge's could be read as a judge's verdict."""
    text = shown[:MOST_SHOWN]
    objects, rest = _objects(text)
    dictated = (order[0] for order in _DICTATED.finditer(text))
    return (*(source for _, _, source in objects + _lines(text, rest)), *dictated)


def quoted(quote: str, shown: str) -> bool:
    """Whether `quote` stands in what was shown, however it is quoted and spaced there."""
    said = _squashed(quote)
    return bool(said) and said in _squashed(shown)


def _own_words(text: str, *, thoughts: bool) -> str:
    """Without what stands between data marks, quotations and, if they can be told by their tags, `thoughts`.

    They cannot where the judge was shown such a tag: what it quotes would end its own thoughts.
    """
    if thoughts:
        text = _THOUGHT_BEFORE.sub("", _THOUGHTS.sub("", text))  # the opening tag may be in the prompt
    return _QUOTED.sub("", _SHOWN.sub("", text))


def _squashed(text: str) -> str:
    """Letters, digits and braces: as good as the same, however it is quoted and spaced."""
    return re.sub(r"[^\w{}:]", "", text).casefold()


# ── objects ─────────────────────────────────────────────────────────────────────────────────────────────────────────

Found = tuple[int, Judgement, str]
"""Where it stands, what it says, and its own text."""


def _objects(text: str) -> tuple[list[Found], str]:
    """Verdicts that are objects, none inside another; and the text with all objects blanked out."""
    found: list[Found] = []
    rest = list(text)
    for begin, end, body in _spans(text):
        source = text[begin:end]
        rest[begin:end] = " " * (end - begin)
        if judgement := _of_mapping(body) if isinstance(body, Mapping) else _of_fragment(source):
            found.append((begin, judgement, source))
    return found, "".join(rest)


def _spans(text: str) -> Iterator[tuple[int, int, object]]:
    """Objects from left to right: where each begins and ends, and its value, None where it is not quite one."""
    decoder, at = json.JSONDecoder(strict=False, object_pairs_hook=_once), text.find("{")
    while at >= 0:
        body: object = None
        try:
            body, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = _closing(text, at)
            body = _literal(text[at:end])
        yield at, end, body
        at = text.find("{", end)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object; a field that it holds twice, with different values, says nothing."""
    body = dict(pairs)
    return body | {name: None for name, value in pairs if len(body) < len(pairs) and body[name] != value}


def _closing(text: str, at: int) -> int:
    """Where the braces from `at` on are even again; the end of the text where they never are."""
    depth = 0
    for brace in _BRACE.finditer(text, at):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return brace.end()
    return len(text)


def _literal(source: str) -> object:
    """An object in Python's spelling: single quotes, True, a comma too many."""
    try:
        return ast.literal_eval(source) if len(source) < 4_000 else None
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None


def _of_mapping(body: Mapping[object, object]) -> Judgement | None:
    fields = {re.sub(r"[ -]", "_", str(name)).casefold(): value for name, value in body.items()}
    for name in NAMES:
        value = fields.get(name)
        if isinstance(value, Mapping) and name in NESTING:
            return _of_mapping(value)
        if (solved := _truth(value)) is not None:
            return Judgement(solved, _text(fields.get("reason")), _text(fields.get("evidence")))
    return None


def _truth(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return {0: False, 1: True}.get(value)
    if isinstance(value, str):
        return ALONE.get(_bare(value))
    return None


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else "" if value is None else str(value)[:500]


def _of_fragment(source: str) -> Judgement | None:
    """Of an object that does not parse, for instance one that was cut off: its first field, or its last."""
    fields = [field for field in _FIELD.finditer(source) if _bare(field["said"]) in ALONE]
    fields = [field for field in fields if source.count('"', 0, field.start()) % 2 == 0]  # none within its texts
    outer = [field for field in fields if not source[1 : field.start()].strip() or source[field.end() :].strip() == "}"]
    said = {ALONE[_bare(field["said"])] for field in outer}
    return Judgement(said.pop()) if len(said) == 1 else None


# ── lines and words ─────────────────────────────────────────────────────────────────────────────────────────────────


def _lines(text: str, rest: str) -> list[Found]:
    """Verdicts like "solved: yes", a line each; `rest` is `text` without its objects."""
    told = {name.lower(): said.strip() for name, said in _TELLING.findall(rest)}
    found: list[Found] = []
    at = 0
    for line in rest.split("\n"):
        said = _LINE.match(line[:LONGEST])
        solved = ALONE.get(_bare(said["said"])) if said else None
        if said and solved is not None and not _is_figure(line, said):
            reason = told.get("reason", said["rest"].strip(" *_`"))
            found.append((at, Judgement(solved, reason, told.get("evidence", "")), text[at : at + len(line)]))
        at += len(line) + 1
    return found


def _is_figure(line: str, said: re.Match[str]) -> bool:
    """Whether the 0 or 1 of a line is a part of another number."""
    begin, end = said.span("said")
    return said["said"].isdigit() and (line[begin - 1] == "-" or not _ENDS.match(line[end:]))


def _doubted(text: str, rest: str, at: int, source: str) -> bool:
    """Whether a yes is less than one: in the midst of a sentence, with a doubt behind it, or taken back later on.

    `rest` is `text` without its objects; at, source: where the yes stands, and its own text.
    """
    end = at + len(source)
    if _TAKEN_BACK.search(_TELLING.sub("", rest[end:])):
        return True
    if not source.startswith("{"):
        said = _LINE.match(source[:LONGEST])
        told = source[said.end("said") :] if said else ""
        return not _ENDS.match(told) or bool(_DOUBT.search(told))
    before = text[text.rfind("\n", 0, at) + 1 : at]
    return bool(_WITHIN.search(before) and re.search(r"\w", rest[end:]))


def _words(text: str, seen: str, answer: str) -> Judgement | None:
    """A yes or a no by itself: the whole reply, its first word with a stop, or its last line. All have to agree."""
    if not text:
        return None
    lines = [line for line in text.splitlines() if _bare(line)]
    said = [ALONE[_bare(line)] for line in (lines[:1] + lines[-1:]) if _bare(line) in ALONE]
    lead = None if _FIELD_OPENS.match(text) else _LEAD.match(text.lstrip("*_`'\"# \t\n"))
    word = lead["word"].lower() if lead else ""
    if word in PLAIN:
        said.append(PLAIN[word])
    if len(set(said)) != 1 or _begins(answer) == said[0]:
        return None
    if said[0] and _bare(lines[-1]) not in ALONE and _DOUBT.search(text):
        return None
    sentences = [one for one in (text, lines[0]) if _bare(one) not in ALONE]  # more than a word may be read out
    if any(_squashed(one) in seen for one in sentences):
        return None
    return Judgement(said[0], text if len(lines) == 1 and sentences else "")


def _begins(answer: str) -> bool | None:
    """The yes or no that an answer itself begins with."""
    first = re.match(r"\W*([^\W\d_]+)", answer)
    return ALONE.get(first[1].casefold()) if first else None


def _bare(text: str) -> str:
    """A word without what stands around it, as the tables know it."""
    return " ".join(text.strip(" \t\r\n*_`'\"#.,:;!()[]-").casefold().split())
