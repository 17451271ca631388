"""Prices come from the list that is installed; what is not in it is unknown."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from ecoassist.models import prices
from ecoassist.types import Price


def test_a_listed_price_is_per_million_tokens() -> None:
    """The published price of gpt-4o-mini, which has not changed since 2024."""
    assert prices.price_of("gpt-4o-mini", "https://api.openai.com/v1") == Price(0.15, 0.6, 0.075)


def test_what_a_provider_takes_for_writing_its_cache_is_part_of_a_price() -> None:
    dear, plain = (prices.price_of(name, "https://api.openai.com/v1") for name in ("gpt-6.1-sol", "gpt-4o-mini"))
    assert dear
    assert plain
    assert dear.written == pytest.approx(1.25 * dear.input)
    assert plain.written is None


@pytest.mark.parametrize(
    ("model", "base_url"),
    [
        ("no-such-model", "https://api.openai.com/v1"),
        ("gpt-4o-mini", "https://llm.example.org/v1"),
        ("text-embedding-3-small", "https://api.openai.com/v1"),
        ("gpt-live-1", "https://api.openai.com/v1"),
    ],
)
def test_what_the_list_does_not_price_is_unknown_and_not_free(model: str, base_url: str) -> None:
    assert prices.price_of(model, base_url) is None


@pytest.mark.parametrize(
    ("base_url", "local"),
    [
        ("http://127.0.0.1:11434/v1", True),
        ("http://localhost:8000/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://192.168.1.7/v1", True),
        ("http://10.1.2.3:8000/v1", True),
        ("https://api.openai.com/v1", False),
        ("http://8.8.8.8/v1", False),
        ("https://localhost.example.org/v1", False),
        ("https://127.0.0.1.example.org/v1", False),
    ],
)
def test_only_local_endpoints_are_free(base_url: str, local: bool) -> None:
    assert prices.is_local(base_url) is local
    assert (prices.price_of("any", base_url) == Price(0, 0, 0)) is local


def test_a_model_can_be_looked_up_without_its_provider() -> None:
    assert prices.listed_price("gpt-4o-mini") == Price(0.15, 0.6, 0.075)
    assert prices.listed_price("my-own-model") is None


def test_the_source_is_named_with_its_version() -> None:
    assert prices.source().startswith("genai-prices 0.")


def test_the_list_is_loaded_only_when_it_is_asked() -> None:
    code = (
        "import sys; from ecoassist.models.prices import price_of; price_of('x', 'http://127.0.0.1/v1')\n"
        "assert 'genai_prices' not in sys.modules; price_of('gpt-4o', 'https://api.openai.com/v1')\n"
        "assert 'genai_prices' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_where_prices_vary_by_hour_it_is_the_one_of_that_moment() -> None:
    day, night = (
        prices.price_of("deepseek-chat", "https://api.deepseek.com/v1", datetime(2026, 11, 20, hour, tzinfo=UTC))
        for hour in (12, 20)
    )
    assert day
    assert night
    assert night.output < day.output
