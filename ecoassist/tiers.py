"""Config -> the models of the tiers and whoever judges, each metered and sent no key."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from .advice import Rung
from .borders import CleanModel
from .budget import Budget, Metered
from .config import Config, TierConfig
from .engine import Tier
from .errors import NoModel, UsageFault
from .models.choose import Choice, Declared, choose
from .ports import Kernel, Model
from .redactor import Redactor
from .replay import NAME, SpareKernel, StoredProgram, read
from .starting import StartingKernel
from .types import Price, Replay

if TYPE_CHECKING:
    from .models.openai import OpenAIModel
    from .verdict.judge import Chain, Step

MAX_OUTPUT = 8_192
"""Tokens that one reply may take, a reasoning model's thoughts included; less where less money is left."""


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


def replayed(replay: Replay, boot: Callable[[tuple[str, ...]], Kernel]) -> Tier:
    """The tier of a stored program. `boot`: a fresh kernel that may only read, from the hosts it is given."""
    kernel = SpareKernel(StartingKernel(partial(boot, replay.hosts)))
    return Tier(NAME, StoredProgram(replay.id, replay.program), max_turns=1, kernel=kernel, read=read)


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
