"""Inter-layer weight prediction and quantization: a reproducible companion to Lee, Jeong and Bae.

    ilwp.compress(tensors) -> bytes      ilwp.save_file(tensors, path)
    ilwp.decompress(bytes) -> tensors    ilwp.load_file(path), ilwp.open_file(path)

They are defined in `ilwp.door`, which is imported when one is first used.
"""

from typing import TYPE_CHECKING, Any

from ilwp.common.version import __version__ as __version__

__all__ = ["compress", "decompress", "load_file", "open_file", "save_file"]

if TYPE_CHECKING:
    from ilwp.door import compress, decompress, load_file, open_file, save_file


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'ilwp' has no attribute {name!r}")
    from ilwp import door

    return getattr(door, name)
