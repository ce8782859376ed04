"""Tag schemes: which tags a set of labels has, and which may follow which.

A chain is a sequence of tags over the words of a document. In the flat
structure one chain carries every label; per label, every label has a chain of
its own. Tags are numbered so that a new label only appends: 0 is ``O``, then
come the tags of the first label, then those of the second.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy

from ..pipes.overlap import LabelledSpan, select_disjoint

PREFIXES = {"biluo": "BILU", "iob2": "BI"}
STRUCTURES = ("flat", "per_label")
MISSING = -1


@dataclass(frozen=True)
class BlockStructure:
    """Which parts of a transition matrix can be other than impossible.

    With the tags put into `order`, every tag of the slice `sources` may be
    followed by every tag of the slice `targets`; all other legal transitions
    stay within one label and are listed in `within` as (target slice, source
    slices), one tag a label in each slice.
    """

    order: numpy.ndarray
    sources: slice
    targets: slice
    within: tuple[tuple[slice, tuple[slice, ...]], ...]


@dataclass(frozen=True)
class AllowedTransitions:
    """Which tag sequences a chain may take.

    transitions: Whether the column's tag may follow the row's, shape (n_tags, n_tags),
        bool.
    start, end: Whether a tag may be the first or the last of a document, shape
        (n_tags,), bool.
    blocks: Where the legal transitions are, if that is known.
    """

    transitions: numpy.ndarray
    start: numpy.ndarray
    end: numpy.ndarray
    blocks: BlockStructure | None = None


@dataclass(frozen=True)
class TagSet:
    """The tags of a tag scheme over some labels.

    labels: The entity labels, in the order of the weights.
    scheme: "biluo" or "iob2".
    structure: "flat" for one chain over all labels, "per_label" for one chain a label.
    """

    labels: tuple[str, ...]
    scheme: str = "biluo"
    structure: str = "flat"

    def __post_init__(self) -> None:
        if self.scheme not in PREFIXES:
            raise ValueError(
                f"Unknown tag scheme '{self.scheme}': set scheme to one of "
                f"{', '.join(sorted(PREFIXES))}."
            )
        if self.structure not in STRUCTURES:
            raise ValueError(
                f"Unknown structure '{self.structure}': set structure to one of "
                f"{', '.join(STRUCTURES)}."
            )

    @property
    def prefixes(self) -> str:
        return PREFIXES[self.scheme]

    @property
    def n_chains(self) -> int:
        return 1 if self.structure == "flat" else len(self.labels)

    @property
    def labels_per_chain(self) -> int:
        return len(self.labels) if self.structure == "flat" else 1

    @property
    def n_tags(self) -> int:
        """Tags of one chain."""
        return 1 + len(self.prefixes) * self.labels_per_chain

    @cached_property
    def index(self) -> dict[str, int]:
        return {label: i for i, label in enumerate(self.labels)}

    def locate(self, label: str) -> tuple[int, int]:
        """Find where a label's tags are.

        RETURNS: The chain, and the tag of the label's B-.
        RAISES (KeyError): If the label is not in the tag set.
        """
        i = self.index[label]
        chain, place = (0, i) if self.structure == "flat" else (i, 0)
        return chain, 1 + place * len(self.prefixes)

    def label_of(self, chain: int, tag: int) -> str:
        """The label that a tag other than O belongs to."""
        place = (tag - 1) // len(self.prefixes)
        return self.labels[place if self.structure == "flat" else chain]

    def tag_string(self, first_tag: int, length: int) -> list[int]:
        """The tags of an entity of `length` words whose B- tag is `first_tag`."""
        begin, inside = first_tag, first_tag + 1
        if self.scheme == "iob2":
            return [begin] + [inside] * (length - 1)
        last, unit = first_tag + 2, first_tag + 3
        return [unit] if length == 1 else [begin, *[inside] * (length - 2), last]

    @cached_property
    def _parts(self) -> tuple[numpy.ndarray, numpy.ndarray]:
        """For each tag its prefix as a character and the number of its label."""
        n = self.labels_per_chain
        prefix = numpy.array(["O", *(self.prefixes * n)])
        label = numpy.repeat(numpy.arange(-1, n), [1] + [len(self.prefixes)] * n)
        return prefix, label

    @cached_property
    def legality(self) -> AllowedTransitions:
        """The sequences of the scheme that are entities and nothing else."""
        prefix, label = self._parts
        same = label[:, None] == label[None, :]
        if self.scheme == "iob2":
            transitions = numpy.where(prefix[None, :] == "I", same, True)
            end = numpy.ones(self.n_tags, dtype=bool)
        else:
            is_open = numpy.isin(prefix, ("B", "I"))[:, None]
            goes_on = numpy.isin(prefix, ("I", "L"))[None, :]
            transitions = numpy.where(is_open, same & goes_on, ~goes_on)
            end = numpy.isin(prefix, ("O", "L", "U"))
        start = numpy.isin(prefix, ("O", "B", "U"))
        return AllowedTransitions(transitions, start, end, self.block_structure)

    @cached_property
    def block_structure(self) -> BlockStructure:
        """The legal transitions as one full block and parts within each label."""
        n = self.labels_per_chain
        tag = {p: numpy.flatnonzero(self._parts[0] == p) for p in "OBILU"}
        if self.scheme == "iob2":
            order = numpy.concatenate([tag["O"], tag["B"], tag["I"]])
            begin, inside = slice(1, n + 1), slice(n + 1, 2 * n + 1)
            return BlockStructure(
                order,
                sources=slice(0, 2 * n + 1),
                targets=slice(0, n + 1),
                within=((inside, (begin, inside)),),
            )
        order = numpy.concatenate([tag["L"], tag["O"], tag["U"], tag["B"], tag["I"]])
        last, begin = slice(0, n), slice(2 * n + 1, 3 * n + 1)
        inside = slice(3 * n + 1, 4 * n + 1)
        return BlockStructure(
            order,
            sources=slice(0, 2 * n + 1),
            targets=slice(n, 3 * n + 1),
            within=((inside, (begin, inside)), (last, (begin, inside))),
        )

    def encode(self, spans: Iterable[LabelledSpan], n_words: int) -> numpy.ndarray:
        """Write spans as tags.

        spans: First word, end (exclusive) and label; no two of them overlap in one
            chain.
        RETURNS: Tags, shape (n_words, n_chains).
        """
        tags = numpy.zeros((n_words, self.n_chains), dtype="int32")
        for start, end, label in spans:
            chain, first_tag = self.locate(label)
            tags[start:end, chain] = self.tag_string(first_tag, end - start)
        return tags

    def find_spans(self, tags: numpy.ndarray) -> numpy.ndarray:
        """Read the spans of legal tags, of one document or of several in a row.

        tags: Shape (n_words, n_chains).
        RETURNS: One row a span, shape (n_spans, 4): chain, first word, end (exclusive)
            and B- tag of the label; by chain, then by word.
        """
        prefix = self._parts[0][tags.T]
        if self.scheme == "iob2":
            goes_on = numpy.zeros_like(prefix, dtype=bool)
            goes_on[:, :-1] = prefix[:, 1:] == "I"
            closes = (prefix != "O") & ~goes_on
        else:
            closes = (prefix == "L") | (prefix == "U")
        chain, start = numpy.nonzero((prefix == "B") | (prefix == "U"))
        end = numpy.nonzero(closes)[1] + 1
        tag = tags[start, chain]
        begin = tag - (tag - 1) % len(self.prefixes)
        return numpy.stack([chain, start, end, begin], axis=1)

    def decode(self, tags: numpy.ndarray) -> list[LabelledSpan]:
        """Read the labelled spans of one document's legal tags.

        tags: Shape (n_words, n_chains).
        """
        return [
            (start, end, self.label_of(chain, tag))
            for chain, start, end, tag in self.find_spans(tags).tolist()
        ]


def keep_longest(
    spans: Sequence[LabelledSpan], tags: TagSet
) -> tuple[list[LabelledSpan], list[LabelledSpan]]:
    """Select the spans that fit into the chains: the longest first, then the leftmost.

    RETURNS: The selected spans, and those that overlap a selected span of the same
        chain. Duplicates are in neither.
    """
    ordered = sorted(set(spans), key=lambda s: (s[0] - s[1], s[0], s[2]))
    n_words = max((end for _, end, _ in ordered), default=0)
    # With the chains one after another, only spans of the same chain can overlap.
    shifts = [tags.locate(label)[0] * n_words for *_, label in ordered]
    cells = [(s + shift, e + shift) for (s, e, _), shift in zip(ordered, shifts)]
    kept = select_disjoint(cells, range(len(cells)))
    dropped = sorted(set(range(len(cells))) - set(kept))
    return [ordered[i] for i in kept], [ordered[i] for i in dropped]
