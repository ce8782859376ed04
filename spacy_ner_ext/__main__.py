"""Run the command line."""

from .tools.app import app, main

__all__ = ["app", "main"]

if __name__ == "__main__":
    main()
