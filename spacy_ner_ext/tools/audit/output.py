"""Write the result of an audit into a folder."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from spacy.tokens import Doc
from spacy.vocab import Vocab

from ...data.formats.tasks import TASK_FORMATS, Task, TaskSpan, write_tasks
from ...data.read import read_docs
from ...pipes.spans import read_spans
from ...util.files import replacing
from .apply import replace_entities
from .audit import Audit
from .page import write_page
from .suggestions import Suggestion

SETTINGS, SUGGESTIONS, PAGE = "audit.json", "suggestions.jsonl", "audit.html"
# Suggestions with these odds are in the entities of a task.
PROBABLE = 1.0


def write_audit(audit: Audit, corpus: Path, output: Path) -> None:
    """Write the suggestions, the page and the tasks.

    RAISES (UserError): If a file cannot be written.
    """
    docs = [*read_docs(corpus, Vocab())]
    _write_suggestions(output / SUGGESTIONS, audit, docs)
    write_page(output / PAGE, audit, docs, str(corpus))
    tasks = [*_tasks(audit, docs)]
    for format, (_, suffix) in TASK_FORMATS.items():
        write_tasks(output / f"tasks.{format}{suffix}", tasks, format)


def _write_suggestions(path: Path, audit: Audit, docs: Sequence[Doc]) -> None:
    with replacing(path) as temporary, temporary.open("w", encoding="utf8") as file:
        for suggestion in audit.suggestions:
            values = suggestion.to_dict(docs[suggestion.document - 1])
            file.write(json.dumps(values, ensure_ascii=False) + "\n")


def _tasks(audit: Audit, docs: Sequence[Doc]) -> Iterator[Task]:
    """The documents with suggestions, the one with the highest odds first."""
    by_document: defaultdict[int, list[Suggestion]] = defaultdict(list)
    for suggestion in audit.suggestions:
        by_document[suggestion.document].append(suggestion)
    for number, own in by_document.items():
        doc = docs[number - 1].copy()
        listed = [_line(doc, each) for each in own]
        for each in own:
            if each.odds >= PROBABLE:
                change = each.change
                replace_entities(doc, each.key, change.gold, change.suggested)
        keys = dict.fromkeys(each.key for each in own)
        spans = [
            TaskSpan(span.start_char, span.end_char, span.label_)
            for span in read_spans(doc, keys)
        ]
        tokens = [(token.idx, token.idx + len(token)) for token in doc]
        meta = {"document": number, "suggestions": "; ".join(listed)}
        yield Task(doc.text, spans, tokens, own[0].odds, meta)


def _line(doc: Doc, suggestion: Suggestion) -> str:
    change = suggestion.change
    suggested = [change.suggested] if change.suggested else []
    old, new = (
        ", ".join(f"{doc[a:b].text} {label}" for a, b, label in spans) or "no entity"
        for spans in (change.gold, suggested)
    )
    return f"{change.kind}: {old} -> {new} (odds {suggestion.odds:.2g})"
