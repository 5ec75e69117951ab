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
        for folder, name in FOLDERS.items():
            if path.startswith(folder):
                os.write(LOG, f"{name}{path.removeprefix(folder)}\n".encode())
                break


def begin() -> None:
    """Note from now on."""
    global ROOT, FOLDERS, LOG
    ROOT = os.environ["NOTEBOOK_ROOT"]
    # these may be links, beside which the package knows their own paths
    FOLDERS = {f"{ROOT}/{name}": name for name in ("data", "config")}
    FOLDERS |= {os.path.realpath(folder): name for folder, name in FOLDERS.items()}
    LOG = os.open(os.environ["NOTEBOOK_READS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    sys.addaudithook(_note)


if "NOTEBOOK_READS" in os.environ:
    begin()
