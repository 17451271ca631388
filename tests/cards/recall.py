"""How often a prompt tells of what a question needs, among the whole catalogue and an API of 300 operations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ecoassist import cards, catalogue
from ecoassist.config import ApiConfig
from ecoassist.types import Api, Operation

THINGS = (
    "invoice customer order product address payment refund coupon supplier warehouse shipment parcel carrier label tax "
    "country region currency discount category brand review complaint reply picture movie document template message "
    "webhook"
)
OPERATIONS = tuple(
    Operation(method, f"/{thing}s{path}", f"{verb} {thing}s")
    for thing in THINGS.split()
    for method, path, verb in (
        ("GET", "", "List all"),
        ("POST", "", "Make new"),
        ("GET", "/{id}", "Read one of the"),
        ("PATCH", "/{id}", "Change one of the"),
        ("DELETE", "/{id}", "Remove one of the"),
        ("GET", "/{id}/events", "History of one of the"),
        ("GET", "/search", "Search the"),
        ("GET", "/count", "How many there are of the"),
        ("POST", "/{id}/archive", "Archive one of the"),
        ("POST", "/{id}/restore", "Restore one of the"),
    )
)
SHOP = Api("shop", "shop.example", card="The online shop.", operations=OPERATIONS, known=len(OPERATIONS))


def everything() -> tuple[Api, ...]:
    return (SHOP, *map(_of_the_catalogue, catalogue.names()))


def _of_the_catalogue(name: str) -> Api:
    entry = ApiConfig(**catalogue.entry(name))
    operations = tuple(Operation(o.method, o.path, o.summary, o.parameters, o.fields) for o in entry.operations)
    return Api(name, entry.host, "", entry.card, entry.url, "", operations, len(operations))


def questions() -> list[tuple[str, list[str]]]:
    """Each with what answers it: "NAME PATH", or the name of an API any of whose operations does."""
    held = json.loads(Path(__file__).with_name("questions.json").read_text(encoding="utf-8"))
    return [(question, accepted) for question, accepted in held["questions"]]


def unanswered(asked: Sequence[tuple[str, list[str]]], budget: int) -> list[str]:
    """The questions whose prompt shows nothing that answers them."""
    apis = everything()
    return [query for query, accepted in asked if not _told(query, apis, budget) & set(accepted)]


def _told(query: str, apis: Sequence[Api], budget: int) -> set[str]:
    shown, _ = cards.choose(query, apis, budget)
    return {api.name for api in shown} | {f"{api.name} {one.path}" for api in shown for one in api.operations}
