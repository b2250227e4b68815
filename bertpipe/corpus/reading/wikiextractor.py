"""The output of WikiExtractor: articles between ``<doc ...>`` and ``</doc>``, or as JSON Lines."""

import re
from collections.abc import Iterable, Iterator

from bertpipe.corpus.files.limits import LineError
from bertpipe.corpus.reading.records import paragraphs_of, records, text_in

_BEGIN = re.compile(r'<doc .*?title="(.*)">\s*$')
_END = "</doc>"


def json_articles(lines: Iterable[str]) -> Iterator[list[str]]:
    """Yield the paragraphs of each article of the JSON form, as in the other form under its title.

    Raises:
        LineError: a line is no such article.
    """
    for number, record in records(lines):
        paragraphs = paragraphs_of(_unescaped(text_in(record, "text", number)))
        yield [text_in(record, "title", number), *paragraphs] if paragraphs else []


def articles(lines: Iterable[str]) -> Iterator[list[str]]:
    """Yield the paragraphs of each article, its title first.

    Raises:
        LineError: an article does not end, or there is text outside of one.
    """
    title: str | None = None
    begin = 0
    body: list[str] = []
    for number, line in enumerate(lines):
        begins = _BEGIN.match(line) if title is None else None
        if begins:
            title, begin, body = begins[1], number, []
        elif title is None and line.strip():
            raise LineError(number, f"text outside of <doc ...>: {line[:40]}", "set corpus.format=text")
        elif title is not None and line.strip() == _END:
            paragraphs = paragraphs_of(_unescaped("\n".join(body)))
            yield paragraphs if paragraphs != [title] else []
            title = None
        else:
            body.append(line)
    if title is not None:
        raise LineError(begin, f"the document does not end: no {_END}", "extract or copy the file again")


def _unescaped(text: str) -> str:
    """Undo what WikiExtractor has escaped, so that its output is safe inside of HTML."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") if "&" in text else text
