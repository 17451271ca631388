"""Defaults < file < environment < options, in one frozen Config. The only reader of the process environment.

The file is TOML: `--config`, else ECOASSIST_CONFIG, else `ecoassist/config.toml` in the user's configuration folder.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args

import platformdirs
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, InstanceOf, ValidationError, model_validator

from . import catalogue
from .errors import EnvironmentFault, UsageFault
from .keys import FILE, PROVIDERS, Keys, key_of_host
from .types import Reach


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _variable(name: str) -> str:
    """Refuses what looks like a key: names are shown in messages and in prompts."""
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", name):
        raise ValueError("write the NAME of an environment variable, in capitals, never the key itself")
    return name


Variable: TypeAlias = Annotated[str, AfterValidator(_variable)]
"""The name of an environment variable."""


def _connection(text: str) -> str:
    """Refuses what is neither; says nothing of it, since it may hold a password."""
    if "://" not in text:
        return _variable(text)
    if not re.match(r"postgres(ql)?://", text):
        raise ValueError("write postgresql://HOST/DATABASE, or the NAME of a variable that holds such a text")
    return text


Connection: TypeAlias = Annotated[str, AfterValidator(_connection)]
"""A connection string of PostgreSQL, or the name of an environment variable that holds one."""


class PriceConfig(_Section):
    """Dollars per million tokens, to override the price library."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached: float | None = Field(default=None, ge=0)


class TierConfig(_Section):
    name: str
    model: str
    base_url: str | None = None
    """Without it: the provider of `key` where it is a known one, else OPENAI_BASE_URL, else OpenAI."""
    key: Variable | None = None
    max_turns: int = Field(default=6, ge=1, le=50)
    samples: Literal[1, 2] = 1
    """2: two attempts, made in different ways, must agree."""
    price: PriceConfig | None = None


class JudgeConfig(_Section):
    model: str = "strong"
    """A tier's name, "strong" (the last tier), "person" or "none"; with `tier`, a model's name."""
    tier: str | None = None
    """The tier at whose endpoint `model` is asked, where it is a model of its own."""
    price: PriceConfig | None = None
    """Of that model."""
    chain: tuple[Literal["checks", "agreement", "model", "person"], ...] | None = None
    """The steps of a verdict, in order; the first that knows decides. Checks come first whether they are named or not.
    None: all of them, but in a chat with somebody there the person in place of the model."""


class BudgetConfig(_Section):
    question: float = Field(default=0.50, ge=0)
    """Dollars that one question may cost, judge included; inf: no limit."""
    session: float | None = Field(default=5.0, ge=0)
    """The same for all questions of a conversation."""
    day: float | None = Field(default=20.0, ge=0)
    """The same for all processes of a day of this machine."""
    tokens: int = Field(default=200_000, ge=0)
    """Tokens that one question may take where a price is unknown."""


class SandboxConfig(_Section):
    base_image: str | None = None
    """Environment: ECOASSIST_BASE_IMAGE."""
    build_network: str | None = None
    """The network mode of the image build. Environment: ECOASSIST_BUILD_NETWORK."""
    flavour: Literal["core", "data"] = "core"
    """data: with numpy, pandas and matplotlib."""
    memory: str = Field(default="1g", pattern=r"^[0-9]+[bkmgBKMG]?$")
    cpus: float = Field(default=1.0, gt=0)
    cell_seconds: float = Field(default=60.0, gt=0)
    output: str = Field(default="16m", pattern=r"^[0-9]+[bkmgBKMG]?$")
    """Text and displays that a cell may write before it is interrupted."""
    files: Path = Path("ecoassist-files")
    """The folder in which every run that makes files gets one of its own."""


class NetworkConfig(_Section):
    policy: Reach = "allowlist"
    """none: nothing. allowlist: the APIs, and `hosts`. open: every public host."""
    hosts: tuple[str, ...] = ()
    """Hosts that code may reach beside those of the APIs; "*.example.com" means every name under example.com."""
    packages: bool | tuple[str, ...] = False
    """Whether code may install packages with pip; or the hosts of its index in place of those of pip here."""
    addresses: dict[str, str] = {}
    """"ADDRESS", "ADDRESS:TLS_PORT" or "ADDRESS:TLS_PORT:HTTP_PORT" per host, in place of what the name resolves to."""
    ca_bundle: Path | None = None
    """PEM file of the authorities that sign the hosts' certificates, in place of the system's."""
    card_tokens: int = Field(default=1_200, ge=100)
    """Tokens that the descriptions of APIs may take in a prompt."""


class OperationConfig(_Section):
    method: str = "GET"
    path: str
    """Below the API's base URL."""
    summary: str = ""
    parameters: tuple[str, ...] = ()
    """"q*": required; "days(1-14)": what fits; "body.name": in a JSON body."""
    fields: tuple[str, ...] = ()
    """Of the response: "forecast.days[].rain_mm"."""


class ApiConfig(_Section):
    """One web API; without `host` and `url` it is the one of that name in the shipped catalogue."""

    host: str = ""
    url: str = ""
    """The base of its paths; default https://HOST. Only a private API may have a port or plain http."""
    hosts: tuple[str, ...] = ()
    """Further hosts of it; its keys go there as well."""
    private: bool = False
    """It is in the person's own network, where code is otherwise never let."""
    secret: Variable | None = None
    """The environment variable that holds the key, and under which code finds its placeholder."""
    place: str = "bearer"
    """query:NAME, header:NAME, bearer, basic or body:FIELD. Several: separated by commas."""
    secrets: dict[Variable, str] = {}
    """Further keys and their places."""
    card: str = ""
    """What it is for, and whatever else the model should know."""
    operations: tuple[OperationConfig, ...] = ()
    acts: tuple[str, ...] = ()
    """Paths, with "*" for anything, of GETs that change something: they are not sent in a re-run."""
    terms: str = ""
    """Under which terms it may be used, for the person."""
    document: str = ""
    """Where the OpenAPI document is that it was described by."""

    @property
    def keys(self) -> dict[str, str]:
        """Variables and the places of their keys."""
        return ({self.secret: self.place} if self.secret else {}) | self.secrets


class CascadeConfig(_Section):
    handoff: Literal["none", "digest"] = "digest"
    """What a stronger tier is told of an attempt before it: nothing, or facts."""
    sticky: bool = True
    """After an escalation the rest of a conversation begins at the tier that solved it."""
    hold_out: float = Field(default=0.0, ge=0, le=1)
    """The share of questions that the strongest tier answers alone, to measure what is saved."""


class RunsConfig(_Section):
    keep: bool = True
    """Whether questions, events and solutions are kept; what calls cost always is."""
    days: int = Field(default=90, ge=1)
    """After so many, a run is forgotten."""
    size: str = Field(default="500m", pattern=r"^[0-9]+[bkmgBKMG]?$")
    """Above so much, the oldest runs are forgotten."""


class EmbeddingsConfig(_Section):
    """Who tells what questions mean: a model at an endpoint, or one in a folder of this machine."""

    model: str = ""
    """The name of one at an OpenAI-compatible endpoint for embeddings."""
    base_url: str | None = None
    """As for a tier."""
    key: Variable | None = None
    folder: Path | None = None
    """In place of `model`: of ONNX weights and a tokenizer.json. Needs the extra `local`."""
    gate: float = Field(default=0.40, ge=0, le=1)
    """The least similarity, the mean of words and meaning, of a question whose solution is shown. The default was
    measured for all-MiniLM-L6-v2 (see similarity.blended); another model may need its own."""
    price: PriceConfig | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> EmbeddingsConfig:
        if bool(self.model) == bool(self.folder):
            raise ValueError("name a model of an endpoint, or a folder with one: either of them")
        if self.folder and (self.base_url or self.key or self.price):
            raise ValueError("a folder has no base_url, key or price")
        return self


class SolutionsConfig(_Section):
    demonstrations: int = Field(default=1, ge=0, le=3)
    """Solutions that a prompt shows at most."""
    gate: float = Field(default=0.35, ge=0, le=1)
    """The least similarity of a question whose solution is shown."""
    replay: bool = True
    """Whether a stored program may answer without a model."""
    embeddings: EmbeddingsConfig | None = None
    """Without: solutions are found by the words of their questions alone."""
    team: Connection | None = None
    """The store of a team, beside one's own."""
    share: Literal["asked", "verified"] = "asked"
    """What the team is given. asked: what `solutions share` names. verified: all that works alone, at once."""


class Config(_Section):
    tiers: tuple[TierConfig, ...] = ()
    judge: JudgeConfig = JudgeConfig()
    budget: BudgetConfig = BudgetConfig()
    cascade: CascadeConfig = CascadeConfig()
    runs: RunsConfig = RunsConfig()
    sandbox: SandboxConfig = SandboxConfig()
    network: NetworkConfig = NetworkConfig()
    apis: dict[str, ApiConfig] = {}
    solutions: SolutionsConfig = SolutionsConfig()

    file: Path | None = Field(default=None, exclude=True)
    """Where the settings were read from."""
    data: Path = Field(default=Path(), exclude=True)
    """The folder of the solutions."""
    added: Path = Field(default=Path(), exclude=True)
    """The folder of what commands add to the configuration: NAME.json per API, and keys.toml."""
    environ: Mapping[str, str] = Field(default_factory=dict, exclude=True, repr=False)
    """A copy of the process environment."""
    keys: InstanceOf[Keys] = Field(default_factory=Keys, exclude=True, repr=False)
    """Keys by the names of their variables: from the environment, else from where the person keeps them."""

    @property
    def variables(self) -> tuple[str, ...]:
        """Those that name keys: of APIs, of models, and of the team's store."""
        named = [variable for api in self.apis.values() for variable in api.keys]
        models = [self._key_of(tier) for tier in self.tiers] if self.tiers else [PROVIDERS["api.openai.com"]]
        embeddings = self.solutions.embeddings
        models += [self._key_of(embeddings)] if embeddings and embeddings.model else []
        return tuple(dict.fromkeys([*named, *filter(None, [*models, self._team_variable])]))

    @property
    def _team_variable(self) -> str | None:
        """The one that holds the connection string of the team's store."""
        team = self.solutions.team
        return team if team and "://" not in team else None

    def team_url(self) -> str:
        """The connection string of the team's store. Raises EnvironmentFault where its variable is not set."""
        if variable := self._team_variable:
            if found := self.keys.get(variable, "").strip():
                return found
            raise EnvironmentFault(
                f"{variable} is not set", f"export {variable}=postgresql://USER:PASSWORD@HOST/DATABASE"
            )
        return self.solutions.team or ""

    def _key_of(self, tier: TierConfig | EmbeddingsConfig) -> str | None:
        """The variable of a tier's key, of one that names none that of its endpoint; None: it needs none."""
        if tier.key:
            return tier.key
        ours = self.environ.get("OPENAI_BASE_URL", "").rstrip("/")
        if tier.base_url is None or tier.base_url.rstrip("/") == ours:
            return PROVIDERS["api.openai.com"]
        host = re.match(r"https?://([^/:]+)", tier.base_url)
        return key_of_host(host[1].lower()) if host else None


FOREIGN = frozenset({"file", "data", "added", "environ", "keys"})
"""Fields of Config that are not settings."""


def load(
    path: Path | None = None,
    *,
    max_cost: float | None = None,
    sandbox: Mapping[str, object] | None = None,
    network: str | None = None,
    hold_out: float | None = None,
    judge: bool = True,
    replay: bool = True,
    environ: Mapping[str, str] | None = None,
) -> Config:
    """The effective configuration. `sandbox`: settings of that section from options, None where an option is not given;
    `network`: the policy, `hold_out`: that of the cascade, likewise. `judge` False: no model and no person judges.
    `replay` False: no stored program answers by itself.

    Raises UsageFault for a file that cannot be read, is not TOML, or has unknown or unfit settings.
    """
    env = environment() if environ is None else dict(environ)
    file, added = locate(path, env)
    settings = _read(file) if file else {}
    from_environment = {name: env[variable] for name, variable in FROM_ENVIRONMENT.items() if env.get(variable)}
    _override(settings, "sandbox", from_environment)
    _override(settings, "sandbox", {name: value for name, value in (sandbox or {}).items() if value is not None})
    _override(settings, "budget", {} if max_cost is None else {"question": max_cost})
    _override(settings, "network", {} if network is None else {"policy": network})
    _override(settings, "cascade", {} if hold_out is None else {"hold_out": hold_out})
    _override(settings, "solutions", {} if replay else {"replay": False})
    if not judge:
        _unjudge(settings)
    settings["apis"] = _with_added(settings.get("apis", {}), added)
    data = Path(env["ECOASSIST_DATA"]) if env.get("ECOASSIST_DATA") else platformdirs.user_data_path("ecoassist")
    return _validated(settings, file, data, added, env)


def locate(path: Path | None = None, environ: Mapping[str, str] | None = None) -> tuple[Path | None, Path]:
    """The configuration file, None where there is none, and the folder of what commands add to it."""
    env = environment() if environ is None else environ
    named = path or (Path(env["ECOASSIST_CONFIG"]) if env.get("ECOASSIST_CONFIG") else None)
    default = platformdirs.user_config_path("ecoassist") / "config.toml"
    beside = named or default
    file = named or (default if default.exists() else None)
    if not beside.name:  # "/" or ".": reading it as the file says what is wrong
        return file, beside / "config.d"
    return file, beside.with_name(f"{beside.stem if beside.suffix != '.d' else beside.name}.d")


FROM_ENVIRONMENT = {"base_image": "ECOASSIST_BASE_IMAGE", "build_network": "ECOASSIST_BUILD_NETWORK"}
"""Settings of [sandbox] and the environment variables that override them."""


def environment() -> dict[str, str]:
    """A copy of the process environment."""
    return dict(os.environ)


def _override(settings: dict[str, Any], section: str, values: Mapping[str, object]) -> None:
    if values and isinstance(settings.setdefault(section, {}), dict):
        settings[section] = {**settings[section], **values}


def _unjudge(settings: dict[str, Any]) -> None:
    """Leaves only the steps of a verdict that ask nobody, of those that the section names or of all."""
    written = settings.setdefault("judge", {})
    if isinstance(written, dict):  # else its validation says what is wrong
        chain: Any = written.get("chain", ["checks", "agreement", "model", "person"])
        if isinstance(chain, list):
            chain = [step for step in chain if step not in ("model", "person")]
        rest = {name: value for name, value in written.items() if name != "tier"}  # that is where a model is asked
        settings["judge"] = {**rest, "model": "none", "chain": chain}


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageFault(f"cannot read {file}: {error.strerror}", "check --config and ECOASSIST_CONFIG") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageFault(f"{file} is not TOML: {error}", "correct the file at that line") from error


def _with_added(written: Any, added: Path) -> Any:
    """The APIs that commands added, under what the file says of them; either may stand for one of the catalogue."""
    if not isinstance(written, dict):
        return written  # its validation says what is wrong
    kept = _added(added)
    apis: dict[str, Any] = {}
    for name in [*kept, *(name for name in written if name not in kept)]:
        own = written.get(name, {})
        api = kept.get(name, {}) | own if isinstance(own, dict) else own
        if isinstance(api, dict) and not (api.get("host") or api.get("url")):
            try:
                api = catalogue.entry(name) | api
            except UsageFault as error:
                raise UsageFault(f"apis.{name} has no host, and {error}", f"add host = ...; {error.remedy}") from error
        apis[name] = api
    return apis


def _added(folder: Path) -> dict[str, dict[str, Any]]:
    """What NAME.json files hold, by name. Raises UsageFault for one that is damaged: none is passed over in silence."""
    try:
        files = sorted(name for name in os.listdir(folder) if name.endswith(".json") and not name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UsageFault(f"cannot read {folder}: {error.strerror}", "make that folder yours") from error
    return {name.removesuffix(".json"): _added_api(folder / name) for name in files}


def _added_api(file: Path) -> dict[str, Any]:
    name = file.stem
    remedy = f"correct it, or remove it: ecoassist api rm {name}"
    try:
        api = json.loads(file.read_text(encoding="utf-8"))
        ApiConfig.model_validate(api)
    except ValidationError as error:
        first = error.errors()[0]
        loc = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            near = _suggestion(("apis", name, *first["loc"]))
            raise UsageFault(f"{file}: there is no setting {loc!r}", f"{near}; {remedy}") from error
        raise UsageFault(f"{file} is damaged: {loc}: {first['msg']}", remedy) from error
    except (OSError, ValueError, RecursionError) as error:
        raise UsageFault(f"{file} is damaged: {error}", remedy) from error
    return dict(api)


def _validated(settings: dict[str, Any], file: Path | None, data: Path, added: Path, env: Mapping[str, str]) -> Config:
    where = str(file or "the environment")
    for name in FOREIGN & settings.keys():
        raise UsageFault(f"{where}: there is no setting {name!r}", "remove it")
    try:
        config = Config(**settings, file=file, data=data, added=added, environ=env)
        return config.model_copy(update={"keys": Keys(env, added / FILE, config.variables)})
    except ValidationError as error:
        first = error.errors()[0]
        loc = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise UsageFault(f"{where}: there is no setting {loc!r}", _suggestion(first["loc"])) from error
        raise UsageFault(f"{where}: {loc}: {first['msg']}", "correct that setting") from error


def _suggestion(loc: tuple[str | int, ...]) -> str:
    """The nearest setting of the section that `loc` points into."""
    model: Any = Config
    for part in loc[:-1]:
        if isinstance(part, str) and part in getattr(model, "model_fields", {}):
            model = model.model_fields[part].annotation
        model = next((arm for arm in get_args(model) if hasattr(arm, "model_fields")), model)
    known = sorted(set(getattr(model, "model_fields", {})) - FOREIGN)
    near = difflib.get_close_matches(str(loc[-1]), known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
