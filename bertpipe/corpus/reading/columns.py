"""Columns of text in Parquet and Arrow files; each row is a document."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import pyarrow as pa

from bertpipe.corpus.documents import CorpusConfig
from bertpipe.corpus.files.found import CorpusFile
from bertpipe.corpus.files.limits import LineError
from bertpipe.corpus.reading.pieces import Texts
from bertpipe.corpus.reading.records import paragraphs_of
from bertpipe.corpus.reading.tables import Source, gathered
from bertpipe.corpus.reading.texts import decode
from bertpipe.errors import CorpusError

_ROWS = 256  # turned into Python objects at once
_PAGE_BYTES = 1 << 20
_ARROW_FILE = b"ARROW1"

Errors = Literal["strict", "replace"]


def read_parquet(source: Source, config: CorpusConfig) -> Iterator[Texts]:
    """Yield the rows of a Parquet file, page by page.

    Raises:
        CorpusError: the file is damaged or compressed as a whole, or the column is not there or
            is no text.
    """
    return gathered(_told(_parquet_rows(source, config), source.file), size=source.size)


def read_arrow(source: Source, config: CorpusConfig) -> Iterator[Texts]:
    """Yield the rows of an Arrow IPC file or stream, batch by batch; Feather V2 is such a file.

    Raises:
        CorpusError: as ``read_parquet``.
    """
    return gathered(_told(_arrow_rows(source, config), source.file), size=source.size)


def _parquet_rows(source: Source, config: CorpusConfig) -> Iterator[tuple[list[str], int]]:
    import pyarrow.parquet as pq  # here, since it takes 0.05 s and most corpora are text

    _check_unpacked(source)
    # A buffer size lets pyarrow read the pages of a column one by one, not all of a row group.
    with pq.ParquetFile(source.content, buffer_size=_PAGE_BYTES, pre_buffer=False) as table:
        names = _path_to_text(table.schema_arrow, config.text_field, source.file)
        batches = table.iter_batches(batch_size=_ROWS, columns=names[:1], use_threads=False)
        yield from _rows(batches, names, source.file, config.errors)


def _arrow_rows(source: Source, config: CorpusConfig) -> Iterator[tuple[list[str], int]]:
    if source.content.peek(len(_ARROW_FILE)).startswith(_ARROW_FILE):
        _check_unpacked(source)
        with pa.ipc.open_file(source.content) as table:
            names = _path_to_text(table.schema, config.text_field, source.file)
            batches = (table.get_batch(number) for number in range(table.num_record_batches))
            yield from _rows(batches, names, source.file, config.errors)
    else:
        with pa.ipc.open_stream(source.content) as stream:
            names = _path_to_text(stream.schema, config.text_field, source.file)
            yield from _rows(stream, names, source.file, config.errors)


def _told(rows: Iterator[tuple[list[str], int]], file: CorpusFile) -> Iterator[tuple[list[str], int]]:
    """Yield rows; what Arrow finds wrong in a file is told with its name."""
    try:
        yield from rows
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk, not the data
            raise
        said = " ".join(str(error).split())
        raise CorpusError(
            f"{file}: damaged, or not of its format: {said}", hint="write the file again"
        ) from None


def _check_unpacked(source: Source) -> None:
    if source.is_packed:
        raise CorpusError(
            f"{source.file}: a compressed table, whose end has to be read first",
            hint="unpack it; the format compresses its columns itself",
        )


def _path_to_text(schema: pa.Schema, field: str, file: CorpusFile) -> list[str]:
    """Return the names to go down from a row to the text: one, or more inside of structs."""
    hint = "name the column with corpus.text_field"
    names = [field] if field in schema.names else field.split(".")
    there = {one.name: one.type for one in schema}
    for depth, name in enumerate(names):
        if name not in there:
            shown = ", ".join(f"{key!r} ({kind})" for key, kind in list(there.items())[:10]) or "nothing"
            where = ".".join(names[: depth + 1])
            raise CorpusError(f"{file}: no column {where!r}, only {shown}", hint=hint)
        kind = _without_lists(there[name])
        there = {one.name: one.type for one in kind} if pa.types.is_struct(kind) else {}
    if not _is_text(kind):
        raise CorpusError(f"{file}: column {field!r} is no text but {kind}", hint=hint)
    return names


def _rows(
    batches: Iterable[pa.RecordBatch], names: list[str], file: CorpusFile, errors: Errors
) -> Iterator[tuple[list[str], int]]:
    row = 0
    for batch in batches:
        for start in range(0, batch.num_rows, _ROWS):
            values = batch.column(names[0]).slice(start, _ROWS)
            for value in _to_python(values):
                row += 1
                yield _document(value, names[1:], f"{file}: row {row}", errors)


def _document(value: object, names: list[str], where: str, errors: Errors) -> tuple[list[str], int]:
    paragraphs: list[str] = []
    replaced = 0
    for text in _texts(value, names):
        if isinstance(text, bytes):
            text, count = _decoded(text, where, errors)
            replaced += count
        paragraphs += paragraphs_of(text)
    return paragraphs, replaced


def _texts(value: Any, names: list[str]) -> Iterator[str | bytes]:
    """Yield the texts in a value; null is no text."""
    if value is None:
        return
    if isinstance(value, list):
        for one in value:
            yield from _texts(one, names)
    elif isinstance(value, dict):
        yield from _texts(value[names[0]], names[1:])
    else:
        yield value


def _to_python(values: pa.Array) -> list[Any]:
    """Return Python values; texts come as bytes where one of them is not valid UTF-8."""
    try:
        return list(values.to_pylist())
    except UnicodeDecodeError:
        return list(values.cast(_as_binary(values.type)).to_pylist())


def _decoded(text: bytes, where: str, errors: Errors) -> tuple[str, int]:
    try:
        return decode(text, errors=errors)
    except LineError as error:
        raise CorpusError(f"{where}: {error.message}", hint=error.hint) from None


def _without_lists(kind: pa.DataType) -> pa.DataType:
    while _is_list(kind):
        kind = kind.value_type
    return kind


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_list(kind)
        or types.is_large_list(kind)
        or types.is_fixed_size_list(kind)
        or types.is_list_view(kind)
        or types.is_large_list_view(kind)
    )


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _as_binary(kind: pa.DataType) -> pa.DataType:
    """Return a type with bytes where ``kind`` has text."""
    if _is_text(kind):
        return pa.large_binary()
    if _is_list(kind):
        return pa.large_list(_as_binary(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([one.with_type(_as_binary(one.type)) for one in kind])
    return kind
