"""What the splits of a corpus hold, as the components of a pipeline see it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from spacy.tokens import Span
from spacy.training import Example

from ...data.report import true_cats
from ...pipes.annotations import flat_subset
from ...pipes.gold import read_gold
from ..check.config import SpanLimit
from .pipeline import Task

# Categories are shown with a text; longer ones are cut.
EXCERPT = 60


@dataclass
class Lost:
    """Gold spans that a component cannot learn, counted.

    misaligned: Their boundaries are not boundaries of tokens.
    overlapping: They overlap a longer one.
    too_long: The component finds no span of their length.
    unknown: Their label is not one of the component's, by label.
    """

    misaligned: int = 0
    overlapping: int = 0
    too_long: int = 0
    unknown: Counter[str] = field(default_factory=Counter)


@dataclass
class TaskCounts:
    """What a split holds for one component.

    labels: Gold spans or documents by label.
    forms: Their texts, by label.
    lost: What of them cannot be learnt.
    """

    labels: Counter[str] = field(default_factory=Counter)
    forms: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    lost: Lost = field(default_factory=Lost)

    def examples(self, label: str, limit: int) -> list[str]:
        """The most frequent texts of a label, at most `limit`."""
        order = sorted(self.forms[label].items(), key=lambda pair: (-pair[1], pair[0]))
        return [text for text, _ in order[:limit]]


class SplitCounts:
    """What a split holds.

    name: What it is called.
    tasks: What the components find.
    limits: Which lengths of spans they find.
    """

    def __init__(
        self, name: str, tasks: Sequence[Task], limits: Sequence[SpanLimit]
    ) -> None:
        self.name = name
        self.documents = 0
        self.tokens = 0
        self.tasks = {task.component: (task, TaskCounts()) for task in tasks}
        self.limits = {limit.component: limit for limit in limits}

    def __getitem__(self, component: str) -> TaskCounts:
        return self.tasks[component][1]

    def add(self, examples: Iterable[Example]) -> None:
        """Count documents.

        examples: Gold, with the tokens of the pipeline.
        """
        for example in examples:
            self.documents += 1
            self.tokens += len(example.predicted)
            for task, counts in self.tasks.values():
                if task.is_categories:
                    _add_categories(example, counts)
                else:
                    self._add_spans(example, task, counts)

    def _add_spans(self, example: Example, task: Task, counts: TaskCounts) -> None:
        gold = read_gold(example, task.places)
        doc, lost = example.predicted, counts.lost
        spans = [Span(doc, start, end, label) for start, end, label in gold.spans]
        counts.labels.update(span.label_ for span in spans)
        counts.labels.update(label for _, label in gold.misaligned)
        for span in spans:
            counts.forms[span.label_][" ".join(span.text.split())] += 1
        known = [span for span in spans if span.label_ in task.labels]
        lost.unknown.update(s.label_ for s in spans if s.label_ not in task.labels)
        lost.misaligned += len(gold.misaligned)
        lost.overlapping += _count_overlaps(known, task.flat)
        lost.too_long += self._count_long(known, task.component)

    def _count_long(self, spans: Sequence[Span], component: str) -> int:
        limit = self.limits.get(component)
        if limit is None:
            return 0
        return sum(
            sum(limit.with_spaces or not token.is_space for token in span)
            not in limit.sizes
            for span in spans
        )


def _count_overlaps(spans: Sequence[Span], flat: str | None) -> int:
    if flat is None:
        return 0
    chains: dict[str, list[tuple[Span, float]]] = defaultdict(list)
    for span in spans:
        chains[span.label_ if flat == "label" else ""].append((span, 1.0))
    return sum(len(chain) - len(flat_subset(chain, set())) for chain in chains.values())


def _add_categories(example: Example, counts: TaskCounts) -> None:
    text = " ".join(example.reference.text.split())
    shown = text if len(text) <= EXCERPT else f"{text[:EXCERPT]}…"
    for name in true_cats(example.reference):
        counts.labels[name] += 1
        counts.forms[name][shown] += 1
