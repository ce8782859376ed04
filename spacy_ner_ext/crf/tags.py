"""Tag schemes: the tags of a set of labels, their numbers, and which may follow which.

A chain is a sequence of tags over the words of a document. In the flat structure one
chain holds all labels; per label, each label has its own chain. Tag 0 is O, followed by
the tags of the first label, then those of the second, so that a new label appends.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, ClassVar, Union

import numpy
from thinc.api import get_array_module

from ..pipes.overlap import LabelledSpan, select_disjoint
from .device import Array, device_of

PREFIXES = {"biluo": "BILU", "iob2": "BI"}
STRUCTURES = ("flat", "per_label")
OUTSIDE = 0
MISSING = -1


@dataclass(frozen=True)
class BlockStructure:
    """The blocks of a transition matrix that have allowed transitions.

    With the tags in this `order`, every tag of `sources` may be followed by every tag
    of `targets`. All other allowed transitions stay within one label: `within` lists
    them as (target, sources), each slice with one tag per label.
    """

    order: numpy.ndarray
    sources: slice
    targets: slice
    within: tuple[tuple[slice, tuple[slice, ...]], ...]


@dataclass(frozen=True)
class AllowedTransitions:
    """The tag sequences that a chain may take."""

    transitions: numpy.ndarray  # whether column may follow row, (n_tags, n_tags)
    start: numpy.ndarray  # whether a document may start with a tag, (n_tags,)
    end: numpy.ndarray  # or end with it
    blocks: BlockStructure | None = None  # of `transitions`, if known

    def on_device(self, like: Array) -> Array:
        """`transitions`, `start` and `end` as rows of one array, (n_tags + 2, n_tags),
        on the device of an array, where it stays."""
        device = device_of(like)
        if device not in self._on_devices:
            rows = numpy.concatenate([self.transitions, [self.start, self.end]])
            self._on_devices[device] = get_array_module(like).asarray(rows)
        return self._on_devices[device]

    @cached_property
    def _on_devices(self) -> dict[int | None, Array]:
        return {}


@dataclass(frozen=True)
class TagSet:
    """The tags of a tag scheme over some entity labels, in the order of the weights."""

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
        return 1 + len(self.prefixes) * self.labels_per_chain

    @cached_property
    def index(self) -> dict[str, int]:
        return {label: i for i, label in enumerate(self.labels)}

    def locate(self, label: str) -> tuple[int, int]:
        """The chain of a label and its B- tag."""
        i = self.index[label]
        chain, place = (0, i) if self.structure == "flat" else (i, 0)
        return chain, 1 + place * len(self.prefixes)

    def label_of(self, chain: int, tag: int) -> str:
        """The label of a tag other than O."""
        place = (tag - 1) // len(self.prefixes)
        return self.labels[place if self.structure == "flat" else chain]

    def begin_tag(self, tag: Any) -> Any:
        """The B- tag of the label of a tag, or of an array of tags, other than O."""
        return tag - (tag - 1) % len(self.prefixes)

    def inside_tag(self, tag: Any) -> Any:
        """The I- tag of the label of a tag, or of an array of tags, other than O."""
        return self.begin_tag(tag) + 1

    def tag_string(self, begin: int, length: int) -> list[int]:
        """The tags of an entity of `length` words with the B- tag `begin`."""
        inside = begin + 1
        if self.scheme == "iob2":
            return [begin] + [inside] * (length - 1)
        last, unit = begin + 2, begin + 3
        return [unit] if length == 1 else [begin, *[inside] * (length - 2), last]

    def tag_strings(self, begin: numpy.ndarray, length: numpy.ndarray) -> numpy.ndarray:
        """The tags of several entities, one after another."""
        strings = {n: self.tag_string(0, n) for n in set(length.tolist())}
        flat = [tag for n in length.tolist() for tag in strings[n]]
        return numpy.array(flat, dtype=int) + numpy.repeat(begin, length)

    @cached_property
    def _parts(self) -> tuple[numpy.ndarray, numpy.ndarray]:
        """The prefix and the label number of each tag."""
        n = self.labels_per_chain
        prefix = numpy.array(["O", *(self.prefixes * n)])
        label = numpy.repeat(numpy.arange(-1, n), [1] + [len(self.prefixes)] * n)
        return prefix, label

    @property
    def allowed_transitions(self) -> AllowedTransitions:
        """The valid sequences of the scheme."""
        return _allowed_transitions(self)

    def _allowed_transitions(self) -> AllowedTransitions:
        prefix, label = self._parts
        same = label[:, None] == label[None, :]
        if self.scheme == "iob2":
            transitions = numpy.where(prefix[None, :] == "I", same, True)
            end = numpy.ones(self.n_tags, dtype=bool)
        else:
            is_open = numpy.isin(prefix, ("B", "I"))[:, None]
            continues = numpy.isin(prefix, ("I", "L"))[None, :]
            transitions = numpy.where(is_open, same & continues, ~continues)
            end = numpy.isin(prefix, ("O", "L", "U"))
        start = numpy.isin(prefix, ("O", "B", "U"))
        return AllowedTransitions(transitions, start, end, self._blocks())

    def _blocks(self) -> BlockStructure:
        n = self.labels_per_chain
        tag = {p: numpy.flatnonzero(self._parts[0] == p) for p in "OBILU"}
        if self.scheme == "iob2":
            begin, inside = slice(1, n + 1), slice(n + 1, 2 * n + 1)
            return BlockStructure(
                numpy.concatenate([tag[p] for p in "OBI"]),
                sources=slice(0, 2 * n + 1),
                targets=slice(0, n + 1),
                within=((inside, (begin, inside)),),
            )
        last, begin = slice(0, n), slice(2 * n + 1, 3 * n + 1)
        inside = slice(3 * n + 1, 4 * n + 1)
        return BlockStructure(
            numpy.concatenate([tag[p] for p in "LOUBI"]),
            sources=slice(0, 2 * n + 1),
            targets=slice(n, 3 * n + 1),
            within=((inside, (begin, inside)), (last, (begin, inside))),
        )

    def encode(self, spans: Iterable[LabelledSpan], n_words: int) -> numpy.ndarray:
        """Encode spans that do not overlap within a chain as tags, shape (n_words,
        n_chains)."""
        tags = numpy.full((n_words, self.n_chains), OUTSIDE, dtype="int32")
        for start, end, label in spans:
            chain, begin = self.locate(label)
            tags[start:end, chain] = self.tag_string(begin, end - start)
        return tags

    def require(self, allowed: numpy.ndarray, span: LabelledSpan) -> None:
        """Restrict the tags of a document to the sequences that contain a span, in
        place: `allowed` is bool, shape (n_words, n_chains, n_tags)."""
        start, end, label = span
        chain, begin = self.locate(label)
        allowed[start:end, chain] = False
        string = self.tag_string(begin, end - start)
        allowed[numpy.arange(start, end), chain, string] = True
        # IOB2 has no closing tag: the next word must not continue the entity.
        if self.scheme == "iob2" and end < len(allowed):
            allowed[end, chain, self.inside_tag(begin)] = False

    def find_spans(self, tags: numpy.ndarray) -> numpy.ndarray:
        """Find the spans in valid tags, shape (n_words, n_chains): chain, first word,
        end (exclusive) and B- tag of each, shape (n_spans, 4), by chain and then by
        word."""
        prefix = self._parts[0][tags.T]
        if self.scheme == "iob2":
            continues = numpy.zeros_like(prefix, dtype=bool)
            continues[:, :-1] = prefix[:, 1:] == "I"
            closes = (prefix != "O") & ~continues
        else:
            closes = (prefix == "L") | (prefix == "U")
        chain, start = numpy.nonzero((prefix == "B") | (prefix == "U"))
        end = numpy.nonzero(closes)[1] + 1
        begin = self.begin_tag(tags[start, chain])
        return numpy.stack([chain, start, end, begin], axis=1)

    def decode(self, tags: numpy.ndarray) -> list[LabelledSpan]:
        return [
            (start, end, self.label_of(chain, tag))
            for chain, start, end, tag in self.find_spans(tags).tolist()
        ]


@dataclass(frozen=True)
class TokenTags:
    """The tags of a tagger: one chain, one tag per label, and any may follow any."""

    labels: tuple[str, ...]

    n_chains: ClassVar[int] = 1
    structure: ClassVar[str] = "flat"

    @property
    def n_tags(self) -> int:
        return len(self.labels)

    @property
    def allowed_transitions(self) -> AllowedTransitions:
        """Any sequence."""
        return _allowed_transitions(self)

    def _allowed_transitions(self) -> AllowedTransitions:
        ends = numpy.ones(self.n_tags, dtype=bool)
        return AllowedTransitions(numpy.outer(ends, ends), ends, ends)


Tags = Union[TagSet, TokenTags]


# Components create their tags at each use; what is on a GPU stays there.
@lru_cache(maxsize=16)
def _allowed_transitions(tags: Tags) -> AllowedTransitions:
    return tags._allowed_transitions()


def keep_longest(
    spans: Sequence[LabelledSpan], tags: TagSet
) -> tuple[list[LabelledSpan], list[LabelledSpan]]:
    """Select the spans that fit into the chains, the longest first, then the leftmost;
    and list those that overlap a selected span of the same chain."""
    ordered = sorted(set(spans), key=lambda s: (s[0] - s[1], s[0], s[2]))
    n_words = max((end for _, end, _ in ordered), default=0)
    # With the chains one after another, only spans of the same chain can overlap.
    shifts = [tags.locate(label)[0] * n_words for *_, label in ordered]
    cells = [(s + shift, e + shift) for (s, e, _), shift in zip(ordered, shifts)]
    kept = select_disjoint(cells, range(len(cells)))
    dropped = sorted(set(range(len(cells))) - set(kept))
    return [ordered[i] for i in kept], [ordered[i] for i in dropped]
