"""Write the result of an audit into a folder."""

import json
from collections.abc import Sequence
from pathlib import Path

from spacy.tokens import Doc
from spacy.vocab import Vocab

from ...data.read import read_docs
from ...util.files import replacing
from .audit import Audit
from .page import write_page

SETTINGS, SUGGESTIONS, PAGE = "audit.json", "suggestions.jsonl", "audit.html"


def write_audit(audit: Audit, corpus: Path, output: Path) -> None:
    """Write the suggestions, the page and the tasks.

    RAISES (UserError): If a file cannot be written.
    """
    docs = [*read_docs(corpus, Vocab())]
    _write_suggestions(output / SUGGESTIONS, audit, docs)
    write_page(output / PAGE, audit, docs, str(corpus))


def _write_suggestions(path: Path, audit: Audit, docs: Sequence[Doc]) -> None:
    with replacing(path) as temporary, temporary.open("w", encoding="utf8") as file:
        for suggestion in audit.suggestions:
            values = suggestion.to_dict(docs[suggestion.document - 1])
            file.write(json.dumps(values, ensure_ascii=False) + "\n")
