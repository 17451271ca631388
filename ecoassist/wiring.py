"""Config -> Session: the only place where concrete classes meet.

The order matters for money and for speed. Endpoints are looked up first, with nothing but the standard library: without
a usable model nothing is started. Then the container boots in the background while the heavy imports happen here.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from . import prompts
from .advice import Advisor, Rung
from .asking import AskingKernel
from .borders import CleanModel, CleanStore, redactor_of
from .budget import Budget, Metered
from .clock import Clock
from .config import Config, TierConfig
from .desk import WARNING, Desk
from .engine import Engine, Tier
from .errors import EnvironmentFault, NoModel, UsageFault
from .events import CHOSEN
from .models.choose import Choice, Declared, choose
from .outbox import FolderOutbox
from .ports import Model
from .reach import missing_keys
from .recording import Recording
from .redactor import Redactor
from .sandboxes import Sandboxes, in_bytes
from .session import Session
from .starting import StartingKernel
from .steering import Steering, place_of
from .types import Api, Attachment, Price

if TYPE_CHECKING:
    from .models.openai import OpenAIModel
    from .store.ledger import SqliteLedger
    from .store.sqlite import SqliteStore
    from .verdict.judge import Chain, Step

UNKEPT = "files that code makes are not kept: the question is private; --files-dir DIR keeps them"
UNASKED = "nobody is at a terminal to be asked"
MAX_OUTPUT = 8_192
"""Tokens that one reply may take, a reasoning model's thoughts included; less where less money is left."""


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
    outbox = FolderOutbox(config.sandbox.files, lambda text: desk.notice(f"{WARNING}{text}"))
    boxes = Sandboxes(config, desk.notice, tuple(files), unsafe_local=unsafe_local, outbox=outbox, clock=clock)
    for trouble in config.keys.troubles if missing_keys(config) else ():  # else nobody needed the keyring
        desk.notice(f"{WARNING}{trouble}")
    store, redactor, ledger = store_of(config), redactor_of(config), ledger_of(config)
    kernel = StartingKernel(boxes.start, boxes.prepare)
    session: Session | None = None

    def opened(host: str, span: str) -> None:
        if session and session.private and span == "always":
            span = "session"
            desk.notice(f"{host} is open for this session only: nothing is kept of a private question")
        boxes.open(host, span)
        if session and span != "once":
            session.apis = (*session.apis, Api(host, host))  # later questions are told of it

    def begin(run: str) -> None:
        unkept = session is not None and session.private
        budget.open("" if unkept or not config.runs.keep else run)
        advisor.begin()
        outbox.begin(run, UNKEPT if unkept and not keep_files else "")
        boxes.begin(run)
        asking.begin()

    advisor = Advisor(rungs_of(choices), ledger.agreement, desk.notice)
    asking = AskingKernel(kernel, opened, "" if asks else UNASKED)
    network = prompts.ASKING if asks and boxes.network == prompts.CLOSED else boxes.network
    budget = Budget(
        config.budget.question,
        config.budget.tokens,
        session_usd=config.budget.session,
        day_usd=config.budget.day,
        ledger=ledger,
        notice=lambda text: desk.notice(f"{WARNING}{text}"),
    )
    try:
        models = Models(budget, redactor, price_of(choices[-1]))
        judge = models.judge(config, choices, chat=chat, person=person or asks, recorded=not unsafe_local)
        engine = Engine(
            tiers=models.tiers(choices),
            kernel=asking,
            store=CleanStore(store, redactor),
            judge=judge,
            system=prompts.system_text(packages=boxes.packages, network=network, seconds=config.sandbox.cell_seconds),
            ready=kernel.ready,
            spending=lambda: (budget.spending, budget.judging),
            short=budget.short,
            portable=boxes.portable,
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
            begin=begin,
            network=boxes.reach,
            begin_attempt=boxes.begin_attempt,
            clock=clock,
            judged=bool(judge.model or judge.person or any(choice.samples > 1 for choice in choices[:-1])),
            confined=not unsafe_local,
            redactor=redactor,
            steering=Steering(
                engine.tiers,
                alone or 0,
                only=alone is not None,
                why="" if alone is None else CHOSEN,
                sticky=config.cascade.sticky,
                hold_out=config.cascade.hold_out,
            ),
            private=private,
            keeps=config.runs.keep,
            recording=Recording(ledger if config.runs.keep else None),
        )
        _forget(ledger, config)
        yield session
    finally:
        (session or kernel).close()
        store.close()
        ledger.close()


def _alone(tier: str | None, strong: bool, names: Sequence[str]) -> int | None:
    """Which tier alone answers; None: the cascade does. Raises UsageFault for the name of none."""
    if strong:
        return len(names) - 1
    return None if tier is None else place_of(tier, names)


def choices_of(config: Config) -> tuple[Choice, ...]:
    """The models that will be used, cheapest first. Raises NoModel, UsageFault where two tiers have one name."""
    names = [tier.name for tier in config.tiers]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageFault(f"two tiers are called {twice!r}", "give each tier a name of its own")
    try:
        return choose(tuple(_declared(tier) for tier in config.tiers), config.environ, keys=config.keys)
    except NoModel as error:
        if not config.keys.troubles:
            raise
        raise NoModel(f"{error} ({config.keys.troubles[0]})", error.remedy) from error  # its key may be there


def _declared(tier: TierConfig) -> Declared:
    price = Price(tier.price.input, tier.price.output, tier.price.cached) if tier.price else None
    return Declared(tier.name, tier.model, tier.base_url, tier.key, tier.max_turns, price, tier.samples)


def price_of(choice: Choice) -> Price | None:
    """The user's own price, else the library's. None: unknown."""
    if choice.price:
        return choice.price
    from .models.prices import price_of as listed

    return listed(choice.model, choice.base_url)


def rungs_of(choices: Sequence[Choice]) -> tuple[Rung, ...]:
    """The tiers as advice sees them; prices are looked up only where one of them is tried in two ways."""
    paired = any(choice.samples > 1 for choice in choices)
    return tuple(Rung(choice.name, price_of(choice) if paired else None, choice.samples) for choice in choices)


def judge_choice(config: Config, choices: Sequence[Choice]) -> Choice | None:
    """The model that judges; None: none does. Raises UsageFault for a name that is no tier, NoModel for a model of its
    own that cannot be used."""
    name, tier = config.judge.model, config.judge.tier
    by_name = {choice.name: choice for choice in choices}
    if name in ("person", "none"):
        return None
    if tier is not None:
        if tier not in by_name:
            raise UsageFault(f"judge.tier: {tier!r} is not a tier", f"write one of: {', '.join(by_name)}")
        there, cost = by_name[tier], config.judge.price
        price = Price(cost.input, cost.output, cost.cached) if cost else None
        own = Declared("judge", name, there.base_url, there.key_name or None, price=price)
        return choose((own,), config.environ, keys=config.keys)[0]
    if name not in by_name and name != "strong":
        known = ", ".join([*by_name, "strong", "person", "none"])
        remedy = f"write one of: {known}; or with judge.tier the name of a model at the endpoint of that tier"
        raise UsageFault(f"judge.model: {name!r} is not a tier", remedy)
    return by_name.get(name, choices[-1])


def steps_of(config: Config, *, chat: bool, person: bool) -> tuple[Step, ...]:
    """The chain of the verdict. `chat`: of a conversation; `person`: somebody is there.

    Where none is configured: in a conversation the person judges what checks and agreement leave open; elsewhere a
    model does, and the person only where it could not.
    """
    named, model = config.judge.chain, config.judge.model
    if model == "none":  # and nobody instead
        return tuple(step for step in named or ("agreement",) if step == "agreement")
    if named is not None:
        return named
    return ("agreement", "person") if model == "person" or (chat and person) else ("agreement", "model", "person")


class Models:
    """Makes a session's models, each metered by its budget and sent no key; those of one endpoint share a client.

    `strong`: the price of the strongest tier.
    """

    def __init__(self, budget: Budget, redactor: Redactor, strong: Price | None = None) -> None:
        self.budget, self.redactor, self.strong = budget, redactor, strong
        self._endpoints: dict[tuple[str, str], OpenAIModel] = {}

    def tiers(self, choices: Sequence[Choice]) -> tuple[Tier, ...]:
        return tuple(Tier(choice.name, self._metered(choice), choice.max_turns, choice.samples) for choice in choices)

    def judge(
        self, config: Config, choices: Sequence[Choice], *, chat: bool, person: bool, recorded: bool = True
    ) -> Chain:
        """The configured chain; `chat`, `person`: as for `steps_of`; `recorded`: as for Chain."""
        from .verdict.judge import SCHEMA, Chain

        steps = steps_of(config, chat=chat, person=person)
        choice = judge_choice(config, choices)
        model = self._metered(choice, SCHEMA) if choice and "model" in steps else None
        return Chain(model, person and "person" in steps, steps, recorded=recorded)

    def _metered(self, choice: Choice, schema: dict[str, object] | None = None) -> Model:
        """CleanModel(Retrying(Metered(endpoint))): each request is reserved for and settled by itself, retries too."""
        from .models.retry import Retrying

        model = self._endpoint(choice).named(choice.model)
        endpoint = model.structured(schema) if schema else model
        metered = Metered(
            endpoint,
            self.budget,
            price_of(choice),
            MAX_OUTPUT,
            overhead=len(json.dumps(schema)) if schema else 0,
            tier=choice.name,
            purpose="judge" if schema else "answer",
            strong=self.strong,
        )
        return CleanModel(Retrying(metered), self.redactor)

    def _endpoint(self, choice: Choice) -> OpenAIModel:
        from .models.openai import OpenAIModel

        place = (choice.base_url, choice.key)
        if place not in self._endpoints:
            self._endpoints[place] = OpenAIModel(choice.model, *place, key_name=choice.key_name)
        return self._endpoints[place]


def store_of(config: Config) -> SqliteStore:
    from .store.sqlite import SqliteStore

    return SqliteStore(config.data / "solutions.db", config.solutions.gate, config.solutions.demonstrations)


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
