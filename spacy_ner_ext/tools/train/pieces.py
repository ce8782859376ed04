"""Word pieces of documents, as the encoder of a pipeline cuts them."""

from __future__ import annotations

from collections.abc import Sequence

from spacy.language import Language
from spacy.training import Example

from ...encoder.pieces import cut_words
from ...encoder.torch_shim import TorchShim
from ...training.nodes import find_nodes
from ...util.errors import UserError


def count_pieces(nlp: Language, examples: Sequence[Example]) -> list[int]:
    """Count the pieces of documents.

    nlp: The pipeline; its first encoder counts.
    RAISES (UserError): If no component has an encoder.
    """
    shim = _find_shim(nlp)
    words = [shim.words_of(example.predicted) for example in examples]
    return cut_words(shim.tokenizer, words, shim.piece_cache).lengths.tolist()


def _find_shim(nlp: Language) -> TorchShim:
    for node in find_nodes(nlp):
        for shim in node.shims:
            if isinstance(shim, TorchShim) and shim.is_loaded:
                return shim
    raise UserError(
        "[spacy_ner_ext] sub_batch counts pieces, but no component of "
        f"{nlp.pipe_names} has an encoder of spacy_ner_ext: count words or docs."
    )
