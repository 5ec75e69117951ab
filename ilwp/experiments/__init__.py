"""Profiles of experiments, their runs, and the records that the book reads."""
