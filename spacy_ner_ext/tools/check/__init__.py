"""The command `check`: problems of a corpus that would spoil training."""
