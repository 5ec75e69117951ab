"""What can be chosen for a whole network. No package is imported, so help texts come at once."""

REORDERING = ("aligned", "multiset")  # methods that put channels into another order
# dB, where nothing else is asked for: of a network's outputs, or of its weights, which can lose less than outputs
QUALITY, QUALITY_OF_WEIGHTS = 31.0, 33.0
