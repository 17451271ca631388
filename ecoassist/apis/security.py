"""Which keys an OpenAPI document asks for, and where in a request they stand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ecoassist.errors import UsageFault

from .tree import Tree, checked

HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
FIELD = re.compile(r"[^\s,]{1,100}")
"""Commas separate places."""
OWN_TOKEN = "get a token from the provider by yourself, then add: --secret VARIABLE --place bearer"
REMEDIES = {
    "oauth2": OWN_TOKEN,
    "openIdConnect": OWN_TOKEN,
    "a key in a cookie": "if the provider takes it elsewhere too, add: --secret VARIABLE --place header:NAME",
    "mutualTLS": "client certificates are not supported",
}


@dataclass(frozen=True, slots=True)
class Security:
    places: dict[str, str] = field(default_factory=dict)
    """The place of each scheme that is used, by its name in the document."""
    notes: tuple[str, ...] = ()


Needs = tuple[tuple[str, ...], ...]
"""Alternatives, each of schemes that belong together. None at all: no key is needed."""


class Schemes:
    """What the document declares under components.securitySchemes."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.places: dict[str, str] = {}
        self.unfit: dict[str, str] = {}
        """What cannot be used, and of which kind it is."""
        declared = tree.under(tree.under(tree.root, "components"), "securitySchemes")
        for name, node in declared.items():
            place, kind = self._read(tree.follow(node))
            if place:
                self.places[name] = place
            else:
                self.unfit[name] = kind

    def _read(self, node: dict[str, object]) -> tuple[str, str]:
        """The place of its key, or nothing and what it is instead."""
        scheme = checked(self._tree.models.SecurityScheme, {key: node[key] for key in node.keys() - {"flows"}})
        if scheme is None:
            return "", "a scheme that is not well formed"
        name, where = scheme.name or "", scheme.security_scheme_in or ""
        if scheme.type == "apiKey":
            fit = {"query": FIELD, "header": HEADER}.get(where)
            if fit and fit.fullmatch(name) and self._tree.clean(name) == name:
                return f"{where}:{name}", ""
            return "", "a key in a cookie" if where == "cookie" else "a key without a name"
        if scheme.type == "http":
            how = (scheme.scheme or "").lower()
            return (how, "") if how in ("bearer", "basic") else ("", f"http {self._tree.text(how, 20)}")
        return "", self._tree.text(scheme.type, 20)

    def needs(self, node: dict[str, object], otherwise: Needs) -> Needs:
        """What `security` of a document or an operation asks for; `otherwise` where it says nothing."""
        listed = node.get("security")
        if not isinstance(listed, list):
            return otherwise
        return tuple(tuple(map(str, one)) for one in listed if isinstance(one, dict))

    def usable(self, needs: Needs) -> bool:
        return not needs or any(self._fit(one) for one in needs)

    def choose(self, all_needs: Iterable[Needs]) -> Security:
        """The fewest keys that every operation of `all_needs` can be called with."""
        chosen: dict[str, str] = {}
        optional: list[str] = []
        for needs in sorted(dict.fromkeys(all_needs), key=len):
            fit = [one for one in needs if self._fit(one)]
            if () in fit:
                optional += [place for one in fit for place in map(self.places.__getitem__, one)]
            elif fit and not any(set(one) <= chosen.keys() for one in fit):
                chosen |= {name: self.places[name] for name in fit[0]}
        notes = []
        spare = [place for place in dict.fromkeys(optional) if place not in chosen.values()]
        if spare and not chosen:
            notes.append(f"a key is optional; to use one: --secret VARIABLE --place {spare[0]}")
        elif not chosen and self.places:
            place = next(iter(self.places.values()))
            notes.append(f"the document asks for no key, but names a place for one: --secret VARIABLE --place {place}")
        return Security(chosen, tuple(notes))

    def refusal(self, all_needs: Sequence[Needs]) -> UsageFault:
        """Why no operation can be called."""
        kinds = [self.unfit.get(name, "an unknown scheme") for needs in all_needs for one in needs for name in one]
        kinds = [kind for kind in dict.fromkeys(kinds) if kind]
        remedy = next((REMEDIES[kind] for kind in kinds if kind in REMEDIES), OWN_TOKEN)
        return UsageFault(f"its operations need what is not supported: {', '.join(kinds[:4])}", remedy)

    def _fit(self, schemes: tuple[str, ...]) -> bool:
        return all(name in self.places for name in schemes)


def variables(name: str, schemes: Sequence[str]) -> list[str]:
    """Names for the environment variables of an API's keys: WEATHER_KEY; several are told apart by their schemes."""
    stem = _capitals(name)
    made = [f"{stem}_KEY"] if len(schemes) == 1 else [f"{stem}_{_capitals(scheme)[:40]}" for scheme in schemes]
    return [one if made.count(one) == 1 else f"{one}_{number}" for number, one in enumerate(made, 1)]


def _capitals(text: str) -> str:
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    made = re.sub(r"[^A-Z0-9]+", "_", parted.upper()).strip("_") or "API"
    return made if made[0].isalpha() else f"API_{made}"
