"""The architecture of `crf_ner` and `crf_tagger`."""

from typing import Any, cast

from spacy import registry
from spacy.tokens import Doc
from thinc.api import Linear, Model, chain, with_array, zero_init
from thinc.types import Floats2d

from ..util.cupy_layers import reduce_waits
from .lattice import Lattice
from .layer import CRF
from .tags import OUTSIDE, Tags

# Initial bias of a new label's tags: low enough that predictions usually stay the same
# until it has been trained, high enough that it is learned quickly.
NEW_TAG_SCORE = -5.0


@registry.architectures("spacy_ner_ext.CRF.v1")
def build_crf_model(
    tok2vec: Model[list[Doc], list[Floats2d]],
) -> Model[list[Doc], Lattice]:
    """Build a CRF over a token-to-vector layer: vectors, linear emissions, CRF.

    The component sets the number of tags when its labels are known.

    tok2vec: Token vectors: a Tok2Vec, a listener, a TextCNN or a transformer.
    RETURNS: The model, from documents to a Lattice of scores.
    """
    emissions: Model = Linear()
    crf = CRF()
    model: Model = chain(tok2vec, with_array(emissions), crf)
    model.set_ref("tok2vec", tok2vec)
    model.set_ref("output_layer", emissions)
    model.set_ref("crf", crf)
    model.attrs["resize_output"] = resize_output
    reduce_waits(model)
    return model


def reset_output(model: Model, tags: Tags) -> None:
    """Replace the output layers by new ones for these tags, to be initialized."""
    n_emissions = tags.n_chains * tags.n_tags
    # From uniform probabilities it learns faster than from random ones.
    emissions: Model = Linear(nO=n_emissions, init_W=zero_init)
    _replace(model, emissions, CRF(tags.n_chains, tags.n_tags))


def resize_output(model: Model, tags: Tags) -> Model:
    """Append weights for new tags; those of existing tags do not change."""
    old_emissions, old_crf = model.get_ref("output_layer"), model.get_ref("crf")
    if not old_emissions.has_param("W"):
        return model
    ops, n_chains, n_tags = model.ops, tags.n_chains, tags.n_tags
    n_inputs = old_emissions.get_dim("nI")
    emissions: Model = Linear(nO=n_chains * n_tags, nI=n_inputs)
    weights: Any = ops.alloc2f(n_chains * n_tags, n_inputs)
    bias: Any = ops.alloc1f(n_chains * n_tags) + NEW_TAG_SCORE
    if tags.structure == "per_label":
        bias[OUTSIDE::n_tags] = 0
    n_old = old_emissions.get_dim("nO")
    weights[:n_old] = old_emissions.get_param("W")
    bias[:n_old] = old_emissions.get_param("b")
    emissions.set_param("W", weights)
    emissions.set_param("b", bias)
    crf = CRF(n_chains, n_tags)
    crf.initialize()
    for name in ("transitions", "start", "end"):
        old, new = old_crf.get_param(name), cast(Any, crf.get_param(name).copy())
        new[tuple(slice(size) for size in old.shape)] = old
        crf.set_param(name, new)
    _replace(model, emissions, crf)
    return model


def _replace(model: Model, emissions: Model, crf: Model) -> None:
    # New nodes, since optimizers store moments of the old shape by node.
    model.replace_node(model.get_ref("output_layer"), emissions)
    model.replace_node(model.get_ref("crf"), crf)
    # with_array keeps the width of the layer it was created with.
    model.layers[1].set_dim("nO", emissions.get_dim("nO"), force=True)
