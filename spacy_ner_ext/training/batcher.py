"""A batcher that counts the word pieces of an encoder."""

import random
from itertools import islice
from typing import Any, Callable, Dict, Iterable, Iterator, List, Sequence, Tuple, Union

from spacy import registry
from spacy.language import Language
from spacy.training import Example
from spacy.util import logger

from ..encoder.hf import load_tokenizer, prepare
from ..encoder.pieces import cut_words
from ..encoder.settings import EncoderSettings
from ..encoder.torch_shim import TorchShim
from ..util.errors import UserError
from ..util.weights import iter_shims

# Tokenizers are much faster on several documents at once.
COUNTED_TOGETHER = 128
UNITS = ("pieces", "padded pieces")
Batcher = Callable[[Iterable[Example]], Iterable[List[Example]]]


@registry.batchers("spacy_ner_ext.batch_by_pieces.v1")
def make_batch_by_pieces(
    name: str,
    size: Union[str, int] = "4096 pieces",
    buffer: int = 256,
    discard_oversize: bool = False,
    tokenizer_config: Dict[str, Any] = {},  # noqa: B006 - spaCy fills configs with it
    trust_remote_code: bool = False,
) -> Batcher:
    """Create a batcher that counts word pieces and groups documents of similar length.

    name: The encoder whose tokenizer is used: hub name or folder, usually the `name` of
        spacy_ner_ext.Transformer.v1.
    size: The most word pieces of a batch, such as "4096 pieces" or 4096, or "4096
        padded pieces" to count each document as long as the longest of its batch.
    buffer: Number of documents that are sorted by length and cut into batches in random
        order; 1 keeps the order of the documents.
    discard_oversize: Whether to discard documents that exceed `size` and log their
        number; otherwise each is a batch by itself.
    tokenizer_config: Arguments of AutoTokenizer.from_pretrained.
    trust_remote_code: Whether code that comes with the tokenizer may run.
    RETURNS: The batcher.
    RAISES (ValueError): If `size` or `buffer` cannot be used. At the first batch, if
        the tokenizer cannot be loaded.
    """
    limit, padded = parse_size(size)
    if buffer < 1:
        raise ValueError(
            f"buffer = {buffer} of batch_by_pieces: set it to at least 1 document."
        )
    # Loaded at the first batch: spaCy also creates the batcher without training.
    count = _Counter(
        EncoderSettings(
            name=name,
            tokenizer_config=dict(tokenizer_config),
            trust_remote_code=trust_remote_code,
        )
    )

    def batch_by_pieces(examples: Iterable[Example]) -> Iterator[List[Example]]:
        n_discarded = 0
        counted = _count(examples, count)
        for batch, n_pieces in _cut_buffers(counted, buffer, limit, padded):
            if n_pieces > limit and discard_oversize:
                n_discarded += len(batch)
            else:
                yield batch
        if n_discarded:
            logger.warning(
                "batch_by_pieces discarded %d document(s) of more than %d pieces.",
                *(n_discarded, limit),
            )

    return batch_by_pieces


def parse_size(size: Union[str, int]) -> Tuple[int, bool]:
    """Parse the size of a batch: its number, and whether padding is counted.

    RAISES (ValueError): If it is not like "4096 pieces", "4096 padded pieces" or 4096.
    """
    number, _, unit = str(size).strip().partition(" ")
    unit = " ".join(unit.split()) or UNITS[0]
    if not number.isdecimal() or int(number) < 1 or unit not in UNITS:
        raise ValueError(
            f'size = {size!r} of batch_by_pieces: set it to a text such as "4096 '
            'pieces" or "4096 padded pieces".'
        )
    return int(number), unit == UNITS[1]


Counted = Tuple[int, Example]
Batch = Tuple[List[Example], int]


def _count(examples: Iterable[Example], count: "_Counter") -> Iterator[Counted]:
    """Pair examples with their numbers of word pieces."""
    examples = iter(examples)
    while some := list(islice(examples, COUNTED_TOGETHER)):
        yield from zip(count(some), some)


def _cut_buffers(
    counted: Iterator[Counted], buffer: int, limit: int, padded: bool
) -> Iterator[Batch]:
    """Sort and cut examples buffer by buffer."""
    if buffer == 1:
        yield from cut(counted, limit, padded)
    while some := list(islice(counted, buffer)):
        some.sort(key=lambda pair: pair[0])
        batches = list(cut(some, limit, padded))
        random.shuffle(batches)
        yield from batches


def cut(counted: Iterable[Counted], limit: int, padded: bool) -> Iterator[Batch]:
    """Cut examples, each after its number of word pieces, into batches in their order.

    limit: The most pieces of a batch; a single example may have more.
    padded: Whether each counts as many pieces as the longest of its batch.
    """
    batch: List[Example] = []
    total = longest = 0
    for n_pieces, example in counted:
        longest = max(longest, n_pieces)
        grown = longest * (len(batch) + 1) if padded else total + n_pieces
        if batch and grown > limit:
            yield batch, total
            batch, longest, grown = [], n_pieces, n_pieces
        batch.append(example)
        total = grown
    if batch:
        yield batch, total


def divide(
    nlp: Language, examples: Sequence[Example], size: int, unit: str
) -> Iterator[List[Example]]:
    """Divide a batch into parts of at most a number of "pieces", "words" or "docs",
    with documents of similar length together. One with a single document may be larger.

    RAISES (UserError): If word pieces are counted and no component has an encoder.
    """
    lengths = [len(example.predicted) for example in examples]
    sizes = {"words": lengths, "docs": [1] * len(examples)}.get(unit)
    sizes = count_pieces(nlp, examples) if sizes is None else sizes
    ranked = sorted(range(len(examples)), key=lambda i: (sizes[i], lengths[i]))
    for part, _ in cut(((sizes[i], examples[i]) for i in ranked), size, padded=False):
        yield part


def count_pieces(nlp: Language, examples: Sequence[Example]) -> List[int]:
    """Count the word pieces of documents by the first encoder of a pipeline.

    RAISES (UserError): If no component has an encoder.
    """
    for shim in iter_shims(nlp):
        if isinstance(shim, TorchShim) and shim.is_loaded:
            words = [shim.words_of(example.predicted) for example in examples]
            return cut_words(shim.tokenizer, words, shim.piece_cache).lengths.tolist()
    raise UserError(
        "[spacy_ner_ext] sub_batch counts pieces, but no component of "
        f"{nlp.pipe_names} has an encoder of spacy_ner_ext: count words or docs."
    )


class _Counter:
    """Counts the word pieces of documents."""

    def __init__(self, settings: EncoderSettings) -> None:
        self.settings = settings
        self.tokenizer: Any = None

    def __call__(self, examples: List[Example]) -> List[int]:
        if self.tokenizer is None:
            self.tokenizer = prepare(load_tokenizer(self.settings).backend_tokenizer)
        words = [[token.text for token in example.predicted] for example in examples]
        return cut_words(self.tokenizer, words).lengths.tolist()
