"""MediaWiki XML dumps: articles without their markup, through expat and mwparserfromhell."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, ParseError, iterparse

from bertpipe import extras
from bertpipe.corpus.documents import CorpusConfig
from bertpipe.corpus.reading.records import paragraphs_of
from bertpipe.corpus.reading.tables import Source
from bertpipe.corpus.reading.texts import Parsed
from bertpipe.errors import CorpusError

_HEAD_BYTES = 4096
_ARTICLES = 0
_FILES, _CATEGORIES = 6, 14
# Links to these show no text of the article; a wiki's own names for them come on top.
_SILENT_NAMES = frozenset({"file", "image", "media", "category"})
_SILENT_TAGS = frozenset(
    {
        "ref",
        "references",
        "table",
        "gallery",
        "timeline",
        "math",
        "score",
        "imagemap",
        "style",
        "templatestyles",
    }
)
_SWITCH = re.compile(r"__[A-Z]+__")


@dataclass(frozen=True)
class Pages:
    """Some articles of a dump; taking the markup away is the work.

    Attributes:
        where: the dump.
        pages: title and markup of each article.
        silent: names before the colon of links that show no text, in lower case.
    """

    where: str
    pages: list[tuple[str, str]]
    silent: frozenset[str]

    @property
    def size(self) -> int:
        """Characters of markup."""
        return sum(len(markup) for _, markup in self.pages)

    def parse(self, config: CorpusConfig) -> Parsed:
        """Return a document for each article that holds text: its title, then its paragraphs."""
        documents = []
        for title, markup in self.pages:
            paragraphs = _paragraphs(title, markup, self)
            if paragraphs:
                documents.append([title, *paragraphs])
        return Parsed(documents)


def read_mediawiki(source: Source, config: CorpusConfig) -> Iterator[Pages]:
    """Yield the articles of a dump: no redirects, no other namespaces; of several revisions the last.

    Raises:
        ConfigError: the package for their markup is not installed.
        CorpusError: the dump ends too early, or is none.
    """
    extras.load("mwparserfromhell", extra="wiki", needed_by=f"{source.file}, a MediaWiki dump,")
    if b"<mediawiki" not in source.content.peek(_HEAD_BYTES)[:_HEAD_BYTES]:
        raise CorpusError(
            f"{source.file}: no MediaWiki dump: it does not begin with <mediawiki>",
            hint="set corpus.format, or leave it out",
        )
    dump = _Dump(source)
    held: list[tuple[str, str]] = []
    characters = 0
    for title, markup in dump.articles():
        held.append((title, markup))
        characters += len(markup)
        if characters >= source.size:
            yield Pages(str(source.file), held, frozenset(dump.silent))
            held, characters = [], 0
    if held:
        yield Pages(str(source.file), held, frozenset(dump.silent))


class _Dump:
    """The XML of a dump, through Python's own parser.

    mwxml, made for this, took four times as long on 200,000 short pages, and kept 90 bytes of
    each; a large wiki has 25 million pages.

    Attributes:
        silent: names before the colon of links that show no text, as far as they are known.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._other_spaces: set[str] = set()
        self.silent = set(_SILENT_NAMES)

    def articles(self) -> Iterator[tuple[str, str]]:
        """Yield title and markup of each article."""
        last = "its beginning"
        markup: str | None = None
        events = iterparse(self._source.content, events=("start", "end"))
        try:
            _, root = next(events)
            for event, element in events:
                name = _name(element) if event == "end" else None
                if name == "namespace":
                    self._add_namespace(int(element.get("key", "0")), element.text or "")
                elif name == "revision":
                    markup = _wikitext(element)
                    element.clear()
                elif name == "page":
                    title = self._title_of_article(element)
                    if title is not None and markup is not None:
                        yield title, markup
                    last = f"page {title!r}" if title is not None else last
                    markup = None
                    root.clear()
        except ParseError as error:
            raise CorpusError(
                f"{self._source.file}: the dump is cut off or damaged after {last}: {error}",
                hint="fetch it again",
            ) from None

    def _add_namespace(self, key: int, name: str) -> None:
        if key != _ARTICLES:
            self._other_spaces.add(name)
        if key in (_FILES, _CATEGORIES):
            self.silent.add(name.lower())

    def _title_of_article(self, page: Element) -> str | None:
        """Return the title of a page; None where it is no article."""
        fields = {_name(field): field.text or "" for field in page}
        title = fields.get("title", "")
        if "ns" in fields:
            is_article = fields["ns"].strip() == str(_ARTICLES)
        else:  # dumps of before 2012
            is_article = title.partition(":")[0] not in self._other_spaces or ":" not in title
        return title if is_article and "redirect" not in fields else None


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _wikitext(revision: Element) -> str | None:
    fields = {_name(field): field.text or "" for field in revision}
    return fields.get("text") if fields.get("model", "wikitext") == "wikitext" else None


def _paragraphs(title: str, markup: str, pages: Pages) -> list[str]:
    """Return what is left of an article without templates, tables, notes and pictures."""
    from mwparserfromhell import nodes, parse
    from mwparserfromhell.parser import ParserError

    def is_silent(node: Any) -> bool:
        if isinstance(node, nodes.Tag):
            return str(node.tag).strip().lower() in _SILENT_TAGS
        if isinstance(node, nodes.Wikilink):
            name, colon, _ = str(node.title).strip().partition(":")
            return bool(colon) and name.strip().lower() in pages.silent
        return False

    try:
        code = parse(markup)
        for node in code.filter(recursive=code.RECURSE_OTHERS, matches=is_silent):
            code.remove(node)
        text = str(code.strip_code())
    except (ParserError, ValueError) as error:
        raise CorpusError(f"{pages.where}: page {title!r}: cannot be parsed: {error}") from None
    return [line.strip() for line in paragraphs_of(_SWITCH.sub("", text))]
