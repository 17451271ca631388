"""What the tour asks and says. Lines are made for 80 columns."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from ecoassist.types import Attachment

from . import roles
from .stage import sales

INTRODUCTION = """\
scripted   the replies of a weak and a strong model, also where one judges
emulated   a weather, a stock and a places API, under their real host names
real       everything else: HTTP, engine, sandbox, network gate, memory, counts"""

NO_GATE = """\
Skipped: the blocked host and the masked key. Around a local kernel there is no
gate: nothing keeps its code from any host, and it holds the real keys."""
NO_REPLAY = """\
Skipped: an answer without any model. A stored program is run by itself only in
a sandbox that lets it read, and read from its own hosts alone."""


NEXT = """\
With models of your own: set OPENAI_API_KEY, or start Ollama, and ask something.
`ecoassist doctor` tells what is missing."""


@dataclass(frozen=True, slots=True)
class Scene:
    title: str
    about: str
    question: str
    short: str
    """The question in the closing table."""
    files: tuple[Attachment, ...] = ()
    confined: str = ""
    """Why it shows nothing without a sandbox, if so."""

    @property
    def command(self) -> str:
        files = "".join(f" --file {file.name}" for file in self.files)
        return f'$ ecoassist ask "{self.question}"{files}'


def scenes(today: datetime.date) -> tuple[Scene, ...]:
    """All five. The weekdays asked about are some days ahead, so that none of them is today."""
    first, second = (f"{today + datetime.timedelta(days=ahead):%A}" for ahead in (3, 4))
    return (
        Scene(
            "Too hard for the weak model",
            "The weak model takes a field that is not there, repairs that, and answers for\n"
            "the wrong day. The verdict says no, and the strong model takes over. What it\n"
            "found is stored, tried once more in a fresh kernel, and used from then on.",
            roles.rain("Ghent", first),
            "rain in Ghent",
        ),
        Scene(
            "A similar question",
            "Another city, another day. The prompt of the weak model now shows the stored\n"
            "solution, and the weak model adapts it. The strong one only checks.",
            roles.rain("Lisbon", second),
            "rain in Lisbon",
        ),
        Scene(
            "And again, without a model",
            "The first solution has proved its worth, and this differs from its question in\n"
            "the city alone. So it is run with that city: no model is asked, nothing spent.",
            roles.rain("Porto", first),
            "rain in Porto",
            confined=NO_REPLAY,
        ),
        Scene(
            "A file, and a kernel that remembers",
            "The file is copied to where the code runs. Each cell goes on with the variables\nof the one before.",
            roles.REVENUE,
            "sales.csv",
            (sales(),),
        ),
        Scene(
            "What code cannot do",
            "The code tries a host that is not on the list. Then it prints its API key, and\n"
            "makes the service repeat the key that arrived there.",
            roles.CLOSE,
            "IBM's price",
            confined=NO_GATE,
        ),
    )
