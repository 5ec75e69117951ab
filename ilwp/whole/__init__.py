"""Whole networks to files and back."""
