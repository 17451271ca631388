"""The endpoints that are known by name, and what is used of each where nothing is configured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from ecoassist.keys import AZURE, PROVIDERS

OPENAI = "https://api.openai.com/v1"
OPENAI_KEY = PROVIDERS["api.openai.com"]
AZURE_PLACE = "AZURE_OPENAI_ENDPOINT"
"""The variable with the address of one's Azure resource."""
AZURE_PATH = "/openai/v1"
"""Azure's surface that follows OpenAI's, without versions and without deployments in the path."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A hosted endpoint, and its models in order of preference."""

    base_url: str
    key_names: tuple[str, ...]
    """Variables of its key; the first that is set counts."""
    cheap: tuple[str, ...]
    strong: tuple[str, ...]

    @property
    def host(self) -> str:
        return str(urlsplit(self.base_url).hostname)


DEFAULTS = (
    Provider(
        OPENAI,
        (OPENAI_KEY,),
        ("gpt-6-luna", "gpt-5-mini", "gpt-4.1-mini", "gpt-4o-mini"),
        ("gpt-6.1-sol", "gpt-6-sol", "gpt-5.1", "gpt-5", "gpt-4.1", "gpt-4o"),
    ),
    Provider(
        "https://api.anthropic.com/v1",
        ("ANTHROPIC_API_KEY",),
        ("claude-haiku-5-5", "claude-haiku-4-5"),
        ("claude-opus-5-5", "claude-opus-5", "claude-sonnet-5-5", "claude-sonnet-5"),
    ),
    Provider(
        "https://generativelanguage.googleapis.com/v1beta/openai",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        ("gemini-3.5-flash-lite", "gemini-3.1-flash-lite", "gemini-2.5-flash"),
        ("gemini-4-argon", "gemini-3.1-pro-preview", "gemini-2.5-pro"),
    ),
    Provider(
        "https://api.mistral.ai/v1",
        ("MISTRAL_API_KEY",),
        ("mistral-small-latest",),
        ("mistral-medium-latest", "mistral-large-4"),
    ),
    Provider(
        "https://api.deepseek.com/v1",
        ("DEEPSEEK_API_KEY",),
        ("deepseek-v4-flash", "deepseek-chat"),
        ("deepseek-v4-pro", "deepseek-reasoner"),
    ),
    Provider(
        "https://openrouter.ai/api/v1",
        ("OPENROUTER_API_KEY",),
        ("openai/gpt-6-luna", "openai/gpt-5-mini"),
        ("openai/gpt-6.1-sol", "openai/gpt-5.1"),
    ),
    Provider(
        "https://api.groq.com/openai/v1",
        ("GROQ_API_KEY",),
        ("openai/gpt-oss-20b", "llama-3.1-8b-instant"),
        ("openai/gpt-oss-120b", "llama-3.3-70b-versatile"),
    ),
)
"""In the order in which their keys are looked for; a test holds that the price list knows every model."""


@dataclass(frozen=True, slots=True)
class Local:
    """A server of models that may run on this machine, known by its usual port."""

    name: str
    port: int

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


OLLAMA = Local("Ollama", 11434)
LOCALS = (OLLAMA, Local("vLLM", 8000), Local("LM Studio", 1234))


def of_host(base_url: str) -> Provider | None:
    host = urlsplit(base_url).hostname
    return next((one for one in DEFAULTS if one.host == host), None)


def of_key(key_name: str) -> Provider | None:
    return next((one for one in DEFAULTS if key_name in one.key_names), None)


def is_azure(base_url: str) -> bool:
    return (urlsplit(base_url).hostname or "").endswith(AZURE)


def azure_url(environ: Mapping[str, str]) -> str | None:
    """The base URL of the Azure resource that the environment names: its address, with or without the path."""
    place = environ.get(AZURE_PLACE, "").strip().rstrip("/")
    for known in (AZURE_PATH, "/openai"):
        place = place.removesuffix(known)
    return f"{place}{AZURE_PATH}" if place else None
