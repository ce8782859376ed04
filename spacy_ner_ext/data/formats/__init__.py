"""One file per corpus format; `registry` lists them by name."""
