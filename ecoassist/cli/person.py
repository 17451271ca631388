"""The person at the terminal: questions of a run, and the keys that answer them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

from .common import redacted

if TYPE_CHECKING:
    from ecoassist.ports import Person
    from ecoassist.types import Attachment, Question

VERDICTS = {"": "yes", "y": "yes", "yes": "yes", "n": "no", "no": "no", "e": "escalate", "escalate": "escalate"}
SPANS = {"": "no", "n": "no", "no": "no", "o": "once", "once": "once", "s": "session", "session": "session"}
SPANS |= {"a": "always", "always": "always"}
IN_ORDER = {"": "no", "n": "no", "no": "no", "y": "yes", "yes": "yes"}


def is_there() -> bool:
    """Whether somebody reads what is asked, and can answer."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def at_terminal(files: Sequence[Attachment] = (), typed: TextIO | None = None, said: TextIO | None = None) -> Person:
    """Answers every kind of question; the end of input is no answer. `files`: those that code can read.

    `typed` and `said`: by default stdin and stderr.
    """
    names = tuple(file.name for file in files)

    def answer(question: Question) -> str | None:
        keys, out = typed or sys.stdin, said or sys.stderr
        if question.kind == "host":
            out.write(redacted(about_host(question.text, names)))
            return choice("open it? [o]nce, for this [s]ession, [a]lways, [N]o: ", SPANS, keys, out)
        if question.kind == "key":
            out.write(redacted(about_key(question.text)))
            return choice("is it in order now, so that code may try again? [y]es, [N]o: ", IN_ORDER, keys, out)
        return choice("right? [Enter = yes, n = no, e = ask a stronger model] ", VERDICTS, keys, out)

    return answer


def about_host(host: str, files: Sequence[str] = ()) -> str:
    """What to know before a host is opened, as lines. `host` is foreign: code chose it."""
    from ecoassist import catalogue
    from ecoassist.render.plain import one_line

    seen = one_line(host).encode("ascii", "backslashreplace").decode()
    if len(seen) > LONGEST:
        seen = f"{seen[: LONGEST // 2]} [...] {seen[-LONGEST // 2 :]}"
    lines = [f"code wants to reach {seen}"]
    if any(label.startswith("xn--") for label in seen.split(".")):
        lines.append("  that stands for letters outside a to z: it may imitate another name")
    named = ", ".join(map(one_line, files))
    lines.append("  an opened host can receive whatever the code knows" + (f": {named} too" if named else ""))
    if name := catalogue.hosts().get(host):
        lines.append(f"  it is in the catalogue: ecoassist api add {name} enables it, with its description")
    return "\n".join(lines) + "\n"


def about_key(api: str) -> str:
    """What to know before code tries again with a key that the API named `api` refused, as lines."""
    from ecoassist.render.plain import one_line

    name = one_line(api)
    which = f"  ecoassist api show {name} tells which one it is"
    return f"{name} refused its key\n{which}; ecoassist api key VARIABLE replaces it, from the next start on\n"


LONGEST = 253
"""Characters of a host that are shown: more than a host name can have."""


def choice(prompt: str, keys: Mapping[str, str], typed: TextIO, said: TextIO) -> str | None:
    """Asks until the line is one of `keys`. None: the input has ended."""
    while True:
        said.write(prompt)
        said.flush()
        line = typed.readline()
        if not line:
            return None
        if answer := keys.get(line.strip().lower()):
            return answer
