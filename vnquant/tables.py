"""Tables: rows as aligned text, as compact HTML and as a frame; open to all rooms."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, Self, SupportsIndex, TypeVar, overload

if TYPE_CHECKING:
    import pandas as pd

__all__ = ("Column", "Table", "html_table", "text_table")

T = TypeVar("T")

_SHOWN_ROWS = 20


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: Collection[int] = (0,)) -> str:
    """Return the rows in columns; those in `left` begin on the left, the others end on the right.

    Examples
    --------
    >>> print(text_table(("symbol", "shares"), [("FPT", "1,200"), ("VCB", "300")]))
    symbol  shares
    FPT      1,200
    VCB        300
    """
    lines = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if k in left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: Collection[int] = ()) -> str:
    """Return the rows as an HTML table, escaped; the first cell of a row is its heading.

    Examples
    --------
    >>> "A&amp;B" in html_table(("name", "shares"), [("A&B", "300")])
    True
    """
    sides = [" style='text-align:left'" if k in left else "" for k in range(len(header))]
    head = "".join(
        f"<th scope='col'{side}>{escape(cell)}</th>" for cell, side in zip(header, sides, strict=True)
    )
    body = "".join(
        f"<tr><th scope='row'{sides[0]}>{escape(row[0])}</th>"
        + "".join(f"<td{side}>{escape(cell)}</td>" for cell, side in zip(row[1:], sides[1:], strict=True))
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


class Column(NamedTuple):
    """A column of a `Table`: its name, the value that a row has there, and how that reads."""

    name: str
    value: Callable[[Any], Any]
    text: Callable[[Any], str] = str
    left: bool = False


class Table(list[T], Generic[T]):
    """A list of records that shows itself as a table; a slice of it is one, too.

    A subclass gives the columns and what its records are called.

    Examples
    --------
    >>> class Words(Table[str]):
    ...     columns = (Column("word", str, left=True), Column("letters", len))
    ...     noun = ("word", "words")
    >>> Words(["bull", "bear", "market"])[1:]
    2 words
    word    letters
    bear          4
    market        6
    """

    columns: ClassVar[tuple[Column, ...]]
    noun: ClassVar[tuple[str, str]]

    def __init__(self, rows: Iterable[T] = ()) -> None:
        super().__init__(rows)

    @overload
    def __getitem__(self, which: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, which: slice) -> Self: ...
    def __getitem__(self, which: SupportsIndex | slice) -> T | Self:
        if isinstance(which, slice):
            return type(self)(super().__getitem__(which))
        return super().__getitem__(which)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a record, with plain values."""
        import pandas as pd

        data = {column.name: [column.value(row) for row in self] for column in self.columns}
        return pd.DataFrame(data, columns=[column.name for column in self.columns])

    def __repr__(self) -> str:
        if not self:
            return self._count()
        left = [k for k, column in enumerate(self.columns) if column.left]
        return "\n".join([self._count(), text_table(self._header(), self._cells(), left=left), *self._rest()])

    def _repr_html_(self) -> str:
        if not self:
            return f"<p>{self._count()}</p>"
        left = [k for k, column in enumerate(self.columns) if column.left]
        table = html_table(self._header(), self._cells(), left=left)
        return f"<p>{self._count()}</p>{table}" + "".join(f"<p>{escape(rest)}</p>" for rest in self._rest())

    def _header(self) -> list[str]:
        return [column.name.replace("_", " ") for column in self.columns]

    def _cells(self) -> list[list[str]]:
        return [
            [column.text(column.value(row)) for column in self.columns] for row in list(self)[:_SHOWN_ROWS]
        ]

    def _count(self) -> str:
        return f"{len(self):,} {self.noun[0 if len(self) == 1 else 1]}"

    def _rest(self) -> list[str]:
        more = len(self) - _SHOWN_ROWS
        return [f"... and {more:,} more; .to_frame() has them all"] if more > 0 else []
