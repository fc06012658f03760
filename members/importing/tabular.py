"""Tables from files, row by row: CSV in UTF-8 or GBK, or Parquet; columns named in Chinese or English."""

import codecs
import csv
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

BLOCK = 1 << 20
LONGEST_CELL = 1 << 20
ENCODINGS = {"utf-8-sig": "UTF-8", "gb18030": "GBK", "utf-16": "UTF-16"}
PARQUET = "parquet"
UNREADABLE = "引号没有配对(一格里的引号要写成两个),或一格太长"
_UNIT = re.compile(r"[(\[].*?[)\]]|[\s_*:\-]")
Row = tuple[int, dict[str, Any]]


class TableError(Exception):
    """A file that can't be imported at all, and why, in Chinese."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file with a header: which column is which field, which are not used, how many rows there are about."""

    path: Path
    columns: Mapping[str, str]
    unused: Sequence[str]
    rows: int
    encoding: str

    @property
    def facts(self) -> dict[str, str | int]:
        """Return what a report says about the file."""
        used = "、".join(f"{column}→{field}" for column, field in self.columns.items())
        found: dict[str, str | int] = {"编码": ENCODINGS.get(self.encoding, "Parquet"), "用到的列": used}
        return found | ({"没有用到的列": "、".join(self.unused)} if self.unused else {})

    def read(self) -> Iterator[Row]:
        """Yield (row number, {field: cell}), numbered as spreadsheets do, in Parquet from 1; blank rows are skipped."""
        rows = _parquet_rows(self.path) if self.encoding == PARQUET else _csv_rows(self.path, self.encoding)
        for number, row in rows:
            cells = {field: row.get(column) for column, field in self.columns.items()}
            if any(cell not in (None, "") for cell in cells.values()):
                yield number, cells


def open_source(path: Path, fields: Mapping[str, Sequence[str]]) -> Source:
    """Look into a file: its kind, encoding and header; TableError when there is nothing to import.

    `fields` are the names each field may have in a header; case, blanks, `_` and a unit in brackets don't matter.
    """
    if not path.is_file():
        raise TableError(f"没有文件 {path}")
    if path.suffix.lower() == ".parquet":
        names, rows, encoding = *_parquet_header(path), PARQUET
    elif path.suffix.lower() in (".csv", ".txt", ".tsv"):
        encoding = _encoding(path)
        names, rows = _csv_header(path, encoding)
    else:
        raise TableError(f"只能导入 .csv 和 .parquet,不认识 {path.name};表格软件里请另存为 CSV")
    known = {plain(alias): field for field, aliases in fields.items() for alias in (field, *aliases)}
    columns: dict[str, str] = {}
    for name in names:
        field = known.get(plain(name))
        if field is not None and field in columns.values():
            raise TableError(
                f"有两列都是「{field}」:{'、'.join(c for c in (*columns, name) if known.get(plain(c)) == field)}"
            )
        if field is not None:
            columns[name] = field
    return Source(path, columns, [name for name in names if name and name not in columns], rows, encoding)


def plain(name: str) -> str:
    """Return a header as it is compared."""
    return _UNIT.sub("", unicodedata.normalize("NFKC", name)).lower()


def _encoding(path: Path) -> str:
    """Return the first encoding the whole file is in: UTF-8 before GBK, because GBK takes nearly anything."""
    with path.open("rb") as file:
        marked = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "gb18030"):
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            with path.open("rb") as file:
                while block := file.read(BLOCK):
                    if "\0" in decoder.decode(block):
                        raise TableError(f"{path.name} 不是文本表格")
                decoder.decode(b"", True)
        except UnicodeDecodeError:
            continue
        return encoding
    raise TableError(f"{path.name} 既不是 UTF-8 也不是 GBK 文字,请另存为「CSV UTF-8」")


def _csv_header(path: Path, encoding: str) -> tuple[list[str], int]:
    with path.open(encoding=encoding, newline="") as file:
        try:
            header = next(_reader(file), None)
        except csv.Error as error:
            raise TableError(f"{path.name} 第 1 行读不下去:{UNREADABLE}") from error
    if not header or not any(cell.strip() for cell in header):
        raise TableError(f"{path.name} 是空的:第一行要写列名")
    with path.open("rb") as raw:
        lines = sum(block.count(b"\n") for block in iter(lambda: raw.read(BLOCK), b""))
    return [cell.strip() for cell in header], lines


def _reader(file: Any) -> Any:
    csv.field_size_limit(LONGEST_CELL)
    first = file.readline()
    file.seek(0)
    separator = max(",\t;", key=first.count)
    return csv.reader(file, delimiter=separator, strict=True)


def _csv_rows(path: Path, encoding: str) -> Iterator[Row]:
    with path.open(encoding=encoding, newline="") as file:
        reader = _reader(file)
        header = [cell.strip() for cell in next(reader)]
        before = reader.line_num
        try:
            for cells in reader:
                # a quoted cell may go over several lines: the row is named by its first
                yield before + 1, dict(zip(header, cells, strict=False))
                before = reader.line_num
        except csv.Error as error:
            raise TableError(f"{path.name} 第 {before + 1} 行读不下去:{UNREADABLE}") from error


def _parquet_header(path: Path) -> tuple[list[str], int]:
    file = _parquet(path)
    return list(file.schema_arrow.names), int(file.metadata.num_rows)


def _parquet_rows(path: Path) -> Iterator[Row]:
    import pyarrow as pa

    number = 0
    for batch in _parquet(path).iter_batches(batch_size=5000):
        table = pa.table(batch)
        for place, kind in enumerate(table.schema.types):
            if pa.types.is_timestamp(kind) and kind.unit == "ns":  # would become a pandas type
                coarse = table.column(place).cast(pa.timestamp("us", kind.tz), safe=False)
                table = table.set_column(place, table.schema.names[place], coarse)
        for row in table.to_pylist():
            number += 1
            yield number, row


def _parquet(path: Path) -> Any:
    if find_spec("pyarrow") is None:
        raise TableError("读 Parquet 需要 pyarrow:pip install 'memberbot[demo]';或另存为 CSV")
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(f"{path.name} 不是完好的 Parquet 文件") from error
