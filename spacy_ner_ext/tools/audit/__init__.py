"""Command `audit`: find gold annotation that is probably wrong, and correct it."""
