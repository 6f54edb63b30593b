"""What a sentence denies: its negations, and the words in their reach. Pure.

A negation is a word of denial ("not", "never", "without", "none", "hardly"), or a word that denies
by its meaning ("fails", "forbidden", "unable"). A word of denial in one of two like sentences must
have some negation in the other; a pair of opposites counts as one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

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
    lacking absent absence avoid avoids avoided prevent prevents prevented exclude excludes excluded
    excluding excepted reject rejects rejected unable impossible illegal invalid inadvisable
    unaffected unchanged
    untouched unsupported unlike unlikely missing miss misses missed stop stops stopped cease ceases
    ceased lose loses lost omit omits omitted ignore ignores ignored free exempt spared skip drop
    dropped abolished exception save only solely merely few little but rather instead unavailable
    incapable void zero nil insufficient incomplete unequal inconsistent ended ends end discontinued
    blocked suspended separately separate otherwise alone apart override overrides disadvantage
    beyond outside remaining remain remains stay stays stayed untouched until except save deleted
    delete deletes removed remove removes gone default before disappear disappears disappeared vanish vanishes lapsed expired less fewer limited restricted resisted vetoed held maximum most
    exclusively excessive sole decline declined rejected neglect neglects refrain refrains
    """)
)
# Opposites: a claim with one for the other says the contrary.
_OPPOSITES = str.split("""
increase/decrease increased/decreased increases/decreases rise/fall rose/fell risen/fallen
raised/lowered raise/lower grew/shrank gain/lose gained/lost gains/loses more/less more/fewer
most/least before/after earlier/later early/late ahead/behind above/below over/under
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
_CONTRACTED = re.compile(r"n['’]t$")
_BUT = re.compile(
    r"\b(?:everything|everyone|everybody|everywhere|all|nothing|nowhere|none|nobody|no one) but\b"
    r"|\bout of (?:the )?reach\b|\bin place of\b|\bon top of\b|\bfar from\b|\bin vain\b|\binstead of\b",
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


def denials(text: str) -> list[Denial]:
    """Every negation of a text, in order.

    >>> [(d.cue, d.explicit) for d in denials("It does not stop, although it fails often.")]
    [('not', True), ('stop', False), ('fails', False)]
    """
    plain = _IDIOMS.sub(",", _BUT.sub("excepted", text))
    words = [match[0].casefold() for match in _TOKEN.finditer(plain)]
    found = []
    for word, after in zip(words, [*words[1:], ""], strict=True):
        explicit = word in EXPLICIT or bool(_CONTRACTED.search(word))
        is_number = word == "no" and after == "."  # "No. 5"
        if (explicit or word in IMPLICIT) and not is_number:
            found.append(Denial(word, explicit))
    return found


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
