"""`ecoassist doctor`: runs the real chain, link by link, and says what was chosen and why."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import typer

from ecoassist.errors import EcoassistError, NoSandbox

from .common import ConfigOption, UnsafeLocal, header, load_config, redacted, reporting

if TYPE_CHECKING:
    from ecoassist.config import Config
    from ecoassist.models.choose import Choice
    from ecoassist.types import CellResult


def doctor(config: ConfigOption = None, unsafe_local: UnsafeLocal = False) -> None:
    """Check models, prices, sandbox, network gate and memory, without paying for a model call.

    Exit code 0 if everything can be used, else 3.
    """
    with reporting():
        settings = load_config(config)
        checks: list[Callable[[], list[str]]] = [
            lambda: _about(settings),
            lambda: _models(settings),
            lambda: _apis(settings),
            lambda: _sandbox(settings, unsafe_local=unsafe_local),
            lambda: _memory(settings),
            lambda: _team(settings),
        ]
        sound = [_show(check) for check in checks]
        if not all(sound):
            raise typer.Exit(3)


def _show(check: Callable[[], list[str]]) -> bool:
    """Prints what a check found, or what stands against it and the remedy."""
    from ecoassist.render.plain import plain

    try:
        for line in check():
            typer.echo(plain(redacted(line)))
    except EcoassistError as error:
        typer.echo(f"no  {plain(redacted(str(error)))}")
        for line in plain(redacted(error.remedy)).splitlines():
            typer.echo(f"      {line}")
        return False
    return True


def _about(config: Config) -> list[str]:
    from ecoassist import __version__

    python = ".".join(map(str, sys.version_info[:3]))
    where = config.file or "none: defaults and environment"
    return [f"    ecoassist {__version__}, Python {python}", f"    configuration: {where}", f"    data: {config.data}"]


def _models(config: Config) -> list[str]:
    from ecoassist.models.prices import source
    from ecoassist.tiers import choices_of, judge_choice, price_of

    choices = choices_of(config)
    lines = []
    for choice in choices:
        price = price_of(choice)
        cost = f"${price.input:g} in, ${price.output:g} out per million tokens" if price else "price unknown"
        lines.append(f"ok  {choice.name}: {choice.model} at {choice.base_url} ({cost})")
        lines.append(f"      {choice.why}")
    lines += _advice(config, choices)
    if judge := judge_choice(config, choices):
        alone = "; the only model judges its own answers" if {c.model for c in choices} == {judge.model} else ""
        lines.append(f"ok  judge: {judge.model}{alone}")
    else:
        lines.append(f"    judge: {config.judge.model}")
    lines += [
        f"    {line}"
        for line in (_chain(config), *_cascade(config, [choice.name for choice in choices]), *_caps(config))
    ]
    return [*lines, f"    prices: {source()}"]


def _chain(config: Config) -> str:
    """Who decides whether a question is solved, in order, with a person at the terminal."""
    from ecoassist.tiers import steps_of

    ask, chat = (
        ", ".join(dict.fromkeys(["checks", *steps_of(config, chat=chat, person=True)])) for chat in (False, True)
    )
    return f"verdict: {ask}" + (f"; in a chat: {chat}" if chat != ask else "")


def _cascade(config: Config, tiers: Sequence[str]) -> list[str]:
    """How a question goes through the tiers, and a conversation after an escalation."""
    if not tiers[1:]:
        return [f"cascade: {tiers[0]} alone"]
    begins = "at the tier that solved" if config.cascade.sticky else f"at {tiers[0]}, as always"
    held = f"{config.cascade.hold_out:.3g}" if config.cascade.hold_out else "none"
    return [
        f"cascade: {', '.join(tiers)}; after an escalation a conversation begins {begins}",
        f"hold-out: {held}; a share of questions that {tiers[-1]} answers alone, to compare",
    ]


def _caps(config: Config) -> list[str]:
    budget = config.budget
    caps = [(budget.question, "question"), (budget.session, "session"), (budget.day, "day")]
    said = ", ".join(f"${cap:g} per {span}" for cap, span in caps if cap is not None)
    return [f"budget: {said}; {budget.tokens:,} tokens per question where a price is unknown"]


def _advice(config: Config, choices: Sequence[Choice]) -> list[str]:
    """What speaks against trying questions in two ways, where a tier does."""
    from ecoassist.advice import Advisor
    from ecoassist.tiers import rungs_of
    from ecoassist.wiring import ledger_of

    if all(choice.samples < 2 for choice in choices):
        return []
    with closing(ledger_of(config)) as ledger:
        return [f"!!  {text}" for text in Advisor(rungs_of(choices), ledger.agreement).due()]


def _apis(config: Config) -> list[str]:
    from ecoassist.reach import apis_of, missing_keys, policy_of, summary

    policy = policy_of(config)
    lines = [f"ok  network: {summary(policy)}"]
    lines += [
        f"ok  API {api.name}: {api.host}" + (f", key {api.variable}" if api.variable else "") for api in apis_of(config)
    ]
    lines += [f"    API {name} is off: {variable} is not set" for name, variable in missing_keys(config).items()]
    lines += [f"    {trouble}" for trouble in config.keys.troubles]
    lines += [f"ok  host {host}" for host in config.network.hosts if policy.reach != "none"]
    return lines if lines[1:] or policy.reach != "allowlist" else [*lines, "    no API is enabled"]


def _sandbox(config: Config, *, unsafe_local: bool) -> list[str]:
    """A real cell in a real sandbox, and a host that it must not reach."""
    from ecoassist.play import play
    from ecoassist.sandboxes import Sandboxes

    if not unsafe_local:
        typer.echo("    starting a sandbox ...", err=True)
    boxes = Sandboxes(config, lambda text: typer.echo(f"    {redacted(text)}", err=True), (), unsafe_local=unsafe_local)
    image = boxes.prepare()
    kernel = boxes.start()
    try:
        version = play(kernel.run("import sys; print(sys.version.split()[0])"))
        lines = [f"!!  {header(unsafe_local=True)}"] if unsafe_local else [f"ok  sandbox: {image}"]
        lines.append(f"ok  kernel: Python {_printed(version)} answered in {version.seconds:.2f} s")
        lines += [f"{'ok' if feature.here else '!!'}    {feature.text}" for feature in boxes.features()]
        if not unsafe_local:
            host = ADDRESS if config.network.policy == "open" else NAME
            refused = _printed(play(kernel.run(PROBE.format(host))))
            if not refused.startswith("403"):
                raise NoSandbox(f"the gate let a request through: {refused}", "report this: it should never happen")
            lines.append(f"ok  gate: {refused}")
        return lines
    finally:
        kernel.close()


NAME, ADDRESS = "ecoassist.invalid", "192.0.2.1"
"""What no configuration opens: the gate must say so. An open network has every name, but no address."""
PROBE = """
import urllib.error, urllib.request
try:
    urllib.request.urlopen("https://{}/", timeout=10)
except urllib.error.HTTPError as error:
    print(error.code, error.reason)
"""


def _printed(result: CellResult) -> str:
    """Raises NoSandbox where the cell did not end well."""
    if result.status != "ok":
        why = f"{result.error.name}: {result.error.message}" if result.error else result.reason
        raise NoSandbox(f"a cell ended with {result.status}: {why}", "see: docker info")
    return result.text.strip()


def _memory(config: Config) -> list[str]:
    from ecoassist.wiring import store_of

    entries = store_of(config).entries()
    verified = sum(entry.state == "verified" for entry in entries)
    return [f"ok  memory: {verified} verified of {len(entries)} solutions"]


def _team(config: Config) -> list[str]:
    """Of the team's store, which is connected to."""
    from ecoassist.errors import EnvironmentFault
    from ecoassist.store.postgres.address import passwords
    from ecoassist.wiring import team_of

    if (store := team_of(config)) is None:
        return []
    try:
        with closing(store):
            verified, where = len(store.entries("verified")), store.shown()
    except EnvironmentFault as error:
        raise EnvironmentFault(f"the team's memory: {error}", error.remedy) from error
    given = "all that is verified is shared" if config.solutions.share == "verified" else "shared is what you name"
    lines = [f"ok  team: {verified} verified solutions at {where}; {given}"]
    if passwords(config.solutions.team or ""):
        lines.append(
            "!!    the configuration holds its password: name a variable there that holds the connection string"
        )
    return lines
