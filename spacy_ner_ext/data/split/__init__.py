"""Choose, cut, sample and split documents while they pass."""
