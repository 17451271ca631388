"""Two ways of going about one question whose answers have to agree (mixture of thought, arXiv 2310.03094). Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

from . import cards
from .types import Task, Way

CALENDAR = """
what_date what_day which_date which_day what_(is|was|will_be)_(the_)?(\\w+['’]s_)?(date|day|weekday)
how_many_(seconds|minutes|hours|days|weeks|months|years) mm/dd dd/mm
"""
"""Asks for a date or a span of time: "today" is then something to compute with, and the prompt tells it."""

MOVING = """
now today tonight tomorrow yesterday current currently latest recent recently live up[_-]to[_-]date breaking so_far ago
at_(the|this)_moment these_days upcoming ongoing on_(mon|tues|wednes|thurs|fri|satur|sun)day
(this|next|last|past|previous|coming|rest_of_the)_(\\w+_)?(hour|day|night|morning|afternoon|evening|week|weekend)s?
(this|next|last|past|previous|coming|rest_of_the)_(\\w+_)?(month|quarter|year|season|spring|summer|autumn|fall|winter)s?
(this|next|last|past|previous|coming)_(mon|tues|wednes|thurs|fri|satur|sun)day
"""
"""Refers to the time of asking."""

TOPICS = """
weather forecasts? humidity humid rain\\w* snow\\w* precipitation (thunder)?storms? uv_index air_quality pollen winds?
frost windy visibility sunrise sunset umbrella heat_?wave
stocks? shares shareholders? dividends? nasdaq nyse dow_jones s&p_?500 exchange_(rate|volume)s? volume_of_trades?
trad(ing|ed)_(volume|price|day) market_(cap|status) bitcoin cryptocurrency worth_in_(us_)?(dollars|euros?)
(clos(e|ing)|open(ing)?|highe?s?t?|lowe?s?t?|market|ticket|gold|oil|gas)_(and_\\w+_)?(prices?|information|status)
news headlines? scores?_of standings traffic flights?_(from|to|status) directions?_(from|to) earthquakes? epicent(er|re)
(tele)?phone_numbers? contact_(information|details) website (opening|business)_hours address_(of|for)
nearest closest nearby near_(me|the)
"""
"""Changes, or is only known to whoever looks it up."""

FELT = "temperatures? climate cold hot warm cool fog foggy cloudy sunny wet daylight sun"
"""What the weather is asked about by, of a place."""

SOUGHT = """
find recommend\\w* suggest\\w* show_me locate look(ing)? where list what_are which popular best top(-rated)? good famous
known are_there is_there offer\\w* available information visit book best_way
"""
PLACES = """
restaurants? caf[eé]s? bars? pubs? hotels? hostels? casinos? museums? galler(y|ies) parks? trails? beach(es)?
pharmac(y|ies) hospitals? clinics? dentists? (book)?(stores?|shops?) malls? markets? baker(y|ies) supermarkets? gyms?
salons? spas? cinemas? theat(er|re)s? food_trucks? landmarks? attractions? sights? venues? zoos? stadiums? airports?
stations? librar(y|ies) schools? universit(y|ies) offices? rooms? cleaners? laundromats? playgrounds? church(es)? tours?
activities places? walk
"""
SOMEWHERE = re.compile(r"\b(?:in|at|to|of|from|near|around|within|for)(?:\s+(?!in\b)[a-z]+){0,3}\s+[A-ZÀ-Þ]\w")
"""A place, told by its capital letter."""


def ways(task: Task) -> tuple[Way, Way]:
    """Live data needed: two programs, the second with a plan. Else words and a program."""
    return ("direct", "plan") if needs_data(task) else ("words", "program")


def needs_data(task: Task) -> bool:
    """Whether the question cannot be answered from what a model knows: it is about files, an API, or the world today.

    A wrong yes has two programs compared instead of words and a program, which finds slightly fewer mistakes. A wrong
    no spends an attempt on words that cannot know.
    """
    query = task.in_context
    if task.files or cards.demanded(query, task.apis) or _has(TOPICS, query):
        return True
    if _has(CALENDAR, query):
        return False
    somewhere = bool(SOMEWHERE.search(query))
    return _has(MOVING, query) or (somewhere and (_has(FELT, query) or (_has(SOUGHT, query) and _has(PLACES, query))))


def towards(task: Task, way: Way) -> Task:
    """`task` as it is put to an attempt of that way: one in words needs no program to look at, nor one that plans."""
    return replace(task, way=way, examples=() if way in ("words", "plan") else task.examples)


def _has(words: str, query: str) -> bool:
    return bool(_pattern(words).search(query))


@cache
def _pattern(words: str) -> re.Pattern[str]:
    """Any of the words; a "_" is a space. Compiled when first needed: most questions are tried in one way."""
    return re.compile(rf"\b(?:{'|'.join(words.split())})\b".replace("_?", r"\s?").replace("_", r"\s+"), re.IGNORECASE)
