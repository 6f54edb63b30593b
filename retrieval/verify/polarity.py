"""What a sentence denies: its negations, and the words in their reach. Pure.

A negation is a word of denial ("not", "never", "without", "none", "hardly"), or a word that denies
by its meaning ("fails", "forbidden", "unable"). A word of denial in one of two like sentences must
have some negation in the other; a pair of opposites counts as one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from retrieval.analysis import STOP_WORDS

_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[.,;:!?()—–]")

# Words of denial proper.
EXPLICIT = frozenset(
    str.split("""
    not n't no never neither nor none nobody nothing nowhere without cannot hardly scarcely barely
    seldom rarely except unless
    """)
)
# Words that deny by their meaning: an explicit denial of the opposite says the same.
IMPLICIT = frozenset(
    str.split("""
    fail fails failed failing failure refuse refuses refused refusing forbid forbids forbidden
    forbade prohibit prohibits prohibited ban bans banned deny denies denied lack lacks lacked
    lacking absent absence avoid avoids avoided prevent prevents prevented exclude excludes
    excluded excluding excepted reject rejects rejected unable impossible illegal invalid
    inadvisable unaffected unchanged untouched unsupported unlike unlikely missing miss misses
    missed stop stops stopped cease ceases ceased lose loses lost omit omits omitted ignore
    ignores ignored exempt spared skip abolished exception unavailable incapable insufficient
    incomplete unequal inconsistent discontinued blocked suspended separately separate alone
    apart disadvantage outside deleted delete deletes removed remove removes gone disappear
    disappears disappeared vanish vanishes lapsed expired resisted vetoed held decline declined
    neglect neglects refrain refrains free drop dropped ended kept void
    """)
)
# Words that may take the place of a denial, if the denying side has one of the same kind: "not
# before June" is "until June", "no more than two" is "only two".
_WEAK = (
    frozenset(str.split("until till before default otherwise override overrides once")),
    frozenset(
        str.split("""
        most maximum only solely merely just few fewer less little but sole exclusively excessive
        limited restricted beyond remaining remain remains stay stays stayed instead zero nil under
        below exceed exceeds exceeded exceeding reach reaches reached
        """)
    ),
)
_BOUNDARY = frozenset(
    str.split(
        ". , ; : ! ? ( ) — – but although though because whereas while which who that and or"
    )
)
# Opposites: a claim with one for the other says the contrary.
_OPPOSITES = str.split("""
increase/decrease increased/decreased increases/decreases rise/fall rose/fell risen/fallen
raised/lowered raise/lower grew/shrank gain/lose gained/lost gains/loses more/less more/fewer
most/least before/after earlier/later early/late full-time/part-time ahead/behind above/below over/under
higher/lower high/low longer/shorter long/short longest/shortest larger/smaller large/small
largest/smallest bigger/smaller faster/slower fast/slow first/last always/never all/none
all/no every/no accept/reject accepted/rejected accepts/rejects allow/forbid allowed/forbidden
allows/forbids allowed/prohibited permitted/prohibited permit/prohibit permitted/forbidden
permit/forbid win/lose won/lost
begin/end began/ended begins/ends start/stop started/stopped start/finish open/closed opened/closed
opens/closes succeed/fail succeeded/failed possible/impossible able/unable legal/illegal
valid/invalid include/exclude included/excluded includes/excludes inside/outside internal/external
north/south east/west northern/southern eastern/western left/right upper/lower top/bottom
maximum/minimum best/worst better/worse strong/weak stronger/weaker hot/cold warm/cold heavy/light
heavier/lighter rich/poor old/new older/newer oldest/newest oldest/youngest older/younger
male/female males/females men/women man/woman boys/girls day/night summer/winter spring/autumn
morning/evening dawn/dusk positive/negative true/false right/wrong correct/incorrect present/absent
public/private voluntary/compulsory optional/mandatory optional/compulsory free/paid cheap/expensive
cheaper/dearer often/rarely often/seldom frequently/rarely usually/rarely near/far nearest/farthest
front/back full/empty wide/narrow deep/shallow easy/difficult easy/hard known/unknown
common/rare buy/sell bought/sold lend/borrow import/export enter/leave arrive/depart
arrival/departure up/down upward/downward forward/backward forwards/backwards with/without
many/few much/little majority/minority odd/even dead/alive guilty/innocent support/oppose
supported/opposed approve/reject approved/rejected confirm/deny confirmed/denied
advance/delay advanced/delayed deepen/flatten improve/worsen improved/worsened
improves/worsens widen/narrow widening/narrowing enable/disable enabled/disabled
""")
_OPPOSITE_OF: dict[str, set[str]] = {}
for _pair in _OPPOSITES:
    _one, _other = _pair.split("/")
    _OPPOSITE_OF.setdefault(_one, set()).add(_other)
    _OPPOSITE_OF.setdefault(_other, set()).add(_one)
_NEGATED_PREFIX = re.compile(r"(?:un|in|im|il|ir|dis|non)(?=[a-z]{4})")
_VERBAL = frozenset({"not", "never", "cannot"})
_CONTRACTED = re.compile(r"n['’]t$")
_LIGHT = STOP_WORDS | frozenset(
    str.split(
        "been being any more longer yet ever also only very all each every so much many just"
    )
)
_BUT = re.compile(
    r"\b(?:everything|everyone|everybody|everywhere|all|nothing|nowhere|none|nobody|no one) but\b"
    r"|\bout of (?:the )?reach\b|\bin place of\b|\bon top of\b|\bfar from\b|\bin vain\b|\binstead of\b|\brather than\b",
    re.IGNORECASE,
)
# Idioms in which nothing is denied.
_IDIOMS = re.compile(
    r"\bnot only\b|\bno more than\b|\bno fewer than\b|\bno less than\b|\bno later than\b"
    r"|\bno further than\b|\bno doubt\b|\bwhether or not\b"
    r"|\bnot before\b|\bnot until\b|\bno sooner\b|\bno matter\b|\bnot least\b|\bnot to mention\b"
    r"|\bif not\b|\b(?:no|none|nothing|nobody)\b(?: \w+){1,4} (?:more|less|\w+er)\b[^,.;]* than\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Denial:
    """One negation."""

    cue: str
    explicit: bool  # a word of denial proper
    governed: str  # the first word of content behind it in its clause; "" if none is
    reach: frozenset[str]  # the words behind it in its clause; all of them if it is implicit


def denials(text: str) -> list[Denial]:
    """Every negation of a text, in order.

    >>> [(d.cue, d.governed) for d in denials("It does not stop, although it fails often.")]
    [('not', 'stop'), ('stop', ''), ('fails', 'often')]
    """
    plain = _IDIOMS.sub(",", _BUT.sub("excepted", text))
    words = [match[0].casefold() for match in _TOKEN.finditer(plain)]
    found = []
    for at, word in enumerate(words):
        explicit = word in EXPLICIT or bool(_CONTRACTED.search(word))
        is_number = word == "no" and words[at + 1 : at + 2] == ["."]  # "No. 5"
        if (explicit or word in IMPLICIT) and not is_number:
            behind = _behind(words, at)
            governed = next((each for each in behind if each not in _LIGHT), "")
            before = [] if explicit else _behind(words[::-1], len(words) - 1 - at)
            found.append(Denial(word, explicit, governed, frozenset(behind + before)))
    return found


def _behind(words: list[str], at: int) -> list[str]:
    rest = words[at + 1 :]
    end = next((n for n, word in enumerate(rest) if word in _BOUNDARY), len(rest))
    return rest[:end]


def is_verbal(denial: Denial) -> bool:
    """Whether it denies what a verb says, and not that there is something."""
    return denial.cue in _VERBAL or bool(_CONTRACTED.search(denial.cue))


def doubled(given: list[Denial]) -> list[Denial]:
    """Denials that deny a denial, such as the "not" of "is not forbidden"."""
    return [each for each in given if each.explicit and each.governed in IMPLICIT]


def weakly_denied(denying: frozenset[str], other: frozenset[str]) -> bool:
    """Whether both sides have words that may stand for a denial, of one kind but not the same."""
    return any(denying & group and (other - denying) & group for group in _WEAK)


def opposites(one: str, other: str) -> bool:
    """Whether two lower-case words are opposites.

    >>> opposites("rose", "fell"), opposites("possible", "impossible"), opposites("rose", "grew")
    (True, True, False)
    """
    if other in _OPPOSITE_OF.get(one, ()):
        return True
    short, long = sorted((one, other), key=len)
    prefix = _NEGATED_PREFIX.match(long)
    return prefix is not None and long[prefix.end() :] == short
