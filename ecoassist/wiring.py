"""Config -> Session: the only place where concrete classes meet.

The order matters for money and for speed. Endpoints are looked up first, with nothing but the standard library: without
a usable model nothing is started. Then the container boots in the background while the heavy imports happen here.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from . import prompts
from .advice import Advisor
from .asking import AskingKernel
from .borders import CleanStore, redactor_of
from .budget import Budget
from .clock import Clock
from .config import Config
from .desk import Desk
from .embedders import meanings_of
from .engine import Engine
from .errors import EnvironmentFault
from .events import CHOSEN
from .memory import Limits, Setting
from .outbox import FolderOutbox
from .reach import adopting, missing_keys
from .recording import Recording
from .sandboxes import Sandboxes, in_bytes
from .session import Session
from .starting import StartingKernel
from .steering import Steering, place_of
from .tiers import Models, choices_of, price_of, replayed, rungs_of
from .types import Api, Attachment

if TYPE_CHECKING:
    from .engine import Tier
    from .store.ledger import SqliteLedger
    from .store.postgres.store import PostgresStore
    from .store.sqlite import SqliteStore
    from .store.team import Together

UNKEPT = "files that code makes are not kept: the question is private; --files-dir DIR keeps them"
UNASKED = "nobody is at a terminal to be asked"


@contextmanager
def open_session(
    config: Config,
    *,
    chat: bool = False,
    person: bool = False,
    asks: bool = False,
    unsafe_local: bool = False,
    files: Sequence[Attachment] = (),
    clock: Clock | None = None,
    tier: str | None = None,
    strong: bool = False,
    private: bool = False,
    keep_files: bool = True,
) -> Iterator[Session]:
    """A session whose kernel already boots in the background. Leaving the block ends the kernel.

    `chat`: the kernel keeps its state from question to question. `person`: somebody is there to judge answers.
    `asks`: somebody is there to open hosts.
    `clock` counts the seconds of cells; whoever asks the person stops it.
    `tier`: the name of the one that alone answers; `strong`: the last one does.
    `private`: nothing is kept of the questions, nor of their files unless `keep_files`.
    Raises NoModel before anything is started, UsageFault for settings that do not fit.
    """
    choices = choices_of(config)
    alone = _alone(tier, strong, [choice.name for choice in choices])
    desk, clock = Desk(), clock or Clock()
    outbox = FolderOutbox(config.sandbox.files, desk.warn)
    boxes = Sandboxes(config, desk.notice, tuple(files), unsafe_local=unsafe_local, outbox=outbox, clock=clock)
    for trouble in config.keys.troubles if missing_keys(config) else ():  # else nobody needed the keyring
        desk.warn(trouble)
    session: Session | None = None
    redactor, ledger = redactor_of(config), ledger_of(config)
    store = memory_of(config, desk.warn, lambda: session.private if session else private, soon=not private)
    kernel = StartingKernel(boxes.start, boxes.prepare)
    budget = _budget(config, ledger, desk)
    between = _Between(desk, outbox, boxes, budget, Advisor(rungs_of(choices), ledger.agreement, desk.notice))
    asking = AskingKernel(kernel, between.opened, "" if asks else UNASKED)
    network = prompts.ASKING if asks and boxes.network == prompts.CLOSED else boxes.network
    try:
        models = Models(budget, redactor, price_of(choices[-1]))
        judge = models.judge(config, choices, chat=chat, person=person or asks, recorded=not unsafe_local)
        engine = Engine(
            tiers=models.tiers(choices),
            kernel=asking,
            store=CleanStore(store, redactor, boxes.unmarked),
            judge=judge,
            system=prompts.system_text(packages=boxes.packages, network=network, seconds=config.sandbox.cell_seconds),
            ready=kernel.ready,
            spending=lambda: (budget.spending, budget.judging),
            short=budget.short,
            limits=Limits(config.solutions.demonstrations, replay=config.solutions.replay, foreign=not unsafe_local),
            setting=Setting(boxes.portable, boxes.image, lambda: datetime.datetime.now().astimezone().isoformat()),
            replayer=None if unsafe_local else partial(replayed, boot=boxes.start_replay),
            meanings=meanings_of(config, budget, redactor, desk.warn),
            keep_state=chat,
            handoff=config.cascade.handoff == "digest",
        )
        session = Session(
            engine,
            kernel,
            boxes,
            desk,
            apis=boxes.apis,
            card_tokens=config.network.card_tokens,
            listing=boxes.listing,
            files=boxes.attached,
            now=now,
            total=lambda: budget.total,
            judging=lambda: budget.total_judging,
            begin=lambda run: between.begin(run, asking, keep_files=keep_files),
            network=boxes.reach,
            begin_attempt=boxes.begin_attempt,
            clock=clock,
            judged=bool(judge.model or judge.person or any(choice.samples > 1 for choice in choices[:-1])),
            confined=not unsafe_local,
            redactor=redactor,
            steering=_steering(config, engine.tiers, alone),
            private=private,
            keeps=config.runs.keep,
            recording=Recording(ledger if config.runs.keep else None),
        )
        between.session = session
        _forget(ledger, config)
        yield session
    finally:
        (session or kernel).close()
        store.close()
        ledger.close()


class _Between:
    """What happens between two questions, and between two cells when a host is opened."""

    def __init__(self, desk: Desk, outbox: FolderOutbox, boxes: Sandboxes, budget: Budget, advisor: Advisor) -> None:
        self.desk, self.outbox, self.boxes, self.budget, self.advisor = desk, outbox, boxes, budget, advisor
        self.session: Session | None = None
        """Set once there is one."""

    def begin(self, run: str, asking: AskingKernel, *, keep_files: bool) -> None:
        """The question of `run` is next."""
        session = self.session
        private = session is not None and session.private
        self.budget.open("" if private or (session and not session.keeps) else run)
        self.advisor.begin()
        self.outbox.begin(run, UNKEPT if private and not keep_files else "")
        self.boxes.begin(run)
        asking.begin()

    def opened(self, host: str, span: str) -> None:
        """The person opened `host`."""
        session = self.session
        if session and session.private and span == "always":
            span = "session"
            self.desk.notice(f"{host} is open for this session only: nothing is kept of a private question")
        self.boxes.open(host, span)
        if session and span != "once":
            session.apis = (*session.apis, Api(host, host))  # later questions are told of it


def _budget(config: Config, ledger: SqliteLedger, desk: Desk) -> Budget:
    caps = config.budget
    return Budget(
        caps.question, caps.tokens, session_usd=caps.session, day_usd=caps.day, ledger=ledger, notice=desk.warn
    )


def _steering(config: Config, tiers: Sequence[Tier], alone: int | None) -> Steering:
    """`alone`: the tier that alone answers; None: the cascade does."""
    cascade = config.cascade
    if alone is not None:
        return Steering(tiers, alone, only=True, why=CHOSEN, sticky=cascade.sticky, hold_out=cascade.hold_out)
    return Steering(tiers, sticky=cascade.sticky, hold_out=cascade.hold_out)


def _alone(tier: str | None, strong: bool, names: Sequence[str]) -> int | None:
    """Which tier alone answers; None: the cascade does. Raises UsageFault for the name of none."""
    if strong:
        return len(names) - 1
    return None if tier is None else place_of(tier, names)


def memory_of(
    config: Config,
    notice: Callable[[str], None],
    private: Callable[[], bool] = lambda: False,
    *,
    soon: bool = False,
) -> SqliteStore | Together:
    """One's own store, and the team's beside it where there is one.

    `notice` tells the person that the team's cannot be used. `private`: whether the question under way is. `soon`: it
    will be asked, so it is connected to in the background.
    """
    own, team = store_of(config), team_of(config)
    if team is None:
        return own
    from . import packs
    from .store.team import Manners, Together

    if soon:
        threading.Thread(target=team.warm, name="team-warm", daemon=True).start()
    verified = config.solutions.share == "verified"
    clean = redactor_of(config).value
    return Together(own, team, Manners(notice, verified, clean, adopting(config), packs.unfit, private))


def team_of(config: Config) -> PostgresStore | None:
    """The store of the person's team. None: there is none."""
    if not config.solutions.team:
        return None
    from .store.postgres.store import PostgresStore

    return PostgresStore(config.team_url, config.solutions.gate)


def store_of(config: Config) -> SqliteStore:
    from .store.sqlite import SqliteStore

    return SqliteStore(config.data / "solutions.db", config.solutions.gate)


def ledger_of(config: Config) -> SqliteLedger:
    from .store.ledger import SqliteLedger

    return SqliteLedger(config.data / "ledger.db")


def _forget(ledger: SqliteLedger, config: Config) -> None:
    """Runs that are too old, or too many. A ledger that cannot be used is spoken of by whoever needs it."""
    with suppress(EnvironmentFault):
        ledger.retain(config.runs.days, in_bytes(config.runs.size))


def now() -> str:
    """Date, time and zone in words: Friday, 20 November 2026, 10:43 (UTC)."""
    return datetime.datetime.now().astimezone().strftime("%A, %-d %B %Y, %H:%M (%Z)")
