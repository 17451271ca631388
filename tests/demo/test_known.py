"""Programs that the simulation's strong model plays: benchmarks/synergy.py would say nothing if they called nothing."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.known import KEYS, endpoints_of, program_of


def test_every_question_has_a_program_that_calls_a_service_and_holds_no_key(
    shared_data: Callable[[str], Path], gold_programs: Mapping[str, str]
) -> None:
    queries = json.loads(shared_data("ecoassistant_queries.json").read_text("utf-8"))["queries"]
    programs = {one["query"]: program_of(one["query"], one["domain"], gold_programs) for one in queries}
    assert len(programs) == 300
    silent = [query for query, program in programs.items() if not endpoints_of(program)]
    assert len(silent) <= 2, "one published program calls no service, another a package"
    for program in programs.values():
        ast.parse(program)
        assert "@" not in program
        assert not any(placeholder in program for placeholder in KEYS)


def test_a_program_made_up_for_a_question_mostly_calls_what_the_published_one_does(
    shared_data: Callable[[str], Path],
) -> None:
    queries = json.loads(shared_data("ecoassistant_queries.json").read_text("utf-8"))["queries"]
    labelled = [one for one in queries if one.get("endpoints")]
    right = 0
    for one in labelled:
        made = endpoints_of(program_of(one["query"], one["domain"], {}))
        right += bool(made & {name.partition(":")[2] for name in one["endpoints"]})
    assert (len(labelled), right >= 0.8 * len(labelled)) == (98, True), right
