"""The file of a part: Parquet whose every byte is covered by hashes that stand between its rows and its footer.

Parquet finds columns by their offsets from the beginning and its footer from the end, so bytes in between are left
alone by all readers. They hold the ends of segments (of every row group first all columns but the last one, then the
last one, which holds the weights), the hash of each segment and of the footer, and a hash of themselves. What is read
is compared with the hashes of its segments first; so one column can be read without the bytes of others.
"""

import io
import itertools
import json
import mmap
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from zoogen.errors import DamagedError, ZoogenError
from zoogen.seal import SEAL_LENGTH, content_hash

Fetch = Callable[[Sequence[tuple[int, memoryview]]], None]  # fills memory with what begins so many bytes from the start

BUILD_AGAIN = "the next build makes it again: `zoogen build-zoo`"
METADATA_KEY = b"zoogen"
_MAGIC = b"PAR1"
_NUMBER_BYTES = 4  # of the lengths of footer and hashes, little-endian, each after what it tells the length of
_TAIL = _NUMBER_BYTES + len(_MAGIC)
_AT_ONCE = 1 << 16  # bytes of the end that are read at first: they usually hold footer and hashes


def sealed_parquet(table: pa.Table, metadata: Mapping[str, Any], row_group: int, **options: Any) -> bytes:
    """A table as Parquet with hashes; `metadata` is JSON-like and travels in the file's schema."""
    own = {**(table.schema.metadata or {}), METADATA_KEY: json.dumps(metadata, sort_keys=True).encode()}
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(own), buffer, row_group_size=row_group, **options)
    data = buffer.getbuffer()
    footer = len(data) - _TAIL - int.from_bytes(data[-_TAIL : -len(_MAGIC)], "little")
    groups = pq.ParquetFile(pa.BufferReader(pa.py_buffer(data))).metadata
    filled = [groups.row_group(index) for index in range(groups.num_row_groups if table.num_rows else 0)]
    ends = [end for group in filled for end in _ends(group)] or [footer]
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
        except ZoogenError:
            raise  # of the store
        except Exception as error:  # whatever bytes that are no part may lead to
            raise self.damaged(str(error) or type(error).__name__) from None

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
        return DamagedError(reason, self.where, BUILD_AGAIN)

    @cached_property
    def columns(self) -> pa.Table:
        """All columns but the last one.

        Raises:
            DamagedError: they do not fit their hashes.
        """
        segments = range(0, len(self._segments), 2)
        self._check(segments)
        table = self._file.read(columns=self.schema.names[:-1], use_threads=False)
        self._drop(segments)
        return table

    @property
    def size(self) -> int:
        """Length D of the weights."""
        return int(self.schema.types[-1].shape[0])

    def weights(self, rows: np.ndarray, out: np.ndarray, places: np.ndarray) -> None:
        """Read rows of the last column, row group by row group; groups without any of them are not fetched.

        Args:
            rows: which, [N] ascending.
            out: where to, [M, D] float32.
            places: the row of `out` for each of them, [N].

        Raises:
            DamagedError: it does not fit its hash, or holds values that are not finite.
        """
        starts = np.cumsum([0, *self.rows])
        bounds = np.searchsorted(rows, starts)
        for group, (begin, end) in enumerate(itertools.pairwise(bounds)):
            if begin < end:
                first, last = (int(row - starts[group]) for row in (rows[begin], rows[end - 1]))
                whole = last - first + 1 == end - begin  # then without a copy
                chosen = slice(first, last + 1) if whole else rows[begin:end] - starts[group]
                out[places[begin:end]] = self._last_column(group)[chosen]

    def _last_column(self, group: int) -> np.ndarray:
        segment = [2 * group + 1]
        self._check(segment)
        column = self._file.read_row_group(group, columns=[self.schema.names[-1]], use_threads=False).column(0)
        self._drop(segment)
        chunks = [chunk.to_numpy_ndarray() for chunk in column.chunks if len(chunk)]
        values = chunks[0] if len(chunks) == 1 else np.concatenate(chunks)
        # A sum is not finite if one of its terms is not, and costs a tenth of looking at each.
        if not np.isfinite(values.sum()) and not np.isfinite(values).all():
            raise self.damaged("it holds weights that are not finite")
        return values

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


class PartBytes:
    """The bytes of a part, fetched where they are needed: memory that takes no place until something is in it.

    A mapped file would do the same, but a disk that fails, or a file that shrinks, would end the process.

    Args:
        size: their number.
        fetch: fills places in memory; what it leaves out stays zero, and fits no hash.
    """

    def __init__(self, size: int, fetch: Fetch) -> None:
        self.size, self._fetch = size, fetch
        self._map = mmap.mmap(-1, max(1, size), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._view = memoryview(self._map)[:size]
        self.buffer = pa.py_buffer(self._view)
        self._held = size  # from here to the end everything is there
        end = max(0, size - _AT_ONCE)
        self._fill([(end, size)])
        self._held = end

    def need(self, ranges: Sequence[tuple[int, int]]) -> Iterator[memoryview]:
        """Ranges of the buffer, which are there then."""
        self._fill([(start, min(end, self._held)) for start, end in ranges if start < min(end, self._held)])
        return (self._view[start:end] for start, end in ranges)

    def drop(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Let go of what is needed no more."""
        for start, end in ranges:
            first = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
            length = min(end, self._held) // mmap.PAGESIZE * mmap.PAGESIZE - first
            if length > 0:
                self._map.madvise(mmap.MADV_DONTNEED, first, length)

    def _fill(self, ranges: Sequence[tuple[int, int]]) -> None:
        if ranges:
            self._fetch([(start, self._view[start:end]) for start, end in ranges])
