"""Count what the splits of a corpus hold for the components of a pipeline."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from spacy.tokens import Span
from spacy.training import Example

from ...data.report import true_cats
from ...pipes.gold import read_gold
from ...pipes.overlap import longest_first, select_disjoint
from .pipeline import Task

# Longer texts are cut.
MAX_TEXT = 60
# Below this number, spaCy's "debug data" reports few examples of a label.
FEW = 50


@dataclass
class TaskCounts:
    """Gold spans or documents by label, their texts, and by reason the gold spans that
    the component cannot learn."""

    labels: Counter[str] = field(default_factory=Counter)
    texts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    lost: Counter[str] = field(default_factory=Counter)

    def examples(self, label: str, limit: int) -> list[str]:
        """The most frequent texts of a label."""
        order = sorted(self.texts[label].items(), key=lambda pair: (-pair[1], pair[0]))
        return [text for text, _ in order[:limit]]


class Split:
    """A split of a corpus, counted: "train", "dev" or "test"."""

    def __init__(
        self, name: str, examples: Iterable[Example], tasks: Sequence[Task]
    ) -> None:
        self.name = name
        self.documents = self.tokens = 0
        self.tasks = {task.component: TaskCounts() for task in tasks}
        for example in examples:
            self.documents += 1
            self.tokens += len(example.predicted)
            for task in tasks:
                add = _add_categories if task.is_categories else _add_spans
                add(example, task, self.tasks[task.component])


def _add_categories(example: Example, _: Task, counts: TaskCounts) -> None:
    text = " ".join(example.reference.text.split())
    shown = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
    for name in true_cats(example.reference):
        counts.labels[name] += 1
        counts.texts[name][shown] += 1


def _add_spans(example: Example, task: Task, counts: TaskCounts) -> None:
    gold = read_gold(example, task.keys)
    spans = [Span(example.predicted, *span) for span in gold.spans]
    counts.labels.update(span.label_ for span in spans)
    counts.labels.update(label for _, label in gold.misaligned)
    lost = counts.lost
    for span in spans:
        counts.texts[span.label_][" ".join(span.text.split())] += 1
        if span.label_ not in task.labels:
            lost[f"the component lacks the label {span.label_}"] += 1
        elif not _has_size(span, task):
            lost["the component cannot predict spans of their length"] += 1
    known = [span for span in spans if span.label_ in task.labels]
    lost["they overlap a longer one"] += _count_overlaps(known, task.exclusive)
    lost["their boundaries are not token boundaries"] += len(gold.misaligned)


def _has_size(span: Span, task: Task) -> bool:
    # The span marker does not count white-space tokens.
    is_marker = task.factory == "span_marker_ner"
    size = sum(not (is_marker and token.is_space) for token in span)
    return task.sizes is None or size in task.sizes


def _count_overlaps(spans: Sequence[Span], exclusive: str | None) -> int:
    if exclusive is None:
        return 0
    groups: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for span in spans:
        label = span.label_ if exclusive == "label" else ""
        groups[label].append((span.start, span.end))
    kept = (select_disjoint(group, longest_first(group)) for group in groups.values())
    return len(spans) - sum(map(len, kept))


def describe_limits(tasks: Sequence[Task], splits: Sequence[Split]) -> Iterator[str]:
    """Say what the components cannot predict, as far as settings and counts show."""
    for task in tasks:
        if task.exclusive is not None:
            which = "of one label " if task.exclusive == "label" else ""
            yield f"Entities {which}that `{task.component}` predicts never overlap."
    train = next((split for split in splits if split.name == "train"), None)
    if train is None:
        yield "The training data were not available, so rare labels are not listed."
        return
    for task in tasks:
        counts = train.tasks[task.component]
        few = sorted((counts.labels[label], label) for label in task.labels)
        named = ", ".join(f"{label} ({n})" for n, label in few if n < FEW)
        if named:
            what = "texts" if task.is_categories else "examples"
            yield f"Labels with fewer than {FEW} {what} in train: {named}."
        for reason, count in (+counts.lost).items():
            of = f"{count} of {counts.labels.total()} entities of train"
            yield f"`{task.component}` could not learn {of}: {reason}."
