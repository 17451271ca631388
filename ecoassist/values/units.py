"""Units of measure and currencies by all their names. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from .kinds import Unit

_MEASURES = {
    "length": {
        1e-3: "mm millimetre millimeter",
        1e-2: "cm centimetre centimeter",
        1.0: "m metre meter",
        1e3: "km kilometre kilometer",
        0.0254: "in inch inches ″",
        0.3048: "ft foot feet ′",
        0.9144: "yd yard",
        1609.344: "mi mile",
        1852.0: "nmi nautical_mile",
    },
    "speed": {
        1.0: "m/s mps ms⁻¹ metre_per_second meter_per_second",
        1 / 3.6: "km/h kph kmh kmph km/hr kilometre_per_hour kilometer_per_hour",
        0.44704: "mph mi/h mile_per_hour",
        1852 / 3600: "kn kt kts knot",
        0.3048: "ft/s fps foot_per_second feet_per_second",
    },
    "mass": {
        1e-6: "mg milligram",
        1e-3: "g gram",
        1.0: "kg kilo kilogram",
        1e3: "t tonne metric_ton",
        0.028349523125: "oz ounce",
        0.45359237: "lb lbs pound",
    },
    "pressure": {
        1e-2: "pa pascal",
        1.0: "hpa hectopascal mb mbar millibar",
        10.0: "kpa kilopascal",
        1e3: "bar",
        1013.25: "atm atmosphere",
        33.86389: "inhg in_hg inches_of_mercury",
        1.333224: "mmhg mm_hg torr",
        68.94757: "psi",
    },
    "volume": {
        1e-3: "ml millilitre milliliter cm³ cm3",
        1e-2: "cl centilitre centiliter",
        1.0: "l litre liter dm³",
        1e3: "m³ m3 cubic_metre cubic_meter",
        0.0295735295625: "fl_oz fluid_ounce",
        0.473176473: "pint",
        0.946352946: "quart qt",
        3.785411784: "gal gallon us_gallon",
    },
    "area": {
        1e-4: "cm² cm2 sq_cm",
        1.0: "m² m2 sqm sq_m square_metre square_meter",
        1e4: "ha hectare",
        1e6: "km² km2 sq_km square_kilometre square_kilometer",
        0.09290304: "ft² ft2 sq_ft sqft square_foot square_feet",
        4046.8564224: "acre",
        2589988.110336: "mi² mi2 sq_mi square_mile",
    },
    "duration": {
        1e-3: "ms msec millisecond",
        1.0: "s sec second",
        60.0: "min minute",
        3600.0: "h hr hrs hour",
        86400.0: "day",
        604800.0: "week",
    },
    "months": {1.0: "month", 12.0: "year yr yrs"},
    "energy": {1.0: "j joule", 1e3: "kj kilojoule", 4184.0: "kcal", 4.184: "cal", 3.6e6: "kwh", 3.6e3: "wh"},
    "power": {1.0: "w watt", 1e3: "kw kilowatt", 1e6: "megawatt", 1e9: "gw gigawatt", 745.699872: "hp horsepower"},
    "ratio": {0.01: "% percent per_cent pct percentage_point"},
}
"""Dimension -> what one of a unit is in its base -> its names. A "_" is a space, and an "s" may follow."""

_TEMPERATURES = {
    "c °c ℃ celsius degree_celsius degree_c deg_c centigrade degree_centigrade": (1.0, 0.0),
    "f °f ℉ fahrenheit degree_fahrenheit degree_f deg_f": (5 / 9, -160 / 9),
    "k kelvin degree_kelvin": (1.0, -273.15),
}

_CURRENCIES = {
    "usd": "usd us$ $ dollar us_dollar united_states_dollar buck",
    "eur": "eur € euro",
    "gbp": "gbp £ pound_sterling british_pound sterling",
    "jpy": "jpy ¥ yen japanese_yen",
    "cny": "cny rmb yuan chinese_yuan renminbi cn¥",
    "inr": "inr ₹ rupee indian_rupee rs",
    "chf": "chf swiss_franc franc",
    "cad": "cad c$ ca$ canadian_dollar",
    "aud": "aud a$ au$ australian_dollar",
    "nzd": "nzd nz$ new_zealand_dollar",
    "hkd": "hkd hk$ hong_kong_dollar",
    "sgd": "sgd s$ singapore_dollar",
    "mxn": "mxn mx$ mexican_peso",
    "brl": "brl r$ real reais",
    "krw": "krw ₩ won",
    "rub": "rub ₽ ruble rouble",
    "try": "try ₺ lira",
    "sek": "sek swedish_krona",
    "nok": "nok norwegian_krone",
    "dkk": "dkk danish_krone",
    "pln": "pln zł zloty",
    "zar": "zar rand",
    "ils": "ils ₪ shekel",
    "cent": "cent ¢",
}

SCALES = {
    "hundred": 1e2,
    "thousand": 1e3,
    "k": 1e3,
    "lakh": 1e5,
    "million": 1e6,
    "m": 1e6,
    "mn": 1e6,
    "mio": 1e6,
    "crore": 1e7,
    "billion": 1e9,
    "b": 1e9,
    "bn": 1e9,
    "trillion": 1e12,
    "tn": 1e12,
}
"""What a word or letter after a number multiplies it by."""


def _named(names: str, unit: Unit) -> Iterator[tuple[str, Unit]]:
    for name in names.split():
        plain = name.replace("_", " ")
        yield plain, unit
        if plain.isalpha() and len(plain) > 2:
            yield plain + "s", unit
        first, found, rest = plain.partition(" ")
        if found:  # degrees Celsius, miles per hour, square metres
            yield f"{first}s {rest}", unit
            yield f"{plain}s", unit


def _all() -> Iterator[tuple[str, Unit]]:
    for dimension, units in _MEASURES.items():
        for factor, names in units.items():
            yield from _named(names, Unit(dimension, factor))
    for names, (factor, offset) in _TEMPERATURES.items():
        yield from _named(names, Unit("temperature", factor, offset))
    for code, names in _CURRENCIES.items():
        yield from _named(names, Unit(code))


UNITS = dict(_all())
"""By name in lower case. Where two have one name ("pounds"), the measure counts."""
BEFORE = sorted(
    (name for names in _CURRENCIES.values() for name in names.split() if not name.replace("_", "").isalpha()), key=len
)[::-1]
"""Signs of currencies that stand before a number, the longest first."""
DOLLARS = ("usd", "cad", "aud", "nzd", "hkd", "sgd")
"""What a "$" may stand for."""
CODES = (*_CURRENCIES, "rs", "rmb")
"""Letters that do."""


def unit_of(name: str) -> Unit | None:
    """The unit called so. None: there is none."""
    return UNITS.get(" ".join(name.lower().split()).rstrip("."))
