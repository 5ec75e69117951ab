"""Data sets, the training loop and its checkpoints."""

CLASSES = {"cifar10": 10, "cifar100": 100, "digits": 10}  # of each data set
NORMALISATIONS = ("imagenet", "none", *CLASSES)  # of the numbers in 8-bit images
