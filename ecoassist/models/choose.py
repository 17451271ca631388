"""Which endpoint and which models a question is asked of, settled before anything is paid or started.

In this order: the tiers of the configuration; OPENAI_API_KEY and OPENAI_BASE_URL; a local Ollama. Loads no client.
"""

from __future__ import annotations

import difflib
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import urlsplit

from ecoassist.errors import NoModel
from ecoassist.types import Price

from .prices import is_local, listed_price

OPENAI = "https://api.openai.com/v1"
SECONDS = 5.0
"""How long an endpoint may take to list its models."""
MAX_TURNS = 6
_HOW_TO_SET = "export {0}=..., or keep it with: ecoassist api key {0}"
FEW = 8
"""With more models than this, the dearest is rarely the one that is wanted: they have to be named."""
NOT_CHAT = ("embed", "rerank", "whisper", "tts", "transcribe", "moderation", "image", "dall-e", "audio", "realtime")
"""Parts of the names of models that do not chat."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A hosted endpoint that is known by name, and its models in order of preference."""

    base_url: str
    key_name: str
    cheap: tuple[str, ...]
    strong: tuple[str, ...]


DEFAULTS = (
    Provider(
        OPENAI,
        "OPENAI_API_KEY",
        ("gpt-6-luna", "gpt-5-mini", "gpt-4.1-mini", "gpt-4o-mini"),
        ("gpt-6.1-sol", "gpt-6-sol", "gpt-5.1", "gpt-5", "gpt-4.1", "gpt-4o"),
    ),
    Provider(
        "https://api.deepseek.com/v1",
        "DEEPSEEK_API_KEY",
        ("deepseek-v4-flash", "deepseek-chat"),
        ("deepseek-v4-pro", "deepseek-reasoner"),
    ),
    Provider(
        "https://api.groq.com/openai/v1",
        "GROQ_API_KEY",
        ("openai/gpt-oss-20b", "llama-3.1-8b-instant"),
        ("openai/gpt-oss-120b", "llama-3.3-70b-versatile"),
    ),
    Provider(
        "https://api.mistral.ai/v1",
        "MISTRAL_API_KEY",
        ("mistral-small-latest",),
        ("mistral-medium-latest", "mistral-large-4"),
    ),
    Provider(
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        ("openai/gpt-6-luna", "openai/gpt-5-mini"),
        ("openai/gpt-6.1-sol", "openai/gpt-5.1"),
    ),
)
"""What to use where nothing is configured; a test holds that the price list knows every one of them."""


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
class Endpoint:
    base_url: str
    key: str = field(repr=False)
    key_name: str
    """Empty: it needs no key."""


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


Fetch: TypeAlias = Callable[[Endpoint], "tuple[str, ...] | None"]
"""The names of an endpoint's models; None: it cannot be asked, which some cannot. Raises NoModel: it cannot be used."""


def list_models(endpoint: Endpoint) -> tuple[str, ...] | None:
    """GET {base_url}/models, the Fetch of everyday use. Only a refused connection or a refused key is a NoModel."""
    request = urllib.request.Request(f"{endpoint.base_url}/models", headers={"User-Agent": "ecoassist"})
    request.add_unredirected_header("Authorization", f"Bearer {endpoint.key}")
    local = [urllib.request.ProxyHandler({})] if is_local(endpoint.base_url) else []
    try:
        with urllib.request.build_opener(*local).open(request, timeout=SECONDS) as answer:
            return tuple(str(model["id"]) for model in json.load(answer)["data"])
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 401:
            remedy = f"set {endpoint.key_name or 'a key'} to a valid key of this endpoint"
            raise NoModel(f"{endpoint.base_url} does not accept the key", remedy) from error
        return None
    except urllib.error.URLError as error:
        remedy = "start it, or correct base_url; `ecoassist doctor` checks again"
        raise NoModel(f"{endpoint.base_url} cannot be reached: {error.reason}", remedy) from error
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None  # slow or not a list of models: the models may still be there


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
    if environ.get("OPENAI_BASE_URL") or keys.get("OPENAI_API_KEY"):
        endpoint = _endpoint(None, None, environ, keys)
        return _defaults(endpoint, fetch(endpoint), price)
    try:
        ollama = Endpoint(_ollama_url(environ.get("OLLAMA_HOST", "")), "ollama", "")
        listed = fetch(ollama)
    except (NoModel, ValueError):  # none there, or OLLAMA_HOST is no address
        listed = None
    if not listed:
        raise NoModel("there is no model to ask", NO_MODEL)
    return _defaults(ollama, listed, price)


NO_MODEL = """do one of these, then run `ecoassist doctor`:
  export OPENAI_API_KEY=...        use OpenAI (with OPENAI_BASE_URL: any compatible endpoint)
  ollama pull qwen3                use Ollama on this machine, without any account
  [[tiers]] in the configuration   name models, base URLs and the variables of their keys: see the README"""


# ── tiers of the configuration ──────────────────────────────────────────────────────────────────────────────────────


def _configured(
    declared: Sequence[Declared], environ: Mapping[str, str], keys: Mapping[str, str], fetch: Fetch
) -> tuple[Choice, ...]:
    endpoints = [_endpoint(tier.base_url, tier.key, environ, keys) for tier in declared]  # all keys before any socket
    lists = {endpoint: fetch(endpoint) for endpoint in dict.fromkeys(endpoints)}
    return tuple(_named(tier, endpoint, lists[endpoint]) for tier, endpoint in zip(declared, endpoints, strict=True))


def _named(tier: Declared, endpoint: Endpoint, listed: Sequence[str] | None) -> Choice:
    why, model = "named in the configuration", tier.model
    if listed is None or _is_azure(endpoint.base_url):  # Azure lists its catalogue, not one's own deployments
        why += f"; {endpoint.base_url} cannot say whether it serves it"
    else:
        found = next((name for name in (model, f"{model}:latest", f"models/{model}") if name in listed), None)
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


def _endpoint(
    base_url: str | None, key_name: str | None, environ: Mapping[str, str], keys: Mapping[str, str]
) -> Endpoint:
    """Where a tier is asked, and with which key. A key is only ever sent to the endpoint it was given for."""
    ours = environ.get("OPENAI_BASE_URL") or OPENAI
    if base_url is None:
        provider = next((one for one in DEFAULTS if one.key_name == key_name), None)
        base_url = provider.base_url if provider and provider.base_url != OPENAI else ours
    base_url = _checked(base_url)
    if key_name is None and is_local(base_url) and not (base_url == _checked(ours) and keys.get("OPENAI_API_KEY")):
        return Endpoint(base_url, "none", "")
    key_name = key_name or _key_name(base_url, _checked(ours))
    key = keys.get(key_name, "").strip()
    if not key:
        raise NoModel(f"{key_name} is not set, and {base_url} needs a key", _HOW_TO_SET.format(key_name))
    if not (key.isascii() and key.isprintable()):
        raise NoModel(f"{key_name} holds characters that no key has", f"set {key_name} to the key alone")
    return Endpoint(base_url, key, key_name)


def _key_name(base_url: str, ours: str) -> str:
    host = urlsplit(base_url).hostname
    for provider in DEFAULTS:
        if urlsplit(provider.base_url).hostname == host:
            return "OPENAI_API_KEY" if base_url == ours else provider.key_name
    if base_url == ours:
        return "OPENAI_API_KEY"
    raise NoModel(f"no key is named for {base_url}", 'add key = "NAME_OF_THE_VARIABLE" to its tier')


def _checked(base_url: str) -> str:
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        named = parts.username is not None
    except ValueError:
        usable = named = False
    if named:  # it would be shown in messages, and the endpoint would not get it
        raise NoModel("a base URL holds no user name and no password", "put the key into a variable, and name that")
    if not usable:
        raise NoModel(f"{base_url!r} is not a base URL", "write it like https://api.openai.com/v1")
    return base_url.rstrip("/")


def _is_azure(base_url: str) -> bool:
    return (urlsplit(base_url).hostname or "").endswith(".azure.com")


# ── nothing configured ──────────────────────────────────────────────────────────────────────────────────────────────


def _defaults(
    endpoint: Endpoint, listed: Sequence[str] | None, price: Callable[[str], Price | None]
) -> tuple[Choice, ...]:
    """Tiers of an endpoint for which no models are named."""
    host = urlsplit(endpoint.base_url).hostname
    provider = next((one for one in DEFAULTS if urlsplit(one.base_url).hostname == host), None)
    if provider and (pair := _pair(provider, listed)):
        why = f"the default for {host}" + ("." if listed is None else ", which serves it.")
        return _two(endpoint, *pair, why)
    chat = [name for name in listed or () if not any(part in name.lower() for part in NOT_CHAT)]
    if len(chat) == 1:
        return (_choice("only", chat[0], endpoint, f"the only model that {endpoint.base_url} serves."),)
    prices = {name: price(name) for name in chat} if len(chat) <= FEW else {}
    known = sorted((cost.input + cost.output, name) for name, cost in prices.items() if cost)
    if len(known) == len(chat) > 1 and known[0][0] < known[-1][0]:
        return _two(endpoint, known[0][1], known[-1][1], f"by price among the models of {endpoint.base_url}.")
    serves = (
        f"serves {_some(chat)}" if chat else "cannot list its models" if listed is None else "lists none that chats"
    )
    raise NoModel(
        f"{endpoint.base_url} {serves}: which to use is not clear", NAME_THEM.format(base_url=endpoint.base_url)
    )


NAME_THEM = """name them in the configuration, cheapest first:
  [[tiers]]
  name = "cheap"
  model = "..."
  base_url = "{base_url}\""""


def _pair(provider: Provider, listed: Sequence[str] | None) -> tuple[str, str] | None:
    """The first cheap and the first strong model that the endpoint lists."""
    cheap, strong = (
        next((name for name in names if listed is None or name in listed), None)
        for names in (provider.cheap, provider.strong)
    )
    return (cheap, strong) if cheap and strong else None


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


def _ollama_url(host: str) -> str:
    """The base URL that OLLAMA_HOST means. It may lack scheme or port; 0.0.0.0 is where a server listens."""
    parts = urlsplit(host if "://" in host else f"http://{host}")
    name = "127.0.0.1" if parts.hostname in (None, "0.0.0.0") else str(parts.hostname)
    return _checked(f"{parts.scheme}://{f'[{name}]' if ':' in name else name}:{parts.port or 11434}/v1")
