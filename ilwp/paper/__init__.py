"""The paper and nothing else, in the order of its sections."""
