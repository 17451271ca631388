"""Replies as weak models write them (corpus.txt): what share of them is read as a careful person would."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ecoassist.parsing import parse
from ecoassist.programs import normalised
from ecoassist.types import Answer, Code, Malformed

CORPUS = Path(__file__).with_name("corpus.txt")


@dataclass(frozen=True, slots=True)
class Case:
    kind: str
    name: str
    reply: str
    expected: Code | Answer | Malformed


def cases() -> Iterator[Case]:
    """What the file holds; its head tells the format."""
    for block in CORPUS.read_text(encoding="utf-8").split("\n==== ")[1:]:
        title, _, rest = block.partition("\n")
        kind, _, name = title.partition(" / ")
        reply, *parts = rest.split("\n---- ")
        told = {how: text for how, _, text in (part.partition("\n") for part in parts)}
        if "code" in told:
            expected: Code | Answer | Malformed = Code(told["code"])
        elif "malformed" in told:
            expected = Malformed(told["malformed"].strip())
        else:
            expected = Answer(told["answer"].rstrip("\n"), json.loads(told.get("value", "null")))
        yield Case(kind, name, reply, expected)


def agrees(read: Code | Answer | Malformed, expected: Code | Answer | Malformed) -> bool:
    match read, expected:
        case Code(ours), Code(theirs):
            return normalised(ours) == normalised(theirs)
        case Answer(), Answer():
            return read == expected and type(read.value) is type(expected.value)
        case Malformed(why), Malformed(part):
            return bool(why) and part in why
        case _:
            return False


def test_of_replies_as_weak_models_write_them_99_in_100_are_read_right_and_95_of_each_kind() -> None:
    corpus = list(cases())
    missed = [(case, read) for case in corpus if not agrees(read := parse(case.reply), case.expected)]
    listed = "\n".join(
        f"{case.kind} / {case.name}\n  read as  {read}\n  meant as {case.expected}" for case, read in missed
    )
    kinds, misses = Counter(case.kind for case in corpus), Counter(case.kind for case, _ in missed)
    assert len(corpus) >= 200
    assert len({(case.kind, case.name) for case in corpus}) == len(corpus)
    assert len(missed) <= len(corpus) / 100, listed
    assert [kind for kind in kinds if misses[kind] > kinds[kind] / 20] == [], listed
