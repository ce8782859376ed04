"""Run the command line."""

from .tools.app import main

if __name__ == "__main__":
    main()
