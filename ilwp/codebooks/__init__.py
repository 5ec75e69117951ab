"""Weights that are read from codebooks: weight fixing, additive quantization, and their fine-tuning."""
