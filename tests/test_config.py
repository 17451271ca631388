"""Settings come from defaults, a file, the environment and options, in that order; mistakes are named with a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecoassist.config import load
from ecoassist.errors import EnvironmentFault, UsageFault


@pytest.fixture
def write(tmp_path: Path):  # type: ignore[no-untyped-def]
    def _write(text: str) -> Path:
        file = tmp_path / "config.toml"
        file.write_text(text)
        return file

    return _write


def test_the_environment_overrides_the_file_and_an_option_overrides_both(write) -> None:  # type: ignore[no-untyped-def]
    file = write('[sandbox]\nbase_image = "from-file"\nmemory = "2g"\n[budget]\nquestion = 2\ntokens = 5\n')
    config = load(file, max_cost=0.1, environ={"ECOASSIST_BASE_IMAGE": "from-environment", "ECOASSIST_DATA": "/d"})
    assert (config.sandbox.base_image, config.sandbox.memory) == ("from-environment", "2g")
    assert (config.budget.question, config.budget.tokens) == (0.1, 5)
    assert config.data == Path("/d")
    assert config.file == file


def test_the_file_named_by_the_environment_is_read(write) -> None:  # type: ignore[no-untyped-def]
    file = write('[judge]\nmodel = "none"\n')
    assert load(environ={"ECOASSIST_CONFIG": str(file)}).judge.model == "none"


@pytest.mark.parametrize(
    ("text", "says", "remedy"),
    [
        ('[sandbox]\nmemroy = "1g"', "no setting 'sandbox.memroy'", "'memory'"),
        ('[[tiers]]\nname = "a"\nmodel = "b"\nmodle = "c"', "no setting 'tiers.0.modle'", "'model'"),
        ('[apis.weather]\nprivat = true\nhost = "y"', "no setting 'apis.weather.privat'", "'private'"),
        ("bugdet = 3", "no setting 'bugdet'", "'budget'"),
        ("[budget]\nquestion = -1", "budget.question", "correct"),
        ("[budget", "not TOML", "line"),
        ('data = "x"', "no setting 'data'", "remove"),
        ("sandbox = 3", "sandbox", "correct"),
    ],
)
def test_a_mistake_is_named_with_a_remedy(write, text: str, says: str, remedy: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageFault) as caught:
        load(write(text), max_cost=None, environ={})
    assert says in str(caught.value)
    assert remedy in caught.value.remedy


@pytest.mark.parametrize("key", ["sk-proj-0123456789", "gsk_0123456789abc", "0123abcd"])
@pytest.mark.parametrize(
    "text", ['[[tiers]]\nname = "a"\nmodel = "b"\nkey = "@"', '[apis.w]\nhost = "h"\nsecret = "@"']
)
def test_a_key_in_place_of_the_name_of_its_variable_is_refused_and_not_shown(write, text: str, key: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageFault, match="never the key itself") as caught:
        load(write(text.replace("@", key)), environ={})
    assert key not in str(caught.value) + caught.value.remedy


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match="cannot read"):
        load(tmp_path / "none.toml", environ={})


@pytest.mark.parametrize("name", ["/", "."])
def test_a_folder_in_place_of_the_file_is_an_error(name: str) -> None:
    with pytest.raises(UsageFault, match="cannot read"):
        load(Path(name), environ={})


def test_values_of_the_environment_do_not_show_in_a_repr() -> None:
    assert "sk-value" not in repr(load(environ={"OPENAI_API_KEY": "sk-value"}))


@pytest.mark.parametrize(
    ("written", "chain"),
    [
        ("", ("checks", "agreement")),
        ('[judge]\nmodel = "small-judge"\ntier = "weak"', ("checks", "agreement")),
        ('[judge]\nchain = ["checks", "model", "person"]', ("checks",)),
        ('[judge]\nchain = ["agreement", "model"]', ("agreement",)),
    ],
)
def test_without_a_judge_only_the_steps_are_left_that_ask_nobody(write, written: str, chain: tuple[str, ...]) -> None:  # type: ignore[no-untyped-def]
    judge = load(write(written), judge=False, environ={}).judge
    assert (judge.model, judge.tier, judge.chain) == ("none", None, chain)


@pytest.mark.parametrize("written", ['judge = "weak"', '[judge]\nmodle = "weak"', '[judge]\nchain = "model"'])
def test_without_a_judge_a_mistake_in_its_settings_is_still_told(write, written: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageFault, match="judge"):
        load(write(written), judge=False, environ={})


@pytest.mark.parametrize("written", ["", "[solutions]\nreplay = true\ndemonstrations = 2"])
def test_an_option_or_the_file_keeps_stored_programs_from_answering(write, written: str) -> None:  # type: ignore[no-untyped-def]
    assert load(write(written), environ={}).solutions.replay
    solutions = load(write(written), replay=False, environ={}).solutions
    assert (solutions.replay, solutions.demonstrations) == (False, 2 if written else 1)
    assert not load(write("[solutions]\nreplay = false"), environ={}).solutions.replay


def test_an_option_overrides_the_share_that_is_held_out(write) -> None:  # type: ignore[no-untyped-def]
    file = write("[cascade]\nhold_out = 0.2\nsticky = false")
    assert load(file, environ={}).cascade.hold_out == 0.2
    cascade = load(file, hold_out=0.0, environ={}).cascade
    assert (cascade.hold_out, cascade.sticky) == (0.0, False)


@pytest.mark.parametrize("text", ["postgresql://db.example/eco", "postgres:///eco", "TEAM_MEMORY"])
def test_a_team_is_a_connection_string_or_the_variable_that_holds_it(write, text: str) -> None:  # type: ignore[no-untyped-def]
    environ = {"TEAM_MEMORY": "postgresql://db.example/team"}
    settings = load(write(f'[solutions]\nteam = "{text}"\n'), environ=environ)
    assert settings.team_url() == environ.get(text, text)
    assert ("TEAM_MEMORY" in settings.variables) is (text == "TEAM_MEMORY")


def test_a_team_whose_variable_is_not_set_is_a_fault_that_names_it(write) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(EnvironmentFault, match="TEAM_MEMORY is not set"):
        load(write('[solutions]\nteam = "TEAM_MEMORY"\n'), environ={}).team_url()


@pytest.mark.parametrize("text", ["mysql://eco:hunter2-pass@db/eco", "host=db password=hunter2-pass", "hunter2-pass"])
def test_what_names_no_team_is_refused_and_not_shown(write, text: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageFault, match=r"solutions\.team") as caught:
        load(write(f'[solutions]\nteam = "{text}"\n'), environ={})
    assert "hunter2" not in f"{caught.value} {caught.value.remedy}"
