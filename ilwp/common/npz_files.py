"""Reading NumPy's archives of arrays; nothing in them is unpickled."""

import zipfile
from pathlib import Path

import numpy as np

from ilwp.common.errors import IlwpError, one_line
from ilwp.common.files import reason


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an `.npz` file by name; raises IlwpError where it is none, damaged, or holds Python objects."""
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise IlwpError("no NPZ file, or cut short")
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
    except IlwpError:
        raise
    except OSError as error:
        raise IlwpError(f"could not be read: {reason(error)}") from error
    except Exception as error:  # a damaged archive makes its readers stumble in any way
        raise IlwpError(f"not a whole NPZ file ({one_line(error)})") from error
