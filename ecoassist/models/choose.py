"""Which endpoint and which models a question is asked of, settled before anything is paid or started.

In this order: the tiers of the configuration; OPENAI_BASE_URL or OPENAI_API_KEY; Azure; the key of another known
provider, in the order of `providers.DEFAULTS`; a server of models on this machine: Ollama, vLLM, LM Studio.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ecoassist.errors import NoModel
from ecoassist.keys import AZURE_KEY, MODEL_KEYS
from ecoassist.types import Price

from .listing import Endpoint, Fetch, list_models
from .places import checked, home, place_of
from .prices import is_local, listed_price
from .providers import LOCALS, OLLAMA, Provider, is_azure, of_host

MAX_TURNS = 6
FEW = 8
"""With more models than this, the dearest is rarely the one that is wanted: they have to be named."""
NOT_CHAT = ("embed", "rerank", "whisper", "tts", "transcribe", "moderation", "image", "dall-e", "audio", "realtime")
"""Parts of the names of models that do not chat."""
DATED = re.compile(r"-20\d{6}$")
"""How the name of a model ends that states its day."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A tier of the configuration."""

    name: str
    model: str
    base_url: str | None = None
    key: str | None = None
    """The NAME of an environment variable."""
    max_turns: int = MAX_TURNS
    price: Price | None = None
    """In place of the price list's."""
    samples: int = 1
    """Attempts that have to agree."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A tier that can be used: its endpoint answered, and serves the model as far as it says."""

    name: str
    model: str
    base_url: str
    key: str = field(repr=False)
    key_name: str
    max_turns: int
    price: Price | None
    """The configured one; None: ask the price list."""
    why: str
    """One sentence for the person."""
    samples: int = 1


def choose(
    declared: Sequence[Declared],
    environ: Mapping[str, str],
    fetch: Fetch = list_models,
    price: Callable[[str], Price | None] = listed_price,
    *,
    keys: Mapping[str, str] | None = None,
) -> tuple[Choice, ...]:
    """The tiers to use, cheapest first.

    keys: by the names of their variables; None: the environment has them. fetch: asked once for each endpoint.
    price: orders models that nothing else orders. Raises NoModel; for a missing key before any socket opens.
    """
    keys = environ if keys is None else keys
    if declared:
        return _configured(declared, environ, keys, fetch)
    if found := home(environ, keys):
        base_url, key_name = found
        local = is_local(base_url) and not keys.get(key_name)
        endpoint = place_of(base_url, None if local else key_name, environ, keys)
        if key_name == AZURE_KEY:
            raise NoModel(AZURE_NAMES, NAME_DEPLOYMENTS.format(base_url=endpoint.base_url))
        return _defaults(endpoint, fetch(endpoint), price, _because(endpoint, environ, keys))
    return _on_this_machine(environ, fetch, price)


NO_MODEL = """do one of these, then run `ecoassist doctor`:
  export OPENAI_API_KEY=...        use OpenAI (with OPENAI_BASE_URL: any compatible endpoint); the same with
                                   ANTHROPIC_, GEMINI_, MISTRAL_, DEEPSEEK_, OPENROUTER_ or GROQ_API_KEY,
                                   or AZURE_OPENAI_API_KEY with AZURE_OPENAI_ENDPOINT and named tiers
  ollama pull qwen3                use Ollama on this machine, without any account; vLLM and LM Studio are found too
  [[tiers]] in the configuration   name models, base URLs and the variables of their keys: see the README"""
AZURE_NAMES = f"{AZURE_KEY} is set, and which of your Azure deployments to use is not clear"
NAME_DEPLOYMENTS = """name your deployments in the configuration, cheapest first:
  [[tiers]]
  name = "cheap"
  model = "NAME-OF-THE-DEPLOYMENT"
  base_url = "{base_url}"
  price = {{ input = ..., output = ... }}   # dollars per million tokens, unless it is called like its model
or set the key of another provider as OPENAI_API_KEY, which goes first"""


def _because(endpoint: Endpoint, environ: Mapping[str, str], keys: Mapping[str, str]) -> str:
    """Why this endpoint, and which keys were passed over for it."""
    why = "OPENAI_BASE_URL names it" if environ.get("OPENAI_BASE_URL") else f"{endpoint.key_name} is set"
    others = [name for name in MODEL_KEYS if name != endpoint.key_name and environ.get(name)]
    return why + (f", and goes before {', '.join(others)}" if others else "")


def _on_this_machine(
    environ: Mapping[str, str], fetch: Fetch, price: Callable[[str], Price | None]
) -> tuple[Choice, ...]:
    """The first server whose models can be used; a NoModel of the first that has some, but not clear ones."""
    unclear: NoModel | None = None
    for name, base_url in _locals(environ):
        endpoint = Endpoint(base_url, "none", "", found=not environ.get("OLLAMA_HOST"))
        try:
            listed = fetch(endpoint)
        except NoModel:  # there is none, or one that wants a key
            continue
        try:
            if _chatting(listed or ()):
                return _defaults(endpoint, listed, price, f"{name} runs on {urlsplit(base_url).netloc}")
        except NoModel as error:
            unclear = unclear or error
    raise unclear or NoModel("there is no model to ask", NO_MODEL)


def _locals(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Names and base URLs of what to look for. Who says where Ollama is wants nothing else to be found."""
    if host := environ.get("OLLAMA_HOST", ""):
        try:
            yield OLLAMA.name, _ollama_url(host)
        except (NoModel, ValueError):  # no address
            return
    else:
        yield from ((server.name, server.base_url) for server in LOCALS)


def _ollama_url(host: str) -> str:
    """The base URL that OLLAMA_HOST means. It may lack scheme or port; 0.0.0.0 is where a server listens."""
    parts = urlsplit(host if "://" in host else f"http://{host}")
    name = "127.0.0.1" if parts.hostname in (None, "0.0.0.0") else str(parts.hostname)
    return checked(f"{parts.scheme}://{f'[{name}]' if ':' in name else name}:{parts.port or OLLAMA.port}/v1")


# ── tiers of the configuration ──────────────────────────────────────────────────────────────────────────────────────


def _configured(
    declared: Sequence[Declared], environ: Mapping[str, str], keys: Mapping[str, str], fetch: Fetch
) -> tuple[Choice, ...]:
    endpoints = [place_of(tier.base_url, tier.key, environ, keys) for tier in declared]  # all keys before any socket
    lists = {endpoint: fetch(endpoint) for endpoint in dict.fromkeys(endpoints)}
    return tuple(_named(tier, endpoint, lists[endpoint]) for tier, endpoint in zip(declared, endpoints, strict=True))


def _named(tier: Declared, endpoint: Endpoint, listed: Sequence[str] | None) -> Choice:
    why, model = "named in the configuration", tier.model
    if listed is None or is_azure(endpoint.base_url):  # Azure lists its catalogue, not one's own deployments
        why += f"; {endpoint.base_url} cannot say whether it serves it"
    else:
        found = _listed(model, listed)
        if found is None:
            raise NoModel(f"{endpoint.base_url} does not serve {model!r}", _suggestion(model, listed))
        why += f"; {endpoint.base_url} serves it"
    return _choice(tier.name, model, endpoint, f"{why}.", tier.max_turns, tier.price, tier.samples)


def _suggestion(model: str, listed: Sequence[str]) -> str:
    near = difflib.get_close_matches(model, listed, n=3, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"it serves {_some(listed)}" if listed else "it serves no model at all: install one there"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:FEW]) + (f" and {len(names) - FEW} more" if len(names) > FEW else "")


# ── nothing configured ──────────────────────────────────────────────────────────────────────────────────────────────


def _defaults(
    endpoint: Endpoint, listed: Sequence[str] | None, price: Callable[[str], Price | None], because: str
) -> tuple[Choice, ...]:
    """Tiers of an endpoint for which no models are named."""
    provider = of_host(endpoint.base_url)
    if provider and (pair := _pair(provider, listed)):
        why = f"the default for {provider.host}" + ("" if listed is None else ", which serves it")
        return _two(endpoint, *pair, f"{why}; {because}.")
    chat = _chatting(listed or ())
    if len(chat) == 1:
        return (_choice("only", chat[0], endpoint, f"the only model that {endpoint.base_url} serves; {because}."),)
    prices = {name: price(name) for name in chat} if len(chat) <= FEW else {}
    known = sorted((cost.input + cost.output, name) for name, cost in prices.items() if cost)
    if len(known) == len(chat) > 1 and known[0][0] < known[-1][0]:
        return _two(
            endpoint, known[0][1], known[-1][1], f"by price among the models of {endpoint.base_url}; {because}."
        )
    serves = (
        f"serves {_some(chat)}" if chat else "cannot list its models" if listed is None else "lists none that chats"
    )
    raise NoModel(
        f"{endpoint.base_url} {serves}: which to use is not clear", NAME_THEM.format(base_url=endpoint.base_url)
    )


def _chatting(listed: Sequence[str]) -> list[str]:
    return [name for name in listed if not any(part in name.lower() for part in NOT_CHAT)]


NAME_THEM = """name them in the configuration, cheapest first:
  [[tiers]]
  name = "cheap"
  model = "..."
  base_url = "{base_url}\""""


def _pair(provider: Provider, listed: Sequence[str] | None) -> tuple[str, str] | None:
    """The first cheap and the first strong model that the endpoint lists."""
    cheap, strong = (
        next((name for name in names if listed is None or _listed(name, listed)), None)
        for names in (provider.cheap, provider.strong)
    )
    return (cheap, strong) if cheap and strong else None


def _listed(model: str, listed: Sequence[str]) -> str | None:
    """The name under which a list has a model: Ollama adds a tag, Gemini a folder, Anthropic a date."""
    names = {model, f"{model}:latest", f"models/{model}"}
    return next((name for name in listed if name in names or DATED.sub("", name) == model), None)


def _two(endpoint: Endpoint, cheap: str, strong: str, why: str) -> tuple[Choice, ...]:
    return _choice("cheap", cheap, endpoint, why), _choice("strong", strong, endpoint, why)


def _choice(
    name: str,
    model: str,
    endpoint: Endpoint,
    why: str,
    max_turns: int = MAX_TURNS,
    price: Price | None = None,
    samples: int = 1,
) -> Choice:
    return Choice(name, model, endpoint.base_url, endpoint.key, endpoint.key_name, max_turns, price, why, samples)
