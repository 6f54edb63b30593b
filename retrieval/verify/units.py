"""Units of measure: the dimension each belongs to, and its size in that dimension's base unit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit; `factor` base units make one of it."""

    dimension: str
    factor: float


YEAR_S = 31_557_600.0  # so that twelve months are a year; a month is its twelfth

# Dimension → factor → how the unit is written, apart from plurals in -s.
_TABLE: dict[str, dict[float, str]] = {
    "time": {
        1e-9: "nanosecond ns",
        1e-6: "microsecond µs μs us",
        1e-3: "millisecond ms msec",
        1.0: "second sec s",
        60.0: "minute min",
        3600.0: "hour hr h",
        86400.0: "day",
        604800.0: "week",
        YEAR_S / 12: "month",
        YEAR_S: "year yr",
        10 * YEAR_S: "decade",
        100 * YEAR_S: "century centuries",
        1000 * YEAR_S: "millennium millennia",
    },
    "length": {
        1e-9: "nanometre nanometer nm",
        1e-6: "micrometre micrometer micron µm μm",
        1e-3: "millimetre millimeter mm",
        1e-2: "centimetre centimeter cm",
        1e-1: "decimetre decimeter dm",
        1.0: "metre meter m",
        1e3: "kilometre kilometer km",
        0.0254: "inch inches",
        0.3048: "foot feet ft",
        0.9144: "yard yd",
        1609.344: "mile mi",
        1852.0: "nmi",
    },
    "mass": {
        1e-9: "microgram µg μg mcg",
        1e-6: "milligram mg",
        1e-3: "gram gramme g",
        1.0: "kilogram kilogramme kilo kg",
        1e3: "tonne ton t",
        0.0283495: "ounce oz",
    },
    "volume": {
        1e-3: "millilitre milliliter ml mL",
        1e-2: "centilitre centiliter cl",
        1.0: "litre liter l",
        1e3: "m³",
        3.78541: "gallon",
        0.568261: "pint",
    },
    "area": {1e4: "hectare ha", 1.0: "m²", 4046.86: "acre", 1e6: "km²"},
    "share": {0.01: "percent % pct", 1e-3: "‰ permille"},
    "share_point": {1.0: "percentage-point"},
    "celsius": {1.0: "°C celsius"},
    "fahrenheit": {1.0: "°F fahrenheit"},
    "kelvin": {1.0: "kelvin K"},
    "angle": {1.0: "° degree deg", 1 / 60: "arcminute", 1 / 3600: "arcsecond"},
    "frequency": {
        1.0: "hertz Hz",
        1e3: "kilohertz kHz",
        1e6: "megahertz MHz",
        1e9: "gigahertz GHz",
    },
    "power": {1.0: "watt W", 1e3: "kilowatt kW", 1e6: "megawatt MW", 1e9: "gigawatt GW"},
    "energy": {
        1.0: "joule J",
        3.6e6: "kilowatt-hour kWh",
        3.6e9: "MWh",
        4184.0: "kilocalorie kcal",
    },
    "voltage": {1.0: "volt V", 1e3: "kilovolt kV", 1e-3: "millivolt mV"},
    "current": {1.0: "ampere amp A", 1e-3: "milliampere mA"},
    "pressure": {1.0: "pascal Pa", 100.0: "hectopascal millibar hPa mbar", 1e3: "kPa", 1e5: "bar"},
    "light": {1.0: "lux lx", 1.5: "lumen lm"},
    "data": {
        1.0: "byte B",
        1e3: "kilobyte kB KB",
        1e6: "megabyte MB",
        1e9: "gigabyte GB",
        1e12: "terabyte TB",
        2.0**10: "kibibyte KiB",
        2.0**20: "mebibyte MiB",
        2.0**30: "gibibyte GiB",
    },
    "bits": {1.0: "bit"},
    "rotation": {1.0: "rpm"},
    "knot": {1.0: "knot kn"},
    "eur": {1.0: "euro EUR €"},
    "usd": {1.0: "dollar USD $"},
    "pound": {1.0: "pound GBP £ lb lbs"},
    "yen": {1.0: "yen JPY ¥"},
    "crown": {1.0: "crown"},
    "franc": {1.0: "franc CHF"},
    "cent": {1.0: "cent"},
    "penny": {1.0: "penny pence"},
}

UNITS: dict[str, Unit] = {
    spelling: Unit(dimension, factor)
    for dimension, sizes in _TABLE.items()
    for factor, names in sizes.items()
    for name in names.split()
    for spelling in ((name, name + "s") if len(name) > 2 else (name,))  # noqa: PLR2004 - m, kg
}
CURRENCIES = {"€": "eur", "$": "usd", "£": "pound", "¥": "yen"}
UNIT_WORDS = frozenset(name for name in UNITS if name.isalpha() and len(name) > 2)  # noqa: PLR2004
