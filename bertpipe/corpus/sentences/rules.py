"""Sentence splitting by rules, for any script: no model, no download.

A stop ends a sentence unless something speaks against it, so unknown languages are split too
often rather than never. Nothing but white space at the ends of a sentence is ever lost.

One regular expression finds the stops and settles the clear cases itself (``_clear_first``);
``_ends_sentence`` holds the rules and is asked about the others.
"""
# ruff: noqa: RUF001 (the look-alikes of other scripts are what this is about)

import re
from functools import cache

# Full stops of scripts that do without spaces, or in which the sign has no other use.
_SURE_STOPS = "。！？｡।॥።။។"
_STOPS = ".?!…؟۔։" + _SURE_STOPS
_CLOSERS = "\"'”’»›)]}*_」』】〉》）］｝"
_SPACES = " \t\u00a0\u3000"
_NEVER_FIRST = ",;:.!?)]}%"  # in text with spaces around each sign
_GERMAN_CLOSERS = "“«"  # which open in other languages: only a space tells
_OPENERS = "\"'“‘„«‹([{*_¿¡「『【〈《（［｛-–—"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TITLES = _words("""
    mr mrs ms messrs mme mlle dr drs prof rev hon st mt ft gen col maj capt cmdr lt sgt cpl adm gov sen rep
    pres supt det insp sr sra srta fr mgr dist vs viz cf ca e.g i.e eg ie al a.k.a attn esp approx incl
""")
_BEFORE_NUMBERS = _words("""
    no nos nr p pp vol vols ch chap fig figs eq eqs sec sect art ver lib bk c sc para ext tel ph
    jan feb mar apr jun jul aug sep sept oct nov dec
""")
# These end a sentence as often as not: the next word decides.
_AMBIGUOUS = _words("inc ltd co corp jr bros dept est b.c a.d mon tue tues thu thur thurs fri")
_STARTERS = _words("""
    a after all although an and another as at because before both but by during each even every finally
    first for from have he her here his how however i if in is it its last later many meanwhile more most
    my new no not now of on once one only or other others our over she since so some still such that the
    their then there these they this those though through thus to today two under until we what when where
    which while who why with yes yesterday yet you your
""")
# Before a small letter a full stop ends a sentence only behind a word that is surely whole: one of
# these, or one of some length that is no abbreviation. Carelessly typed and lower-cased text needs it.
_WHOLE_WORDS = _words("""
    all any are be but can day did do for get go had has he her here him his how it me more my not now off
    one or our out she so that them then they this to too two up us was way we well what when who why yes you
    your
""")
_WHOLE_WORD = re.compile(r"(?![ivxlc]+\Z)[a-zà-öø-ÿ]{3,}")
_SHORTENED = _words("""
    aprox arrv assn assoc bijv bspw bzw cent cents cert conf cont depr ecc einschl env equiv etc evtl excl
    exkl fasc ggfs godz govt info inkl insb insbes inst lbs misc np núm orig percent ppl prob proc prox pseud
    rec resp reps spec temp transl trans univ usw vgl yrs zzgl
""")
_ABBREVIATIONS = _TITLES | _BEFORE_NUMBERS | _AMBIGUOUS
_NEVER_WHOLE = _SHORTENED | _ABBREVIATIONS
_LINK = re.compile(r"https?:|www\.")

_NUMBER = re.compile(r"\d|[IVXLC]{2,}\b")
_PART_OF_DATE = re.compile(r"\d\.\s")  # before the 3 of a date such as 2020. 5. 3.
_ENUMERATOR = re.compile(r"\d{1,3}|[IVXLC]+|[A-Z]")
_LONGEST_MARK = 10  # of signs such as "- ( " before an enumerator
_LONGEST_ABBREVIATION = 20
_INITIALS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")

_KOREAN_ENDINGS = "다요죠까"
_QUOTE_GOES_ON = re.compile(r"(?:이?라[고는며]|하[고며면]|[고는][^\S\n]|[ぁ-ゖ])")

_BREAKS = rf"\s/)\]{re.escape(_OPENERS)}"
_AFTER = re.compile(rf"([^\S\n]*)(?:[{re.escape(_OPENERS)}][^\S\n]*)*([^\n\s]?)")
_LAST_WORD = re.compile(rf"(?s:.*[{_BREAKS}])?(.*)")
_FIRST_WORD = re.compile(r"[^\W\d_]*")

_SMALL = "a-zà-öø-ÿа-яё"
_CAPITAL = "A-ZÀ-ÖØ-ÞА-ЯЁ"


def _behind_small_letters(count: int) -> str:
    """Return what matches behind a full stop behind so many letters with which no abbreviation ends."""
    ends = {word[-count:] for word in _ABBREVIATIONS if len(word) >= count}
    return rf"(?<=[{_SMALL}]{{{count}}}\.)(?<!(?:{'|'.join(sorted(ends))})\.)"


def _any_of(*patterns: str) -> str:
    return f"(?:{'|'.join(patterns)})"


# Behind the first stop and with it, what surely ends no sentence, and what surely ends one.
_NEVER = _any_of(
    rf"(?<![{_SURE_STOPS}])[\"'”’]+[ ][{_SMALL}](?!ttps?:|ww\.)",
    _any_of(r"(?<=\sMr\.)", r"(?<=\sMrs\.)") + "[ ][A-Z]",
)
_ALWAYS = _any_of(
    r"[\"'”’)\]_*]*\n",
    rf"(?<=[{_SURE_STOPS}])(?=[^\W_])",
    rf"(?<=[가-힣]{{2}}\.)(?=[ ][가-힣{_CAPITAL}])",
    _any_of(
        "(?<=[?!…])",
        *map(_behind_small_letters, (4, 3, 2)),
        "(?=[\"'”’)])",
    )
    + rf"[\"'”’)]*(?=[ ]{{1,2}}[\"'“‘(]?[{_CAPITAL}])",
)
_DOUBTFUL = rf"([{_STOPS}]*[{re.escape(_CLOSERS)}]*(?:[{_GERMAN_CLOSERS}](?=\s))?)"

# One leading character class, so that the search runs through the text without the matcher.
# The first, which leaves every stop to the rules, is what the tests compare the second with.
_DOUBT_ALL = re.compile(rf"[\n{_STOPS}](?:(?<=\n)|{_DOUBTFUL})")


@cache
def _clear_first() -> re.Pattern[str]:
    """Return the second: on first use, for it takes a tenth of a second to compile."""
    return re.compile(rf"[\n{_STOPS}](?:(?<=\n)|(?!{_NEVER})(?:{_ALWAYS}|{_DOUBTFUL}))")


def split_sentences(text: str) -> list[str]:
    """Return the sentences of a text, without white space around them.

    Args:
        text: paragraphs, one a line: a line break ends a sentence.
    """
    return _split(text, _clear_first())


def _split(text: str, candidates: re.Pattern[str]) -> list[str]:
    sentences: list[str] = []
    start = 0
    for match in candidates.finditer(text):
        if match.lastindex is None or _ends_sentence(text, start, match):
            end = match.end()
            sentences.append(text[start:end].strip())
            start = end
    sentences.append(text[start:].strip())
    return [sentence for sentence in sentences if sentence]


def _ends_sentence(text: str, start: int, match: re.Match[str]) -> bool:
    """Whether a sentence that begins at ``start`` ends with the stop and closing signs of ``match``."""
    stop, end = match.span()
    after = _AFTER.match(text, end)
    assert after is not None
    space, following = after.groups()
    if not following:
        return False  # the line ends, and with it the sentence
    stops = match.group().rstrip(_CLOSERS + _GERMAN_CLOSERS)
    closed = len(stops) < end - stop
    if closed and _QUOTE_GOES_ON.match(text, after.end(1)):
        return False
    if stops[-1] in _SURE_STOPS:
        return True
    if not space:
        return not closed and _is_korean_ending(text, stop, following)
    if following in _NEVER_FIRST:
        return False
    if following.islower() and not _LINK.match(text, after.start(2)):
        return not closed and _ends_before_small_letter(text, start, stop, stops)
    return stops != "." or closed or not _is_abbreviation(text, start, stop, after.start(2))


def _is_korean_ending(text: str, stop: int, following: str) -> bool:
    """Whether a predicate ends here and the next sentence follows without a space, as in reviews."""
    return text[stop - 1 : stop] in _KOREAN_ENDINGS and stop > 0 and "가" <= following <= "힣"


def _ends_before_small_letter(text: str, start: int, stop: int, stops: str) -> bool:
    """Whether a sentence ends although the next one begins with a small letter."""
    first = _AFTER.match(text, start, start + _LONGEST_MARK)
    assert first is not None
    begins_small = first.group(2).islower()  # and the next one may, too
    if stops != ".":
        return begins_small and stops[-1] in "?!"  # "Oh! how" goes on
    word = _word_before(text, start, stop)
    if word in _WHOLE_WORDS:
        return True
    long_enough = len(word) > 3 or begins_small
    return long_enough and word not in _NEVER_WHOLE and _WHOLE_WORD.fullmatch(word) is not None


def _is_abbreviation(text: str, start: int, stop: int, following: int) -> bool:
    """Whether the full stop belongs to the word before it, not to the sentence."""
    word = _word_before(text, start, stop)
    begin = stop - len(word)
    known = word.lower()
    if known in _TITLES:
        return True
    if _ENUMERATOR.fullmatch(word) and _is_first(text, start, begin):
        return True
    in_date = _PART_OF_DATE.fullmatch(text, max(start, begin - 3), begin)
    if word.isdigit() and (in_date or text[following].isdigit()):
        return True
    if known in _BEFORE_NUMBERS:
        return _NUMBER.match(text, following) is not None
    if known in _AMBIGUOUS or (word[:1].isupper() and _INITIALS.fullmatch(word)):
        next_word = _FIRST_WORD.match(text, following)
        return next_word is None or next_word.group().lower() not in _STARTERS
    return False


def _word_before(text: str, start: int, stop: int) -> str:
    """Return the word before ``stop``, or the end of a long one."""
    found = _LAST_WORD.match(text, max(start, stop - _LONGEST_ABBREVIATION), stop)
    assert found is not None
    return found.group(1)


def _is_first(text: str, start: int, begin: int) -> bool:
    """Whether the word at ``begin`` is the first of its sentence, or stands behind a colon."""
    before = text[max(start, begin - _LONGEST_MARK) : begin].rstrip(_OPENERS + _SPACES)
    if not before:
        return begin - start <= _LONGEST_MARK
    return before[-1] == ":" and not before[-2:-1].isdigit()
