"""Sentence ends; the expected splits are written by hand."""
# ruff: noqa: RUF001 (other scripts' look-alikes are the subject)

import sys
from itertools import chain, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.corpus.sentences import SplitterName, split_sentences, splitter
from bertpipe.corpus.sentences import rules as sentences_rules
from bertpipe.errors import ConfigError

# "|" stands where a sentence must end.
ENGLISH = [
    "It rained.| We stayed in!| Did you?| Yes",
    "Mr. and Mrs. Bennet met Dr. Jones of St. Ives.| They left.",
    "He is with Messrs. Hall and Capt. Hook.| He is the best.| So it is.| So is he.",
    "J. K. Rowling and J.R.R. Tolkien wrote.| George W. Bush did not.",
    "It cost 3.14 dollars.| Then 1,000.50.| Version 2.0.1 came.",
    "He came in 1990.| The war was over.",
    "See fig. 3 and pp. 12 of vol. II, ch. 4.| No. 5 is it.| I said no.| He went.",
    "The U.S. Army left the U.S.| The end.",
    "We met at 5 p.m.| He left at 6 a.m. and slept.",
    "We meet on Thurs. Oct. 2 with Ann (ext. 33).| Come on Mon. 3 May.",
    "Oh no.| Marie has left on Tues.| We stay.",
    "Apples, pears, etc.| Then nuts, e.g. almonds, i.e. the best.",
    "Acme Inc. Chairman spoke for Acme Inc.| He was ill.",
    "“Go away!” he said.| “Why?”| “Because.”| She went.",
    "'Now what I want is, Facts.'| 'Teach these boys (and girls.)'| \"Stick to Facts, sir!\"",
    "He waited ... and waited… for her.| Nothing... |Then a knock.",
    "(It was late.)| [So we left.]| *It was over.*| _Indeed._| Yes.",
    "What?!| No!!| Really?",
    "1. The first of these.| 2. The second.| II. The third.| A. The last.",
    "*1. The first.*| Do this: 1. Go.| It cost £6: 3.| A lot.",
    "Ask at example.com or mail a.b@c.de.| Thanks.",
    "The temperature , he said , was low .| It rose on Impact ! , then fell .| End .",
    "He stopped.| — Why?| - To look.| ( So it was . ) Yes .",
    "iPhone sales rose.| 25 people came.| ‘Tis true.| —Who?",
    "Then he stopped.| She looked up.|\tHe\u2028went on.",
]
SMALL_LETTERS = [
    "i had a cat.| it ran away.| why?| who knows!| we had approx. two, etc. and more.",
    "He refuses.| he has a room.| See vol. xviii. page 3 and per cent. of it.",
    "Oh! how nice.| What? said he.| Is it new?| https://example.org/a?b=c tells.",
    "it is the end... or so.| go on!| yes",
]
OTHERS = [
    "오늘은 비가 왔다.| 집에 있었어요!| 정말요?| 네.",
    "버전 3.14를 썼습니다.| 2020. 5. 3. 출시되었다.| 끝.",
    '그는 "집에 간다." 라고 말했다.| "가자!"라고 했다.| 끝',
    "재밌다.|최고예요!!|또 볼까?|네",
    "이것은 a.b 이고 U.S. 정부다.| 그렇죠.",
    "그렇습니다.| (아닙니다.)| '글쎄요.'| BERT는 다르다.",
    "今天下雨。|我们在家！|真的吗？|“是的。”|他说。",
    "「行こう。」と言った。|雨だ。|『はい。』|終わり",
    "यह एक वाक्य है।| यह दूसरा है॥| बस",
    "আমি বাড়ি যাই।| তুমি কি আসবে?| হ্যাঁ।",
    "هل أنت هنا؟| نعم.| حسنا",
    "یہ کتاب ہے۔| وہ قلم ہے۔",
    "วันนี้ฝนตก ฉันอยู่บ้าน",
    "Ça va?| Oui.| ¿Qué tal?| ¡Bien!| «Ja.»| „Nein.“| Ende.",
    "Это предложение.| Это — другое.",
]


@pytest.mark.parametrize("marked", ENGLISH + SMALL_LETTERS + OTHERS)
def test_sentences_end_where_a_reader_ends_them(marked: str) -> None:
    """Stops end sentences; abbreviations, initials, numbers and quotations that go on do not."""
    expected = [sentence.strip() for sentence in marked.split("|")]
    assert split_sentences(marked.replace("|", "")) == expected


@pytest.mark.parametrize("text", ["", " ", "\u3000\n", "\n\n"])
def test_no_text_has_no_sentence(text: str) -> None:
    """White space is no sentence."""
    assert split_sentences(text) == []


CHARACTERS = st.sampled_from(list(".?!…。！？।\"'”’)]」«“(「_: \t\n\r\u3000 aBMrIe1다고라と字"))
TEXTS = st.text(CHARACTERS | st.characters(exclude_categories=["Cs"]))


@given(TEXTS)
def test_nothing_but_white_space_is_lost(text: str) -> None:
    """Sentences put together are the text, but for white space at their ends; none is empty."""
    sentences = split_sentences(text)
    rest = text
    for sentence in sentences:
        rest = rest.lstrip()
        assert sentence and sentence == sentence.strip()
        assert rest.startswith(sentence)
        rest = rest[len(sentence) :]
    assert not rest.strip()


# fmt: off
BEFORE = [
    "", " Mr", " Mrs", "etc", "Etc", " ver", "ever", "prof", "Prof", " it", " i", "U.S", " III", "3",
    "하다", "A.다", "字",
]
STOPS = [".", "?", "。", "...", "?!", "…"]
CLOSERS = ["", '"', "_", "”)", "“"]
GAPS = ["", " ", "  ", "\n", "\u3000", " (", "\n- "]
AFTER = ["", "he", "He", "is it?", "3.", "http://a.b", "라고 하다", "고\n", "고 It.", "É", "と", ")"]
# fmt: on
PLACES = ["".join(parts) for parts in product(BEFORE, STOPS, CLOSERS, GAPS, AFTER)]


def test_clear_cases_are_what_the_rules_say() -> None:
    """What the regular expression settles alone agrees with the rules, asked about every stop."""
    asked = sentences_rules._DOUBT_ALL
    assert [text for text in PLACES if split_sentences(text) != sentences_rules._split(text, asked)] == []


def test_paragraphs_do_not_touch_each_other() -> None:
    """A text of many lines has the sentences of each line by itself."""
    alone = [[found for line in text.split("\n") for found in split_sentences(line)] for text in PLACES]
    assert [split_sentences(text) for text in PLACES] == alone
    assert split_sentences("\n".join(PLACES)) == list(chain.from_iterable(alone))


def test_line_ends_alone_split_text_with_one_sentence_a_line() -> None:
    """With ``lines`` stops mean nothing, and empty lines hold no sentence."""
    assert splitter("lines")(" One. Two.\n\n \nThree\n") == ["One. Two.", "Three"]
    assert splitter("split")("One. Two.\nThree") == ["One.", "Two.", "Three"]


def test_pysbd_splits_each_line_in_its_language() -> None:
    """The library gets the language and single paragraphs, and its sentences come back stripped."""
    pytest.importorskip("pysbd")
    text = "My name is Jonas E. Smith. Please turn to p. 55.\nno stop here\n\n"
    assert splitter("pysbd")(text) == ["My name is Jonas E. Smith.", "Please turn to p. 55.", "no stop here"]
    assert splitter("pysbd", language="ja")("これは本です。あれも。") == ["これは本です。", "あれも。"]
    with pytest.raises(ConfigError, match="pysbd does not know 'xx'") as caught:
        splitter("pysbd", language="xx")
    assert "en" in str(caught.value.hint)


def test_sentencex_splits_in_its_language() -> None:
    """The library gets the language and single paragraphs."""
    pytest.importorskip("sentencex")
    text = "It rained. Mr. Fox left.\nno stop"
    assert splitter("sentencex")(text) == ["It rained.", "Mr. Fox left.", "no stop"]


def test_kiwipiepy_finds_korean_sentences_without_stops() -> None:
    """It knows predicates, which is what it is for; and it knows no other language."""
    pytest.importorskip("kiwipiepy")
    text = "정말 재미있어요 또 보고 싶습니다\n끝"
    assert splitter("kiwipiepy", language="ko")(text) == ["정말 재미있어요", "또 보고 싶습니다", "끝"]
    with pytest.raises(ConfigError, match="Korean only, not 'en'"):
        splitter("kiwipiepy")


@pytest.mark.parametrize("name", ["pysbd", "sentencex", "kiwipiepy"])
def test_a_missing_library_is_named_with_the_command_that_installs_it(
    name: SplitterName, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to find out which package a splitter needs."""
    splitter.cache_clear()
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=f"needs the package {name}, which is not installed") as caught:
        splitter(name)
    extra = "sentences-ko" if name == "kiwipiepy" else "sentences"
    assert caught.value.hint == f"pip install 'bertpipe[{extra}]'"


def test_an_unknown_splitter_is_an_error_with_the_known_ones() -> None:
    """A misspelt name is not taken for the default."""
    with pytest.raises(ConfigError, match="no splitter 'spilt'") as caught:
        splitter("spilt")
    assert "split, lines, pysbd" in str(caught.value.hint)
