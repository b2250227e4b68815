"""Sentence ends; the expected splits are written by hand."""
# ruff: noqa: RUF001 (other scripts' look-alikes are the subject)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.corpus import split_sentences

# "|" stands where a sentence must end.
ENGLISH = [
    "It rained.| We stayed in!| Did you?| Yes",
    "Mr. and Mrs. Bennet met Dr. Jones of St. Ives.| They left.",
    "J. K. Rowling and J.R.R. Tolkien wrote.| George W. Bush did not.",
    "It cost 3.14 dollars.| Then 1,000.50.| Version 2.0.1 came.",
    "He came in 1990.| The war was over.",
    "See fig. 3 and pp. 12 of vol. II, ch. 4.| No. 5 is it.| I said no.| He went.",
    "The U.S. Army left the U.S.| The end.",
    "We met at 5 p.m.| He left at 6 a.m. and slept.",
    "Apples, pears, etc.| Then nuts, e.g. almonds, i.e. the best.",
    "Acme Inc. Chairman spoke for Acme Inc.| He was ill.",
    "“Go away!” he said.| “Why?”| “Because.”| She went.",
    "'Now what I want is, Facts.'| 'Teach these boys (and girls.)'| \"Stick to Facts, sir!\"",
    "He waited ... and waited… for her.| Nothing... |Then a knock.",
    "(It was late.)| [So we left.]| *It was over.*| _Indeed._| Yes.",
    "What?!| No!!| Really?",
    "1. The first of these.| 2. The second.| II. The third.| A. The last.",
    "Ask at example.com or mail a.b@c.de.| Thanks.",
    "The temperature , he said , was low .| It rose on Impact ! , then fell .| End .",
    "He stopped.| — Why?| - To look.| ( So it was . ) Yes .",
    "iPhone sales rose.| 25 people came.| ‘Tis true.| —Who?",
    "Then he stopped.| She looked up.|\tHe\nwent on.",
]
OTHERS = [
    "오늘은 비가 왔다.| 집에 있었어요!| 정말요?| 네.",
    "버전 3.14를 썼습니다.| 2020. 5. 3. 출시되었다.| 끝.",
    '그는 "집에 간다." 라고 말했다.| "가자!"라고 했다.| 끝',
    "재밌다.|최고예요!!|또 볼까?|네",
    "이것은 a.b 이고 U.S. 정부다.| 그렇죠.",
    "今天下雨。|我们在家！|真的吗？|“是的。”|他说。",
    "「行こう。」と言った。|雨だ。|『はい。』|終わり",
    "यह एक वाक्य है।| यह दूसरा है॥| बस",
    "هل أنت هنا؟| نعم.| حسنا",
    "Ça va?| Oui.| ¿Qué tal?| ¡Bien!| «Ja.»| „Nein.“| Ende.",
    "Это предложение.| Это — другое.",
]


@pytest.mark.parametrize("marked", ENGLISH + OTHERS)
def test_sentences_end_where_a_reader_ends_them(marked: str) -> None:
    """Stops end sentences; abbreviations, initials, numbers and quotations that go on do not."""
    expected = [sentence.strip() for sentence in marked.split("|")]
    assert split_sentences(marked.replace("|", "")) == expected


@pytest.mark.parametrize("text", ["", " ", "\u3000\n"])
def test_no_text_has_no_sentence(text: str) -> None:
    """White space is no sentence."""
    assert split_sentences(text) == []


CHARACTERS = st.sampled_from(list(".?!…。！？।\"'”’)]」«“(「 \t\n\u3000 aBMrIe1다고 라と字")) | st.characters(
    exclude_categories=["Cs"]
)


@given(st.text(CHARACTERS))
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
