"""pytest puts this folder on the path for it: all tests can import `pipelines`."""
