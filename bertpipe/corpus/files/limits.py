"""What is wrong with a line, and how long lines and documents may be: memory has a ceiling."""

MAX_LINE_BYTES = 1 << 28
MAX_DOCUMENT_BYTES = 1 << 30


class LineError(Exception):
    """Something is wrong in a line; whoever knows the file turns it into a ``CorpusError``.

    Attributes:
        line: number of lines before it in what was parsed.
        message: what is wrong.
        hint: the way out.
    """

    def __init__(self, line: int, message: str, hint: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message
        self.hint = hint


def line_too_long() -> tuple[str, str]:
    """Return message and hint for a line over the limit."""
    return f"a line of more than {MAX_LINE_BYTES >> 20} MiB", "put line ends into the text"


def document_too_long() -> tuple[str, str]:
    """Return message and hint for a document over the limit."""
    return (
        f"a document of more than {MAX_DOCUMENT_BYTES >> 20} MiB",
        "say with corpus.documents where documents end, or put empty lines between them",
    )
