from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def gold_programs(shared_data: Callable[[str], Path]) -> Mapping[str, str]:
    """Query -> Python source, as published with EcoAssistant."""
    programs: Mapping[str, str] = json.loads(shared_data("ecoassistant_gold_programs.json").read_text("utf-8"))
    return programs
