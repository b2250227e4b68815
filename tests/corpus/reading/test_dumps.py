"""Wikipedia as WikiExtractor leaves it, and as its dumps come; the samples are written by hand."""

import bz2
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bertpipe.corpus import CorpusConfig, find_files, read_paragraphs, read_parts
from bertpipe.errors import ConfigError, CorpusError

EXTRACTED = """<doc id="1" url="https://x.org/?curid=1" title="A & B">
A & B

AT&amp;T &lt;b&gt; is one.

Another &amp;lt; line.

</doc>
<doc id="2" revid="7" url="https://x.org/?curid=2" title="Empty">
Empty

</doc>
<doc id="3" url="https://x.org/?curid=3" title="C">
C

See.
</doc>
"""
ARTICLES = [["A & B", "AT&T <b> is one.", "Another &lt; line."], ["C", "See."]]

DUMP = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="de">
<siteinfo><sitename>W</sitename><dbname>dewiki</dbname><base>https://x.org</base><generator>G</generator>
<case>first-letter</case><namespaces><namespace key="0" case="first-letter" />
<namespace key="1" case="first-letter">Diskussion</namespace>
<namespace key="6" case="first-letter">Datei</namespace>
<namespace key="14" case="first-letter">Kategorie</namespace></namespaces></siteinfo>
%s
</mediawiki>
"""
MARKUP = """{{Infobox|a=1|b={{c}}}}
'''Anarchie''' (''gr.'') ist [[Herrschaft|ohne Herrschaft]]&nbsp;- [https://x.org hier] &lt; da.<ref>Buch,
{{cite|x}}</ref> Ende.<!-- Kommentar -->

[[Datei:Bild.jpg|mini|Ein ''Bild'' von [[X]].]]
__NOTOC__
== Geschichte ==
* Eins
* Zwei [[:Kategorie:Y|verwandt]]

{| class="wikitable"
! Kopf
|-
| Zelle
|}
[[Kategorie:Politik]]
"""
ARTICLE = [
    "Anarchie",
    "Anarchie (gr.) ist ohne Herrschaft\xa0- hier < da. Ende.",
    "Geschichte",
    "Eins",
    "Zwei verwandt",
]


def page(title: str, text: str, *, namespace: int = 0, extra: str = "", model: str = "wikitext") -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return (
        f"<page><title>{title}</title><ns>{namespace}</ns><id>1</id>{extra}<revision><id>1</id>"
        "<timestamp>2020-01-01T00:00:00Z</timestamp><contributor><username>u</username><id>3</id></contributor>"
        f'<model>{model}</model><format>text/x-wiki</format><text xml:space="preserve">{escaped}</text>'
        "<sha1>x</sha1></revision></page>\n"
    )


def documents(path: Path, **settings: Any) -> list[list[str]]:
    return list(read_paragraphs(find_files([path]), CorpusConfig(**settings)))


def json_form() -> str:
    records = [
        {
            "id": "1",
            "revid": "5",
            "url": "u",
            "title": "A & B",
            "text": "AT&amp;T &lt;b&gt; is one.\nAnother &amp;lt; line.",
        },
        {"id": "2", "revid": "7", "url": "u", "title": "Empty", "text": ""},
        {"id": "3", "revid": "8", "url": "u", "title": "C", "text": "See."},
    ]
    return "\n".join(map(json.dumps, records))


@pytest.mark.parametrize("content", [EXTRACTED, json_form()], ids=["doc", "json"])
@pytest.mark.parametrize("packed", [False, True])
def test_wikiextractor_output_is_told_by_content(tmp_path: Path, content: str, packed: bool) -> None:
    """Both forms give the same articles, under their titles, with escapes undone; titles alone are none."""
    raw = content.encode()
    (tmp_path / "wiki_00").write_bytes(bz2.compress(raw) if packed else raw)
    assert documents(tmp_path) == documents(tmp_path, format="wikiextractor") == ARTICLES


@pytest.mark.parametrize("content", [EXTRACTED, json_form()], ids=["doc", "json"])
@pytest.mark.parametrize("characters", [1, 30, 100, 1000])
def test_no_cut_changes_an_article(tmp_path: Path, content: str, characters: int) -> None:
    """Blank lines inside of an article do not end it."""
    (tmp_path / "wiki_00").write_text((content + "\n") * 5)
    parts = list(read_parts(find_files([tmp_path]), CorpusConfig(), characters=characters))
    assert [one for part in parts for one in part.documents(CorpusConfig())] == ARTICLES * 5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (EXTRACTED[:-8], r"wiki_00:13: the document does not end: no </doc>"),
        (EXTRACTED + "more", r"wiki_00:18: text outside of <doc ...>: more"),
        (json_form().replace('"title": "C"', '"name": "C"'), r"wiki_00:3: no field 'title'"),
        (json_form()[:-2], r"wiki_00:3: not valid JSON"),
    ],
)
def test_damaged_extracts_are_named_with_their_line(tmp_path: Path, content: str, message: str) -> None:
    """An extract that was cut off is not a shorter corpus."""
    (tmp_path / "wiki_00").write_text(content)
    with pytest.raises(CorpusError, match=message) as caught:
        documents(tmp_path)
    assert caught.value.hint is not None


@pytest.mark.parametrize("packed", [False, True])
def test_a_dump_gives_articles_without_markup(tmp_path: Path, packed: bool) -> None:
    """No templates, notes, tables, pictures, categories; a heading and an item of a list are paragraphs."""
    content = (DUMP % page("Anarchie", MARKUP)).encode()
    (tmp_path / "dump").write_bytes(bz2.compress(content) if packed else content)
    assert documents(tmp_path) == [ARTICLE]


def test_redirects_other_namespaces_and_other_content_are_skipped(tmp_path: Path) -> None:
    """What is no article is no document."""
    pages = [
        page("Umleitung", "#REDIRECT [[X]]", extra='<redirect title="X" />'),
        page("Diskussion:X", "Ich finde.", namespace=1),
        page("X.css", "a {}", model="css"),
        page("Leer", "{{Vorlage}}"),
        page("Vor Nichts", "Nein.", namespace=1),
        "<page><title>Nichts</title><ns>0</ns><id>1</id></page>",
        page("X", "Ja."),
    ]
    (tmp_path / "dump.xml").write_text(DUMP % "".join(pages))
    assert documents(tmp_path) == [["X", "Ja."]]


def test_old_dumps_tell_the_namespace_by_the_title_alone(tmp_path: Path) -> None:
    """A colon does not make an article another page."""
    pages = "".join(page(title, "Ja.") for title in ("Diskussion:X", "Kill Bill: X", "Y"))
    (tmp_path / "dump.xml").write_text(DUMP % pages.replace("<ns>0</ns>", ""))
    assert documents(tmp_path) == [["Kill Bill: X", "Ja."], ["Y", "Ja."]]


def test_of_several_revisions_the_last_is_read(tmp_path: Path) -> None:
    """A dump of the whole history gives each article once, as it is now."""
    history = page("X", "Alt.").replace("</page>", page("X", "Neu.").partition("<id>1</id>")[2])
    (tmp_path / "dump.xml").write_text(DUMP % history)
    assert documents(tmp_path) == [["X", "Neu."]]


@pytest.mark.parametrize("characters", [1, 50, 10_000])
def test_no_cut_changes_a_page(tmp_path: Path, characters: int) -> None:
    """Pages come once and in order, in parts of any size."""
    (tmp_path / "dump.xml").write_text(DUMP % "".join(page(f"T{n}", f"Seite {n}.") for n in range(50)))
    files = find_files([tmp_path])
    parts = list(read_parts(files, CorpusConfig(), characters=characters))
    read = [one for part in parts for one in part.documents(CorpusConfig())]
    assert read == [[f"T{n}", f"Seite {n}."] for n in range(50)]
    assert sum(part.read_bytes for part in parts) == files[0].size_bytes


@pytest.mark.parametrize("end", [-20, -300])
def test_a_truncated_dump_is_told(tmp_path: Path, end: int) -> None:
    """The message names the file and the last page that was read."""
    content = DUMP % "".join(page(f"T{n}", f"Seite {n}.") for n in range(50))
    (tmp_path / "dump.xml").write_text(content[:end])
    with pytest.raises(CorpusError, match=r"dump\.xml: the dump is cut off or damaged after page 'T4\d'"):
        documents(tmp_path)


def test_xml_that_is_no_dump_is_told(tmp_path: Path) -> None:
    """A format that was set wrongly does not end in a traceback."""
    (tmp_path / "a.xml").write_text("<html><p>text</p></html>")
    with pytest.raises(CorpusError, match=r"a\.xml: no MediaWiki dump"):
        documents(tmp_path, format="mediawiki")


def test_a_missing_package_is_named_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dumps need an extra; who does not have it learns how to get it."""
    (tmp_path / "dump.xml").write_text(DUMP % page("X", "Ja."))
    monkeypatch.setitem(sys.modules, "mwparserfromhell", None)
    with pytest.raises(ConfigError, match=r"dump\.xml, a MediaWiki dump, needs the package mwp") as caught:
        documents(tmp_path)
    assert caught.value.hint == "pip install 'bertpipe[wiki]'"
