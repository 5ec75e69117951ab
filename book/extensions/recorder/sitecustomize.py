"""Notes what a notebook's run depends on. A kernel asks for it; Python imports it as it starts in commands of cells.

Into the file `$NOTEBOOK_READS` goes a line for each module of the package that is imported, such as `ilwp.paper.codec`,
and for each file and folder of `$NOTEBOOK_ROOT`/data and /config that is opened or listed.
"""

import os
import sys


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event == "import" and str(arguments[0]).partition(".")[0] == "ilwp":
        os.write(LOG, f"{arguments[0]}\n".encode())
    elif event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], str | bytes):
        path = os.path.abspath(os.fsdecode(arguments[0]))  # noqa: PTH100 (each process pays for what is imported here)
        if path.startswith(FOLDERS):
            os.write(LOG, f"{os.path.relpath(path, ROOT)}\n".encode())


def begin() -> None:
    """Note from now on."""
    global ROOT, FOLDERS, LOG
    ROOT = os.environ["NOTEBOOK_ROOT"]
    FOLDERS = tuple(f"{ROOT}/{name}" for name in ("data", "config"))
    LOG = os.open(os.environ["NOTEBOOK_READS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    sys.addaudithook(_note)


if "NOTEBOOK_READS" in os.environ:
    begin()
