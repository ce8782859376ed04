"""Run the command line."""

from spacy_ner_ext.cli import main

if __name__ == "__main__":
    main()
