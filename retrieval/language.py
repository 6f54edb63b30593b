"""Which language a file is written in, by the little words it uses. Pure.

Good enough to choose a stemmer, and cheap: a file's first few thousand words are counted
against short lists of function words. Text in none of these languages, or too short to tell,
counts as English, whose stemmer leaves most foreign words alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from itertools import chain

# Snowball's names; segments store the place in this list, so it only ever grows at the end.
LANGUAGES = (
    "english",
    "german",
    "french",
    "spanish",
    "italian",
    "portuguese",
    "dutch",
    "swedish",
    "norwegian",
    "danish",
    "finnish",
    "russian",
    "polish",
    "czech",
    "hungarian",
    "turkish",
    "romanian",
    "greek",
    "arabic",
    "hindi",
    "indonesian",
)
ENGLISH = LANGUAGES[0]

_FUNCTION_WORDS = (
    "the and of to in is that for with was are this by from it on as which be not a an or at has",
    "der die und das nicht ist mit den dem ein eine von für auf sich auch wird werden zu bei",
    "le la les des et est une dans pour que qui sur avec pas aux ces cette sont par du",
    "el los las que una por con para del se es como más su al lo pero sus fue este",
    "il che di per una con non sono della del alla gli nel anche è dei delle questo come più",
    "não uma com para os da do em dos das por mais como ao foi são pela pelo sua seu",
    "het een van en niet dat is zijn met voor op aan ook door bij naar worden deze wordt dit",
    "och att det som är inte för med på av ett den till om har från kan ska vid eller",
    "og ikke som er på av til det med en for ble fra har kan etter ved skal også mellom",
    "og ikke af til er det som på en med den for blev fra har efter ved skal også mellem",
    "ja on ei se että hän ovat oli mutta myös kun niin kuin joka sekä tai tämä ole mukaan jotka",
    "и в не на что с по как это к из но для от его она был также или при",
    "i w nie na się z do że jest to o jak po ale od przez dla są oraz przy",
    "a v se na je že s z do o k jako pro ale by jsou nebo který také při",
    "a az és hogy nem is egy ez meg volt de csak el vagy mint már még amely ha kell",
    "ve bir bu için ile da de olarak daha çok en gibi olan ne ama kadar sonra değil veya her",
    "și în de la cu nu pe care este din pentru mai ca sunt fost prin sau după acest fi",
    "και το να η της του την για με που είναι από δεν οι στο τα ο στην των μια",
    "في من على أن إلى هذا التي الذي عن مع هذه كان ما لا بين كل أو قد بعد ذلك",
    "के है में की और से को का एक यह पर नहीं भी कि था लिए हैं ने इस तो",
    "yang dan di untuk dengan pada ini itu dari tidak dalam adalah ke akan oleh juga atau telah karena sebagai",
)
_SAMPLE_CHARS = 20_000
_MIN_WORDS = 5  # function words of a language before it is believed
_WORD = re.compile(r"[^\W\d_]+")
_LANGUAGES_OF: dict[str, list[int]] = {}
for _number, _line in enumerate(_FUNCTION_WORDS):
    for _word in set(_line.split()):
        _LANGUAGES_OF.setdefault(_word, []).append(_number)


def language_of(texts: Iterable[str]) -> int:
    """The place in `LANGUAGES` of the language that most of the text's little words are of.

    >>> LANGUAGES[language_of(["Der Bericht ist nicht mit dem Plan und der Frist vereinbar."])]
    'german'
    """
    counts: Counter[int] = Counter()
    found = Counter(_pieces(texts))
    odd = (
        (word, found[piece])
        for piece in found
        if not piece.isalpha()
        for word in _WORD.findall(piece)
    )
    plain = ((word, found[word]) for word in found.keys() & _LANGUAGES_OF if word.isalpha())
    for word, n_times in chain(plain, odd):
        for number in _LANGUAGES_OF.get(word, ()):
            counts[number] += n_times
    if not counts:
        return 0
    best = max(counts, key=lambda number: (counts[number], -number))
    return best if counts[best] >= _MIN_WORDS else 0


def _pieces(texts: Iterable[str]) -> list[str]:
    """What stands between white space at the begin of the texts, in lower case."""
    found: list[str] = []
    left = _SAMPLE_CHARS
    for text in texts:
        found += text[:left].lower().split()
        left -= len(text)
        if left <= 0:
            break
    return found
