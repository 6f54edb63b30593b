"""Julian day numbers and the date of Easter, in whole-number arithmetic.

A Julian day begins at noon, so the number returned here is that of the day
which begins at noon on the given civil date. The arithmetic holds for every
date of the Gregorian calendar, also before its introduction.
"""

# Julian day number of the day that begins at noon on 1 January 2000.
JDN_2000 = 2_451_545

# The modified Julian date is the Julian date minus this constant.
MJD_OFFSET = 2_400_000.5

# Julian day number that starts at noon on the Unix epoch, 1 January 1970.
JDN_UNIX = 2_440_588

# The Lilian day count starts at the reform: day 1 is 15 October 1582.
JDN_LILIAN_ZERO = 2_299_160

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def gregorian_to_jdn(year: int, month: int, day: int) -> int:
    """Return the Julian day number of a Gregorian date.

    January and February are counted as months 13 and 14 of the year before,
    so that the leap day comes last and needs no special case.
    """
    shift = (14 - month) // 12
    y = year + 4800 - shift
    m = month + 12 * shift - 3
    return day + (153 * m + 2) // 5 + 365 * y + y // 4 - y // 100 + y // 400 - 32045


def julian_to_jdn(year: int, month: int, day: int) -> int:
    """Return the Julian day number of a date in the Julian calendar."""
    shift = (14 - month) // 12
    y = year + 4800 - shift
    m = month + 12 * shift - 3
    return day + (153 * m + 2) // 5 + 365 * y + y // 4 - 32083


def weekday(jdn: int) -> str:
    """Name the day of the week: a Julian day number divisible by seven is a Monday."""
    return WEEKDAYS[jdn % 7]


def easter(year: int) -> tuple[int, int]:
    """Return month and day of western Easter, after the anonymous rule of 1876.

    The rule was printed in the journal Nature without its author's name.
    Easter Sunday can fall on any date from 22 March to 25 April.
    """
    a = year % 19  # place in the cycle of the moon
    b, c = divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25  # drift of the moon against the 19-year cycle
    h = (19 * a + b - d - g + 15) % 30  # age of the moon, sets the full moon
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7  # days from the full moon to Sunday
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return month, day + 1
