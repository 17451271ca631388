"""Config -> the redactor, and what stands before the ports that keys must not cross."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .config import Config
from .egress.proxies import Proxies
from .entries import Entry, Match, Meaning, Solution, State
from .events import Stream
from .keys import MODEL_KEYS
from .ports import Model, Store
from .redactor import Redactor
from .store.postgres.address import passwords
from .types import Message, Reply, Spending


def redactor_of(config: Config) -> Redactor:
    """Knows the keys of all tiers and APIs, those that models are asked with where nothing is
    configured, and the passwords of the team's store and of this machine's proxies.

    Raises UsageFault where keys cannot be read.
    """
    return Redactor([*keys_of(config).items(), *held(config)])


def held(config: Config) -> list[tuple[str, str]]:
    """Names and values of what this process holds by now; nothing is read for that."""
    keys = config.keys.held()
    of_proxies = (("PROXY_PASSWORD", password) for password in Proxies.of(config.environ).passwords)
    team = config.solutions.team or ""
    of_team = (("TEAM_PASSWORD", password) for password in passwords(keys.get(team, team)))
    return [*of_team, *keys.items(), *of_proxies]


def keys_of(config: Config) -> dict[str, str]:
    """The keys that are there, by the names of their variables. Raises UsageFault where they cannot be read."""
    names = dict.fromkeys([*config.variables, *MODEL_KEYS])
    return {name: value for name in names if (value := config.keys.get(name, "").strip())}


class CleanModel:
    """A model that is sent no key. Outermost of the decorators: what is metered is what is sent."""

    def __init__(self, model: Model, redactor: Redactor) -> None:
        self.model, self.name, self.redactor = model, model.name, redactor

    def reply(self, messages: Sequence[Message], limit: int | None = None) -> Stream[Reply]:
        return self.model.reply([self.redactor.value(message) for message in messages], limit)


class CleanStore:
    """A store that no key goes into, nor comes out of.

    `unmarked` takes a session's placeholders out of why a program failed: it may tell the URL that it asked.
    """

    def __init__(self, store: Store, redactor: Redactor, unmarked: Callable[[str], str] = str) -> None:
        self.store, self.redactor, self.unmarked = store, redactor, unmarked

    def similar(self, query: str, meaning: Meaning | None = None) -> tuple[Match, ...]:
        return self.redactor.value(self.store.similar(self.redactor.text(query), meaning))

    def lacking(self, embedder: str, most: int) -> tuple[Entry, ...]:
        return self.redactor.value(self.store.lacking(embedder, most))

    def describe(self, id: int, embedder: str, vector: bytes) -> None:
        self.store.describe(id, embedder, vector)

    def keep(self, solution: Solution) -> int:
        return self.store.keep(self.redactor.value(solution))

    def settle(self, id: int, green: bool, program: str = "", why: str = "") -> None:
        self.store.settle(id, green, self.redactor.text(program), self.redactor.text(self.unmarked(why)))

    def pending(self) -> tuple[Entry, ...]:
        return self.redactor.value(self.store.pending())

    def credit(self, id: int, won: bool | None, spent: Spending | None = None) -> None:
        self.store.credit(id, won, spent)

    def get(self, id: int) -> Entry | None:
        return self.redactor.value(self.store.get(id))

    def entries(self, state: State | None = None) -> tuple[Entry, ...]:
        return self.redactor.value(self.store.entries(state))

    def retire(self, id: int, why: str) -> bool:
        return self.store.retire(id, self.redactor.text(why))

    def restore(self, id: int) -> bool:
        return self.store.restore(id)

    def remove(self, id: int) -> bool:
        return self.store.remove(id)
