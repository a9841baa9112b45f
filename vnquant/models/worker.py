"""Models: the training process. `python -m vnquant.models.worker JOB RESULT` fits one model and ends.

It tells its progress on standard output, one JSON array a line, and ends at once when its standard input is
closed: so it never outlives the workbench that started it, however that one ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from pathlib import Path

__all__ = ("main",)


def main(job: str, result: str) -> int:
    """Fit the job in a file and write the model to another; return the exit code."""
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
    if hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(5)  # the notebook's own loop goes first
    # Imported here, so that the first line of progress comes before the second or two this takes.
    _tell("progress", 0.0, "starting")
    from vnquant.errors import VnQuantError
    from vnquant.models.job import run_job

    try:
        data = run_job(Path(job).read_bytes(), lambda done, stage: _tell("progress", done, stage))
        Path(result).write_bytes(data)
    except VnQuantError as exc:
        _tell("error", type(exc).__name__, str(exc))
        return 1
    except Exception as exc:
        _tell("error", type(exc).__name__, str(exc) or repr(exc))
        raise
    _tell("done")
    return 0


def _tell(*told: object) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(3)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
