"""Read annotated documents for a pipeline."""

from collections.abc import Iterator
from pathlib import Path

from spacy.language import Language
from spacy.training import Corpus, Example

from .formats.docbin import find_files
from .read import read_docs


def read_examples(path: Path, nlp: Language) -> Iterator[Example]:
    """Read a corpus as spaCy's own does, with errors that name the file.

    The text of each document is tokenized anew, or has the gold tokens if gold does not
    say where spaces are.

    path: A .spacy file, or a folder of them.
    nlp: The pipeline, whose tokenizer makes the tokens.
    YIELDS: The examples, one by one; documents without a token are left out.
    RAISES (UserError): If a file cannot be read.
    """
    for file in find_files(path):
        yield from Corpus(file).make_examples(nlp, read_docs(file, nlp.vocab))
