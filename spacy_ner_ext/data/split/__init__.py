"""Cut, split, sample and repeat documents while they pass."""
