"""The file of a part: Parquet whose every byte is covered by hashes that stand between its rows and its footer.

Parquet finds columns by their offsets from the beginning and its footer from the end, so bytes in between are left alone
by all readers. They hold the ends of segments (of every row group first all columns but the last one, then the last one,
which holds the weights), the hash of each segment and of the footer, and a hash of themselves. What is read is compared
with the hashes of its segments first; so one column can be read without the bytes of others.
"""

import io
import json
import mmap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from zoogen.errors import DamagedError
from zoogen.seal import SEAL_LENGTH, content_hash
from zoogen.zoo.store import ArtifactStore

METADATA_KEY = b"zoogen"
_MAGIC = b"PAR1"
_NUMBER_BYTES = 4  # of the lengths of footer and hashes, little-endian, each after what it tells the length of
_TAIL = _NUMBER_BYTES + len(_MAGIC)
_AT_ONCE = 1 << 16  # bytes of a remote part's end that are read at first: they usually hold footer and hashes


def sealed_parquet(table: pa.Table, metadata: Mapping[str, Any], row_group: int, **options: Any) -> bytes:
    """A table as Parquet with hashes; `metadata` is JSON-like and travels in the file's schema."""
    own = {**(table.schema.metadata or {}), METADATA_KEY: json.dumps(metadata, sort_keys=True).encode()}
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(own), buffer, row_group_size=row_group, **options)
    data = buffer.getbuffer()
    footer = len(data) - _TAIL - int.from_bytes(data[-_TAIL : -len(_MAGIC)], "little")
    groups = pq.ParquetFile(pa.BufferReader(pa.py_buffer(data))).metadata
    ends = [end for index in range(groups.num_row_groups) for end in _ends(groups.row_group(index))] or [footer]
    if ends != sorted(ends) or ends[-1] != footer:
        raise ValueError("the rows of a Parquet file are not followed by its footer")
    starts = [0, *ends[:-1]]
    content = {
        "ends": ends,
        "hashes": [content_hash(data[start:end]) for start, end in zip(starts, ends, strict=True)],
        "footer": content_hash(data[footer:]),
    }
    text = json.dumps(content, separators=(",", ":")).encode()
    text += content_hash(text).encode()
    return b"".join((data[:footer], text, len(text).to_bytes(_NUMBER_BYTES, "little"), data[footer:]))


def _ends(group: Any) -> tuple[int, int]:
    """Where the bytes of a row group's last column begin, and where they end."""
    last = group.column(group.num_columns - 1)
    begin = last.dictionary_page_offset if last.has_dictionary_page else last.data_page_offset
    return begin, begin + last.total_compressed_size


class PartFile:
    """A part that is being read. Nothing of it is decoded before it was compared with its hash.

    Args:
        data: its bytes.
        where: whose they are, for messages.

    Attributes:
        metadata: what `sealed_parquet` was given.
        schema: of its columns.
        rows: of each row group.

    Raises:
        DamagedError: it is no whole part; later, what is read does not fit its hash.
    """

    def __init__(self, data: "PartBytes", where: str) -> None:
        self._data, self.where = data, where
        try:
            self._open()
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
            raise self.damaged(" ".join(str(error).split())[:120] or type(error).__name__) from None

    def _open(self) -> None:
        size = self._data.size
        length = int.from_bytes(self._bytes(size - _TAIL, size)[:_NUMBER_BYTES], "little")
        footer = size - _TAIL - length
        block_length = int.from_bytes(self._bytes(footer - _NUMBER_BYTES, footer), "little")
        text = bytes(self._bytes(footer - _NUMBER_BYTES - block_length, footer - _NUMBER_BYTES))
        text, seal = text[:-SEAL_LENGTH], text[-SEAL_LENGTH:]
        if len(seal) != SEAL_LENGTH or content_hash(text).encode() != seal:
            raise ValueError("it has no seal, or does not fit it")
        content = json.loads(text)
        if content_hash(self._bytes(footer, size)) != content["footer"]:
            raise ValueError("its footer does not fit its seal")
        self._segments = list(zip([0, *content["ends"][:-1]], content["ends"], content["hashes"], strict=True))
        self._file = pq.ParquetFile(pa.BufferReader(self._data.buffer))
        self.schema: pa.Schema = self._file.schema_arrow
        self.metadata: dict[str, Any] = json.loads(self.schema.metadata[METADATA_KEY])
        self.rows = [self._file.metadata.row_group(i).num_rows for i in range(self._file.num_row_groups)]

    def damaged(self, reason: str) -> DamagedError:
        """What to raise where it is not what it should be."""
        return DamagedError(f"{self.where} is damaged ({reason}); `zoogen build-zoo` makes it anew")

    def table(self, columns: Sequence[str]) -> pa.Table:
        """Columns other than the last one, all rows.

        Raises:
            DamagedError: they do not fit their hashes.
        """
        segments = range(0, len(self._segments), 2)
        self._check(segments)
        table = self._file.read(columns=list(columns), use_threads=False)
        self._drop(segments)
        return table

    def last_column(self, group: int) -> np.ndarray:
        """The last column (weights) of a row group, [rows, D] float32.

        Raises:
            DamagedError: it does not fit its hash.
        """
        segment = [2 * group + 1]
        self._check(segment)
        column = self._file.read_row_group(group, columns=[self.schema.names[-1]], use_threads=False).column(0)
        self._drop(segment)
        chunks = [chunk.to_numpy_ndarray() for chunk in column.chunks if len(chunk)]
        return chunks[0] if len(chunks) == 1 else np.concatenate(chunks)

    def verify(self) -> None:
        """Compare everything with its hashes.

        Raises:
            DamagedError: something does not fit.
        """
        for segment in range(len(self._segments)):
            self._check([segment])
            self._drop([segment])

    def _check(self, segments: Sequence[int]) -> None:
        chosen = [self._segments[index] for index in segments]
        parts = self._data.need([(start, end) for start, end, _ in chosen])
        if any(content_hash(part) != stored for part, (_, _, stored) in zip(parts, chosen, strict=True)):
            raise self.damaged("its content does not fit its seal")

    def _drop(self, segments: Sequence[int]) -> None:
        self._data.drop([self._segments[index][:2] for index in segments])

    def _bytes(self, start: int, end: int) -> memoryview:
        if not 0 <= start <= end:
            raise ValueError("it is too short")
        return next(iter(self._data.need([(start, end)])))


class PartBytes(Protocol):
    """The bytes of a part, of which some are fetched when they are needed."""

    size: int

    @property
    def buffer(self) -> pa.Buffer:
        """All of them; those that were not fetched have no meaning."""

    def need(self, ranges: Sequence[tuple[int, int]]) -> Iterator[memoryview]:
        """Ranges of the buffer, which are there then."""

    def drop(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Let go of what is needed no more."""


class HeldBytes:
    """Bytes that are there: of a file that is mapped into memory, or given."""

    def __init__(self, data: Path | bytes) -> None:
        self.buffer = pa.py_buffer(data) if isinstance(data, bytes) else pa.memory_map(str(data)).read_buffer()
        self.size = self.buffer.size
        self._view = memoryview(self.buffer)

    def need(self, ranges: Sequence[tuple[int, int]]) -> Iterator[memoryview]:
        return (self._view[start:end] for start, end in ranges)

    def drop(self, ranges: Sequence[tuple[int, int]]) -> None:
        pass  # the system lets go of a mapped file's pages by itself


class RemoteBytes:
    """Bytes of a remote object: memory that takes no place until something is fetched into it."""

    def __init__(self, store: ArtifactStore, key: str) -> None:
        self._store, self._key = store, key
        self.size = store.size(key)
        self._map = mmap.mmap(-1, max(1, self.size), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._view = memoryview(self._map)[: self.size]
        self.buffer = pa.py_buffer(self._view)
        self._held = self.size  # from here to the end everything is there
        self._fetch([(max(0, self.size - _AT_ONCE), self.size)])
        self._held = max(0, self.size - _AT_ONCE)

    def need(self, ranges: Sequence[tuple[int, int]]) -> Iterator[memoryview]:
        self._fetch([(start, min(end, self._held)) for start, end in ranges if start < min(end, self._held)])
        return (self._view[start:end] for start, end in ranges)

    def drop(self, ranges: Sequence[tuple[int, int]]) -> None:
        for start, end in ranges:
            first = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
            length = min(end, self._held) // mmap.PAGESIZE * mmap.PAGESIZE - first
            if length > 0:
                self._map.madvise(mmap.MADV_DONTNEED, first, length)

    def _fetch(self, ranges: Sequence[tuple[int, int]]) -> None:
        if ranges:
            for (start, end), data in zip(ranges, self._store.get_ranges(self._key, ranges), strict=True):
                self._view[start:end] = data
