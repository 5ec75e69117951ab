"""The package's version, which runs record; `ilwp.__version__`."""

__version__ = "0.1.0"
