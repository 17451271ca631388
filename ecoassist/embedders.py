"""Config -> whoever tells what questions mean: metered and sent no key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .budget import PER_MESSAGE, Budget
from .config import Config, EmbeddingsConfig
from .errors import EnvironmentFault, ProviderError
from .events import Stream
from .memory import Meanings
from .ports import Embedder
from .purse import cost
from .redactor import Redactor
from .types import Call, Price, Usage

if TYPE_CHECKING:
    from .models.embeddings import OpenAIEmbedder

TIER = "embeddings"
"""What its calls are named on the ledger."""
BATCH = 64
"""Texts of one request."""


def meanings_of(config: Config, budget: Budget, redactor: Redactor, notice: Callable[[str], None]) -> Meanings | None:
    """None: none is configured, or it cannot be used, which `notice` says: it costs no answer."""
    settings = config.solutions.embeddings
    if settings is None:
        return None
    try:
        embedder = _local(settings) if settings.folder else _hosted(config, settings, budget)
    except EnvironmentFault as error:
        notice(f"solutions are found by words alone: {error}; {error.remedy}")
        return None
    return Meanings(CleanEmbedder(embedder, redactor))


def _local(settings: EmbeddingsConfig) -> Embedder:
    from .models.onnx import OnnxEmbedder

    assert settings.folder
    return OnnxEmbedder(settings.folder.expanduser(), settings.gate)


def _hosted(config: Config, settings: EmbeddingsConfig, budget: Budget) -> Embedder:
    """Raises NoModel where its key is missing."""
    from .models.embeddings import OpenAIEmbedder
    from .models.places import place_of
    from .models.prices import price_of_reading

    place = place_of(settings.base_url, settings.key, config.environ, config.keys)
    own = settings.price
    price = Price(own.input, own.output, own.cached) if own else price_of_reading(settings.model, place.base_url)
    model = OpenAIEmbedder(settings.model, place.base_url, place.key, key_name=place.key_name)
    return MeteredEmbedder(model, budget, price, settings.gate)


class MeteredEmbedder:
    """`model`, whose every call is reserved and settled in `budget`, as Metered does it for models that answer."""

    def __init__(self, model: OpenAIEmbedder, budget: Budget, price: Price | None, gate: float) -> None:
        self.model, self.budget, self.price, self.gate, self.batch = model, budget, price, gate, BATCH
        self.name = f"{model.name} at {model.base_url}"

    def embed(self, texts: Sequence[str]) -> Stream[tuple[bytes, ...]]:
        bound = sum(len(text.encode("utf-8", "replace")) + PER_MESSAGE for text in texts)
        worst = Call(TIER, self.model.name, "embed", bound, 0, None, price=self.price)
        with (yield from self.budget.hold(worst)) as hold:
            try:
                made = yield from self.model.embed(texts)
            except ProviderError as error:
                if not error.billed:
                    hold.settle(None)
                raise
            if made.usage:
                hold.settle(_came_to(hold.call, made.usage))
        return made.vectors


def _came_to(worst: Call, usage: Usage) -> Call:
    usd = cost(usage, worst.price) if worst.price else None
    return replace(worst, prompt=usage.prompt, completion=0, usd=usd, exact=True)


class CleanEmbedder:
    """An embedder that is sent no key. Outermost of the decorators: what is metered is what is sent."""

    def __init__(self, embedder: Embedder, redactor: Redactor) -> None:
        self.embedder, self.redactor = embedder, redactor
        self.name, self.gate, self.batch = embedder.name, embedder.gate, embedder.batch

    def embed(self, texts: Sequence[str]) -> Stream[tuple[bytes, ...]]:
        return self.embedder.embed([self.redactor.text(text) for text in texts])
