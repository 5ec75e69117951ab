"""Packages that only an extra of `pip install` brings."""

from ilwp.common.errors import IlwpError

# each package by the name it is imported under, and the extra to ask for
EXTRAS = {
    "faiss": "codebooks", "matplotlib": "figures", "pandas": "torch", "papermill": "book", "seaborn": "figures",
    "sklearn": "torch", "torch": "torch", "torchvision": "torch",
}  # fmt: skip


def extra_for(error: ModuleNotFoundError) -> IlwpError | None:
    """What to install where an import failed; None where the missing module is no extra's."""
    package = (error.name or "").partition(".")[0]
    if package not in EXTRAS:
        return None
    return IlwpError(f"this needs {package}, which is not installed: pip install 'ilwp[{EXTRAS[package]}]'")
