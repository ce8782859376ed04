"""What is in a corpus, and what is wrong or suspicious about it."""
