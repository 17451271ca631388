"""The scripted models of the tour: what they reply is a function of what they are sent.

They write programs, and read their answers off what the programs really printed. The weak one takes a wrong field and
the wrong day, unless a demonstration in its prompt shows how it is done.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from ecoassist import prompts

from .programs import COMPUTE, ELSEWHERE, FORECAST, LOAD, PICK, QUOTE, WRONG_FORECAST
from .prompt import Evidence, Prompt, read, read_evidence
from .script import ChatRequest, Script, Scripted

WEAK, STRONG = "scripted-weak", "scripted-strong"
SECONDS_PER_CHUNK = 0.03
"""Makes about 130 tokens a second."""

REVENUE = "Which region in sales.csv earned most?"
CLOSE = "What did IBM close at, and with which API key did you ask?"
RAIN = re.compile(r"What is the chance of rain in (.+) on (\w+)\?")


def rain(city: str, weekday: str) -> str:
    return f"What is the chance of rain in {city} on {weekday}?"


def models(pace: float) -> Mapping[str, Script]:
    """The scripts by model. `pace`: 1 writes as fast as a quick model, 0 at once."""
    return {WEAK: partial(_reply, weak, pace), STRONG: partial(_reply, strong, pace)}


def _reply(think: Callable[[Prompt], str], pace: float, request: ChatRequest) -> Scripted:
    if request.messages[0].text == prompts.JUDGE_SYSTEM:
        text = judge(read_evidence(request.messages))
    else:
        text = think(read(request.messages))
    return Scripted(text, delay=pace * SECONDS_PER_CHUNK)


def weak(prompt: Prompt) -> str:
    if asked := RAIN.fullmatch(prompt.question):
        return _weak_forecast(prompt, *asked.groups())
    if prompt.question == CLOSE:
        return _by(prompt, [ELSEWHERE, QUOTE], _close)
    return _by(prompt, [LOAD, COMPUTE, PICK], _revenue)


def strong(prompt: Prompt) -> str:
    if asked := RAIN.fullmatch(prompt.question):
        city, weekday = asked.groups()
        program = FORECAST.replace("CITY", city).replace("WEEKDAY", weekday)
        return _by(prompt, [program], partial(_chance, city, weekday))
    if prompt.question == CLOSE:
        return _by(prompt, [QUOTE], _close)
    return _by(prompt, ["\n".join((LOAD, COMPUTE, PICK))], _revenue)


def _weak_forecast(prompt: Prompt, city: str, weekday: str) -> str:
    """Adapts a demonstration where there is one; else guesses, and after a KeyError guesses once more."""
    example = prompt.demonstration
    known = RAIN.fullmatch(example.question) if example else None
    if prompt.turns and prompt.last.missing:
        missing = prompt.last.missing
        return _act(prompt.last.program.replace(missing, f"daily_{missing}"))
    program = WRONG_FORECAST.replace("CITY", city)
    if example and known:
        program = example.program.replace(known[1], city).replace(known[2], weekday)
    return _by(prompt, [program], partial(_chance, city, weekday))


def _by(prompt: Prompt, programs: Sequence[str], answer: Callable[[str], str]) -> str:
    """One program after the other, whatever came of them, then the answer from what the last one printed."""
    if len(prompt.turns) < len(programs):
        return _act(programs[len(prompt.turns)])
    return answer(prompt.last.output) if prompt.last.status == "ok" else "I cannot tell.\nANSWER: null"


def _act(program: str) -> str:
    return f"```python\n{program}\n```"


# ── answers, read off real output ───────────────────────────────────────────────────────────────────────────────────


def _chance(city: str, weekday: str, output: str) -> str:
    percent = output.rpartition(": ")[2].removesuffix(" %")
    return f"The chance of rain in {city} on {weekday} is {percent} %.\nANSWER: {percent}"


def _revenue(output: str) -> str:
    region, amount = output.split("\n")[-1].split()
    return f"{region}, with {float(amount):,.2f}.\nANSWER: {json.dumps([region, float(amount)])}"


def _close(output: str) -> str:
    day, _, price, _, key = output.split("\n")[0].split()
    return f"IBM closed at ${price} on {day}, asked with the key {key}.\nANSWER: {price}"


# ── the judge ───────────────────────────────────────────────────────────────────────────────────────────────────────


def judge(evidence: Evidence) -> str:
    """Looks for the day that was asked for, and for every number of the answer, in what the program printed."""
    solved, reason = _judged(evidence)
    return json.dumps({"solved": solved, "reason": reason})


def _judged(evidence: Evidence) -> tuple[bool, str]:
    if (day := _day_asked(evidence)) and day not in evidence.output:
        about = re.search(r"\d{4}-\d\d-\d\d", evidence.output)
        return False, f"asked about {day}, but the output is about {about[0] if about else 'no date'}"
    figures = re.findall(r"\d+(?:\.\d+)?", evidence.answer.replace(",", ""))
    missing = [figure for figure in figures if figure not in evidence.output]
    if missing:
        return False, f"{missing[0]} does not stand in the output"
    return True, "the output is about what was asked and holds every figure of the answer"


def _day_asked(evidence: Evidence) -> str:
    """The date of the weekday that the question names, from today on; empty where it names none."""
    asked = RAIN.fullmatch(evidence.question)
    written = re.search(r"(\d+ \w+ \d{4})", evidence.date)
    if not asked or not written:
        return ""
    today = datetime.datetime.strptime(written[1], "%d %B %Y").date()
    days = (today + datetime.timedelta(ahead) for ahead in range(7))
    return next((day.isoformat() for day in days if day.strftime("%A") == asked[2]), "")
