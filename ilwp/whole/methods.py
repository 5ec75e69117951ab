"""What can be chosen for a whole network. No package is imported, so help texts come at once."""

REORDERING = ("aligned", "multiset")  # methods that put channels into another order
QUALITY = 31.0  # dB, where nothing else is asked for
