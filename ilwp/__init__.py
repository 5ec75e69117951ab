"""Inter-layer weight prediction and quantization: a reproducible companion to Lee, Jeong and Bae."""

__version__ = "0.1.0"
