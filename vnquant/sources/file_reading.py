"""File reading: a Parquet, CSV or AmiBroker zip file as a table, as it stands. Blocking."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from vnquant.errors import FileFormatError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ("read_table",)

# A bulk file of all boards since 2000 unpacks to some 300 MB.
_LARGEST_UNPACKED = 2 * 2**30
_PARQUET_MAGIC = b"PAR1"
_ZIP_MAGIC = b"PK"


def read_table(path: Path) -> tuple[pd.DataFrame, str]:
    """Return the table in a file, and one sentence on how it was read. The content decides, not the suffix.

    Raises
    ------
    FileFormatError
        If there is no such file, or it is none of the three.
    """
    import pandas as pd

    try:
        with path.open("rb") as file:
            magic = file.read(4)
        if magic == _PARQUET_MAGIC:
            return pd.read_parquet(path), f"Read {path.name} as Parquet."
        if magic[:2] == _ZIP_MAGIC:
            return _read_zip(path)
        frame, told = _read_csv(path.read_bytes(), path)
        return frame, f"Read {path.name} as CSV, {told}."
    except FileNotFoundError as exc:
        raise FileFormatError(f"There is no file {path}; check the path.", path=str(path)) from exc
    except FileFormatError:
        raise
    except IsADirectoryError as exc:
        raise FileFormatError(f"{path} is a folder; name the file in it.", path=str(path)) from exc
    except (
        OSError,
        ValueError,
        zipfile.BadZipFile,
        pd.errors.ParserError,
        NotImplementedError,
        RuntimeError,
    ) as exc:
        # pyarrow's errors are ValueError or OSError; zipfile raises the last two for encrypted members.
        raise FileFormatError(
            f"{path.name} cannot be read as bars: {exc}. Give a Parquet, CSV or AmiBroker zip file.",
            path=str(path),
        ) from exc


def _read_zip(path: Path) -> tuple[pd.DataFrame, str]:
    """Read the members of a CafeF bulk file, one for each board, under each other."""
    import pandas as pd

    with zipfile.ZipFile(path) as archive:
        members = [m for m in archive.infolist() if m.filename.lower().endswith((".csv", ".txt"))]
        if not members:
            raise FileFormatError(
                f"{path.name} is a zip without a .csv or .txt in it: {', '.join(archive.namelist())[:99]}.",
                path=str(path),
            )
        if (size := sum(m.file_size for m in members)) > _LARGEST_UNPACKED:
            raise FileFormatError(f"{path.name} would unpack to {size / 2**30:.1f} GB.", path=str(path))
        frames = [_read_csv(archive.read(m), path)[0] for m in members]
    names = ", ".join(m.filename for m in members)
    return pd.concat(
        frames, ignore_index=True
    ), f"Read {path.name} as a zip of {len(members)} tables: {names}."


def _read_csv(content: bytes, path: Path) -> tuple[pd.DataFrame, str]:
    import pandas as pd

    if not content.strip():
        raise FileFormatError(f"{path.name} is empty.", path=str(path))
    encoding = _encoding(content)
    header = content[:4096].decode(encoding, "replace").lstrip("\ufeff").splitlines()[0]
    separator = max(",;\t|", key=header.count)
    if header.count(separator) < 4:
        raise FileFormatError(
            f"{path.name} does not begin with headings for date, open, high, low, close, volume, but with "
            f"{header[:80]!r}.",
            path=str(path),
        )
    # Tickers are text, also TRUE and NA; dates stay as written, to be read knowingly further on.
    frame = pd.read_csv(
        io.BytesIO(content),
        sep=separator,
        encoding=encoding,
        keep_default_na=False,
        na_values=["", "NaN", "nan"],
    )
    told = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}[separator]
    return frame, f"separated by {told}, {encoding}"


def _encoding(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "cp1258"  # Windows in Vietnamese
    return "utf-8-sig"
