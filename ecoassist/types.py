"""The values everything else speaks in: frozen, slotted, without logic beyond derivation.

Times are seconds, sizes are bytes, money is US dollars, tokens are the endpoint's own count.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"

Finish = Literal["stop", "length", "filter", "interrupted"]
CellStatus = Literal["ok", "error", "timeout", "interrupted", "oom", "killed", "gone"]
CellCause = Literal["", "exception", "output", "deadline", "person", "memory", "exit", "sandbox"]
FaultKind = Literal[
    "code",
    "package",
    "format",
    "data",
    "api",
    "auth",
    "blocked",
    "provider",
    "sandbox",
    "budget",
    "refusal",
    "interrupted",
]
End = Literal["answered", "turn_limit", "no_progress", "needs_person", "provider", "refusal", "budget", "interrupted"]
Status = Literal["solved", "unsolved", "unverified", "budget", "interrupted"]
RunStatus = Status | Literal["running", "lost", "error"]
"""Of a run on the ledger; lost: its process ended without a word, error: something around it was broken."""
PlaceKind = Literal["query", "header", "bearer", "basic", "body"]
Purpose = Literal["answer", "judge", "embed"]
Way = Literal["direct", "words", "program", "plan", "replay"]
"""How an attempt goes about a question: as it likes, in words without code, by a program, with a plan before one, or by
a stored program without any model."""
Reach = Literal["none", "allowlist", "open"]
"""What code may reach: nothing, the hosts of the enabled APIs and those on the list, or every public host."""
NETWORK_OFF, API_OFF = "the network is off", "its API is off"
"""How every refusal begins where code may reach nothing, and of a host whose API lacks its key."""
Carried = Literal["", "sent", "unsent"]
"""What a request had to do with a key: its host has none; one was put in; it carried none although its host has one."""


# ── talking to a model ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["system", "user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, as the endpoint counted them."""

    prompt: int
    completion: int
    """Reasoning tokens included, as endpoints bill them."""
    cached: int = 0
    """The part of `prompt` that came from the provider's cache."""
    written: int = 0
    """The part of `prompt` that went into that cache, as far as it is told: some charge more for it."""


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens."""

    input: float
    output: float
    cached: float | None = None
    """For the part of the prompt that came from the provider's cache; None: as `input`."""
    written: float | None = None
    """For the part that went into it; None: as `input`."""


@dataclass(frozen=True, slots=True)
class Spending:
    """What calls have cost: one call's charge, or the sum over a question."""

    usd: float | None = 0.0
    """None: at least one price is unknown."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    calls: int = 0
    exact: bool = True
    """False: the figures are an upper bound (no usage came back), shown as "<="."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a model on the ledger: what it may cost at worst, later what it did cost."""

    tier: str
    model: str
    purpose: Purpose
    prompt: int
    """Tokens."""
    completion: int
    usd: float | None
    """None: the price is unknown."""
    cached: int = 0
    exact: bool = False
    """False: an upper bound."""
    price: Price | None = None
    strong: Price | None = None
    """What the strongest tier would have taken per token, to tell what was saved."""
    run: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    text: str
    finish: Finish = "stop"
    usage: Usage | None = None
    """None: the endpoint told nothing. Unknown, never zero."""
    charge: Spending | None = None
    """Set by the budget."""
    model: str = ""


# ── running code ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Access:
    """One line of the egress record."""

    host: str
    method: str
    path: str = ""
    """Without the query, which may hold data."""
    status: int | None = None
    """The upstream's status; None where nothing was sent upstream."""
    refused: str = ""
    """Why the gate refused; empty where it did not."""
    size: int = 0
    """Bytes of the response body."""
    seconds: float = 0.0
    api: str = ""
    """The API that the host belongs to, enabled or lacking its key; empty for any other host."""
    blocked: bool = False
    """Refused only because the host is not on the list: a person may open it."""
    cached: bool = False
    """Answered from the run's own cache: nothing was sent upstream."""
    shape: str = ""
    """Of a JSON response: its keys and types, without any value; empty where it is not known."""
    key: Carried = ""

    @property
    def answered(self) -> bool:
        """Whether the host gave what was asked for."""
        return not self.refused and self.status is not None and self.status < 400


@dataclass(frozen=True, slots=True)
class CellError:
    name: str
    """The exception's class, for instance KeyError."""
    message: str
    traceback: str = ""
    """Plain text, without ANSI colours."""


@dataclass(frozen=True, slots=True)
class Table:
    """An HTML table that a cell displayed, as text; foreign, like all text of a cell."""

    columns: tuple[str, ...]
    """Empty where the table has no head."""
    rows: tuple[tuple[str, ...], ...]
    """The first ones, each cut to the same bounded number of bounded cells."""
    total: int
    """Rows there were, those left out included."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A file that a run made, kept on the person's machine."""

    path: str
    """Where it is, as the person can open it."""
    name: str
    """As the code called it; for a display: figure-1.png and the like."""
    kind: str
    """Its media type: image/png."""
    size: int


@dataclass(frozen=True, slots=True)
class CellResult:
    status: CellStatus
    text: str = ""
    """stdout, stderr and the text form of displays in order of arrival; the middle of long output is left out."""
    value: str = ""
    """The text form of the cell's last expression."""
    error: CellError | None = None
    reason: str = ""
    """In words, where the status alone does not say it."""
    seconds: float = 0.0
    accesses: tuple[Access, ...] = ()
    """What the cell asked of the network."""
    state_lost: bool = False
    """The kernel was restarted: variables are gone."""
    omitted: int = 0
    """Characters of `text` that were left out."""
    cause: CellCause = ""
    """What ended the cell before its end; empty after ok. An error by "output" wrote more than a cell may."""
    whole: str = ""
    """Where code finds all of `text` as a file, in case some was left out and it could be kept."""
    survived: tuple[str, ...] = ()
    """Variables that a cell stopped half way left behind; told after timeout, interrupted and error by "output"."""
    files: tuple[Saved, ...] = ()
    """What the cell made or changed for the person: displays, files in the working directory, the whole output."""
    tables: tuple[Table, ...] = ()
    opened: tuple[str, ...] = ()
    """Hosts that refused the cell and that the person opened after it."""
    denied: tuple[str, ...] = ()
    """Hosts that the person did not open."""
    unasked: str = ""
    """Why nobody was asked to open the hosts that refused the cell; empty where somebody was."""
    keyed: tuple[str, ...] = ()
    """APIs that refused their key to the cell, and whose key is in order now, as the person says."""
    unkeyed: tuple[str, ...] = ()
    """APIs that refused their key, which nobody has put in order."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of the person, copied into the kernel's working directory."""

    name: str
    """A plain file name, without any folder."""
    content: bytes


# ── APIs and their keys ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a request a key may stand."""

    kind: PlaceKind
    name: str = ""
    """The query parameter, header or body field; empty for bearer and basic."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A key the code may use but never sees."""

    name: str
    """The environment variable under which code finds the placeholder."""
    value: str
    placeholder: str
    """Random, of the same length as `value`."""
    hosts: tuple[str, ...]
    places: tuple[Place, ...]

    def __repr__(self) -> str:
        return f"Secret({self.name})"  # a value must not reach a traceback or a log


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that an API can be asked."""

    method: str
    path: str
    """Below the base URL; "{id}" stands for a value."""
    summary: str = ""
    parameters: tuple[str, ...] = ()
    """In words for the model: "q*" is required, "days(1-14)" says what fits, "body.name" belongs into a JSON body."""
    fields: tuple[str, ...] = ()
    """Of the response: "forecast.days[].rain_mm"."""


@dataclass(frozen=True, slots=True)
class Api:
    """What a prompt says about a web API."""

    name: str
    host: str
    variable: str = ""
    """The environment variables with its keys, separated by commas; empty for a keyless API."""
    card: str = ""
    """What it is for, and whatever else the model should know, in words."""
    url: str = ""
    """The base of its paths; empty: https://HOST."""
    place: str = ""
    """Where its key goes, as configured: "query:key"; for several keys separated by ";", in the order of `variable`."""
    operations: tuple[Operation, ...] = ()
    """Those known; in a Task only those that belong to the question."""
    known: int = 0
    """How many operations there are, those not named here included."""


# ── a question on its way ───────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Code:
    source: str


@dataclass(frozen=True, slots=True)
class Answer:
    text: str
    """For the person; the ANSWER line is taken out."""
    value: JSON = None
    """Machine-readable; None: the reply stated none."""
    none: bool = field(default=False, compare=False)
    """It said that there is none, in so many words: ANSWER: null."""


@dataclass(frozen=True, slots=True)
class Malformed:
    why: str


@dataclass(frozen=True, slots=True)
class Fault:
    kind: FaultKind
    detail: str = ""
    target: str = ""
    """The host, API or package it is about, where there is one."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One reply of a model and what came of it."""

    reply: Reply
    code: str | None = None
    result: CellResult | None = None
    answer: Answer | None = None
    fault: Fault | None = None
    hint: str = ""
    """What the model was then told to do differently."""

    @property
    def good(self) -> bool:
        """Whether it ran a cell that ended well."""
        return self.result is not None and self.result.status == "ok"


@dataclass(frozen=True, slots=True)
class Attempt:
    tier: str
    turns: tuple[Turn, ...]
    end: End
    why: str = ""
    """The failure's own words, for provider and budget."""
    model: str = ""
    way: Way = "direct"
    fresh: bool = False
    """It began on a kernel without the variables of those before it."""

    @property
    def answer(self) -> Answer | None:
        return self.turns[-1].answer if self.turns else None

    @property
    def results(self) -> tuple[CellResult, ...]:
        return tuple(turn.result for turn in self.turns if turn.result)

    @property
    def asked(self) -> bool:
        """Whether a model was asked: a stored program needs none."""
        return self.way != "replay"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Those that answered, in order."""
        return tuple(dict.fromkeys(a.host for a in self.accesses if a.status))

    @property
    def apis(self) -> tuple[str, ...]:
        """Names of the APIs that gave what was asked for, in order."""
        return tuple(dict.fromkeys(a.api for a in self.accesses if a.api and a.answered))

    @property
    def accesses(self) -> tuple[Access, ...]:
        """What its cells asked of the network, in order."""
        return tuple(access for result in self.results for access in result.accesses)

    @property
    def program(self) -> tuple[str, ...]:
        """The cells that ended well, in order."""
        return tuple(turn.code for turn in self.turns if turn.good and turn.code)


@dataclass(frozen=True, slots=True)
class Example:
    """A stored solution shown to a model, with names in place of the values that belong to its own question."""

    id: int
    query: str
    program: str
    score: float
    wins: int = 0
    losses: int = 0
    trouble: str = ""
    """What it fails with by now, where it is to be repaired."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A stored program that may answer a question without a model, with the question's values in it."""

    id: int
    query: str
    """The stored one."""
    program: str
    hosts: tuple[str, ...] = ()
    """All that it may reach, for reading."""
    shape: str = ""
    """Of the answer, as in a Solution."""
    wins: int = 0
    judged: bool = False
    """This use of it is put to whoever judges, so that its record stays true."""
    usd: float | None = None
    """What the question that it is from cost, in all; None: unknown."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """An earlier question of the conversation."""

    query: str
    answer: str
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """All that a prompt is derived from, except the turns."""

    query: str
    now: str = ""
    """Date, time and time zone, in words."""
    history: tuple[Exchange, ...] = ()
    variables: tuple[str, ...] = ()
    """Names that the kernel still holds from earlier questions."""
    examples: tuple[Example, ...] = ()
    replay: Replay | None = None
    """What may answer it without a model."""
    apis: tuple[Api, ...] = ()
    """Those whose card is shown, with the operations that are."""
    other_apis: tuple[Api, ...] = ()
    """Enabled as well, but only named."""
    enabled: tuple[str, ...] = ()
    """Names of all APIs that may be called; those for which there is no room in the prompt included."""
    listing: str = ""
    """A Python expression of the path of a file with all operations of all APIs; empty: there is none."""
    files: tuple[Attachment, ...] = ()
    digest: str = ""
    """Facts that earlier tiers met."""
    way: Way = "direct"
    made: bool = False
    """Code of earlier questions left files beside the kernel."""

    @property
    def in_context(self) -> str:
        """The question; one that leans on those before it ("and in Oslo?") with the last before it and their root."""
        queries = [self.query]
        for exchange in reversed(self.history):
            if not _leans(queries[-1]):
                break
            queries.append(exchange.query)
        return " ".join(dict.fromkeys([queries[-1], *reversed(queries[:2])]))


def _leans(query: str) -> bool:
    """Whether a question is too short to stand alone, or begins as a continuation."""
    continued = query.casefold().startswith(("and ", "or ", "but ", "then ", "what about ", "how about "))
    return continued or len(query.split()) <= 5


@dataclass(frozen=True, slots=True)
class Verdict:
    solved: bool | None
    """None: could not judge."""
    by: str
    reason: str = ""
    escalate: bool = True
    """Whether a stronger tier may try after a no."""
    evidence: str = ""
    """What a judging model says it rests on."""
    judge: str = ""
    """The model that judged."""
    own: bool = False
    """That model had answered itself."""


@dataclass(frozen=True, slots=True)
class Run:
    """What the ledger knows of one question."""

    id: str
    began: str
    """ISO 8601, UTC."""
    query: str
    status: RunStatus
    tier: str = ""
    """The last that tried; empty while it runs."""
    why: str = ""
    """Why it did not simply begin at the first tier."""
    fault: str = ""
    """What broke it off, where something did."""
    seconds: float = 0.0
    size: int = 0
    """Bytes of its events."""


@dataclass(frozen=True, slots=True)
class Question:
    """Put to the person while a stream runs."""

    kind: Literal["verdict", "host", "key"]
    """verdict: is the answer right? host: may code reach the host named `text`, which it was refused? key: the API
    named `text` refused its key, or has none: is it in order now?"""
    text: str
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    status: Status
    answer: Answer | None
    verdict: Verdict
    attempts: tuple[Attempt, ...]
    spending: Spending = Spending()
    seconds: float = 0.0
    examples: tuple[Example, ...] = ()
    stored: int | None = None
    run: str = ""
    judging: Spending = Spending()
    """The part of `spending` that judging took."""
    replay: Replay | None = None
    """The stored program that was tried before any model."""

    @property
    def tier(self) -> str | None:
        return self.attempts[-1].tier if self.attempts else None

    @property
    def replayed(self) -> Replay | None:
        """The stored program that answered it without a model."""
        return self.replay if self.attempts and self.attempts[-1].way == "replay" else None

    @property
    def partial(self) -> bool:
        """Whether `answer` is what there was when the money ended: nobody judged it, and it may lack the rest."""
        return self.status == "budget" and self.answer is not None

    @property
    def turns(self) -> int:
        return sum(len(attempt.turns) for attempt in self.attempts)

    @property
    def files(self) -> tuple[Saved, ...]:
        """What was saved for the person, each path once, in its last state."""
        results = (result for attempt in self.attempts for result in attempt.results)
        return tuple({file.path: file for result in results for file in result.files}.values())
