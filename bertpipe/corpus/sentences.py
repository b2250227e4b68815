"""Rule-based sentence splitting for any script: no model, no download.

A stop ends a sentence unless something speaks against it, so unknown languages are split too
often rather than never. Nothing but white space at the ends of a sentence is ever lost.
"""
# ruff: noqa: RUF001 (the look-alikes of other scripts are what this is about)

import re

# Full stops of scripts that do without spaces, or in which the sign has no other use.
_SURE_STOPS = "。！？｡।॥።။។"
_STOPS = ".?!…؟۔։" + _SURE_STOPS
_CLOSERS = "\"'”’»›)]}*_」』】〉》）］｝"
_NEVER_FIRST = ",;:.!?)]}%"  # in text with spaces around each sign
_GERMAN_CLOSERS = "“«"  # which open in other languages: only a space tells
_OPENERS = "\"'“‘„«‹([{*_¿¡「『【〈《（［｛-–—"

# One leading character class, so that the search runs through the text without the matcher.
_CANDIDATE = re.compile(rf"[{_STOPS}][{_STOPS}]*[{re.escape(_CLOSERS)}]*(?:[{_GERMAN_CLOSERS}](?=\s))?")
_AFTER = re.compile(rf"(\s*)(?:[{re.escape(_OPENERS)}]\s*)*(\S?)")
_LAST_WORD = re.compile(rf"[^\s/)\]{re.escape(_OPENERS)}]*$")
_FIRST_WORD = re.compile(r"[^\W\d_]*")
_NUMBER = re.compile(r"\d|[IVXLC]{2,}\b")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TITLES = _words("""
    mr mrs ms messrs mme mlle dr drs prof rev hon st mt ft gen col maj capt cmdr lt sgt cpl adm gov sen rep
    pres supt det insp sr sra srta fr mgr dist vs viz cf ca e.g i.e eg ie al
""")
_BEFORE_NUMBERS = _words("""
    no nos nr p pp vol vols ch chap fig figs eq eqs sec sect art ver lib bk c
    jan feb mar apr jun jul aug sep sept oct nov dec
""")
# These end a sentence as often as not: the next word decides.
_AMBIGUOUS = _words("inc ltd co corp jr bros dept est b.c a.d")
_STARTERS = _words("""
    a after all although an and another as at because before both but by during each even every finally
    first for from have he her here his how however i if in is it its last later many meanwhile more most
    my new no not now of on once one only or other others our over she since so some still such that the
    their then there these they this those though through thus to today two under until we what when where
    which while who why with yes yesterday yet you your
""")
_NUMBERED = re.compile(r"\d\.\s$")  # before the 3 of a date such as 2020. 5. 3.
_ENUMERATOR = re.compile(r"\d{1,3}|[IVXLC]+|[A-Z]")
_LONGEST_ABBREVIATION = 20
_INITIALS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")

_KOREAN_ENDINGS = "다요죠까"
_QUOTE_GOES_ON = re.compile(r"(?:이?라[고는며]|하[고며면]|고\s|는\s|[ぁ-ゖ])")


def split_sentences(text: str) -> list[str]:
    """Return the sentences of one paragraph, without white space around them.

    Args:
        text: a paragraph; line breaks in it count as white space.
    """
    sentences: list[str] = []
    start = 0
    for match in _CANDIDATE.finditer(text):
        end = match.end()
        if _ends_sentence(text, start, match.start(), end):
            sentences.append(text[start:end].strip())
            start = end
    rest = text[start:].strip()
    if rest:
        sentences.append(rest)
    return sentences


def _ends_sentence(text: str, start: int, stop: int, end: int) -> bool:
    """Whether the stop at ``stop``, which with its closing signs reaches to ``end``, ends a sentence."""
    after = _AFTER.match(text, end)
    assert after is not None
    space, following = after.groups()
    if not following:
        return False  # the end of the paragraph: the rest is a sentence anyway
    stops = text[stop:end].rstrip(_CLOSERS + _GERMAN_CLOSERS)
    closed = len(stops) < end - stop
    if closed and _QUOTE_GOES_ON.match(text, after.end(1)):
        return False
    if stops[-1] in _SURE_STOPS:
        return True
    if not space:
        return not closed and _is_korean_ending(text, stop, following)
    if following.islower() or following in _NEVER_FIRST:
        return False
    if stops != "." or closed:
        return True
    return not _is_abbreviation(text, start, stop, after.start(2))


def _is_korean_ending(text: str, stop: int, following: str) -> bool:
    """Whether a predicate ends here and the next sentence follows without a space, as in reviews."""
    return text[stop - 1 : stop] in _KOREAN_ENDINGS and stop > 0 and "가" <= following <= "힣"


def _is_abbreviation(text: str, start: int, stop: int, following: int) -> bool:
    """Whether the full stop belongs to the word before it, not to the sentence."""
    found = _LAST_WORD.search(text, max(start, stop - _LONGEST_ABBREVIATION), stop)
    assert found is not None
    word = found.group()
    known = word.lower()
    if known in _TITLES:
        return True
    if _ENUMERATOR.fullmatch(word) and not text[start : found.start()].strip():
        return True
    if word.isdigit() and (text[following].isdigit() or _NUMBERED.search(text, start, found.start())):
        return True
    if known in _BEFORE_NUMBERS:
        return _NUMBER.match(text, following) is not None
    if known in _AMBIGUOUS or (word[:1].isupper() and _INITIALS.fullmatch(word)):
        next_word = _FIRST_WORD.match(text, following)
        return next_word is None or next_word.group().lower() not in _STARTERS
    return False
