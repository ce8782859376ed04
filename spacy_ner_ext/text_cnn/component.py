"""`text_cnn`: spaCy's tok2vec pipe around convolutions over another pipe's vectors."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import List, Optional, Tuple

from spacy.language import Language
from spacy.pipeline.tok2vec import Tok2Vec, Tok2VecListener
from spacy.training import Example, validate_get_examples
from thinc.api import Config, Model

from ..pipes.listeners import check_widths, check_widths_of

default_model_config = """
[model]
@architectures = "spacy_ner_ext.TextCNN.v1"
kernel_sizes = [3,4,5]
out_channels = null
output_size = null
activation = "relu"
normalize = "pre"
residual = true
dropout = null

[model.tok2vec]
@architectures = "spacy.HashEmbedCNN.v2"
pretrained_vectors = null
width = 96
depth = 4
embed_size = 2000
window_size = 1
maxout_pieces = 3
subword_features = true
"""
DEFAULT_TEXT_CNN_MODEL = Config().from_str(default_model_config)["model"]


@Language.factory(
    "text_cnn",
    assigns=["doc.tensor"],
    default_config={"model": DEFAULT_TEXT_CNN_MODEL},
)
def make_text_cnn(nlp: Language, name: str, model: Model) -> "TextCNNPipe":
    """Make a `text_cnn` component.

    model: A spacy_ner_ext.TextCNN.v1 over token vectors, as a rule over a listener to
        `tok2vec` or `transformer`.
    """
    return TextCNNPipe(nlp.vocab, model, name)


class TextCNNPipe(Tok2Vec):
    """Re-contextualize token vectors and share them through listeners.

    It is spaCy's Tok2Vec, so `spacy.Tok2VecListener.v1` with the component's name
    as `upstream` reads from it. Vectors pass through doc.tensor, so a component
    after it can listen to it, and no longer to the Tok2Vec before it.
    """

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Optional[Language] = None,
    ) -> None:
        """Infer shapes from data and set the weights.

        get_examples: Gives the training data.
        nlp: The pipeline.
        RAISES (ValueError): If no document has a token, or a component after this one
            listens to another Tok2Vec before it, by name or by "*": it would not see
            its vectors in prediction, or cut it off from training; or a listener
            expects another width.
        """
        validate_get_examples(get_examples, "TextCNNPipe.initialize")
        self._check_listeners(nlp)
        check_widths(nlp)
        with_words = (example.x for example in get_examples() if len(example.x))
        sample = list(islice(with_words, 10))
        if not sample:
            raise ValueError(
                f"'{self.name}' cannot be initialized: no training document has a "
                "token. Check the corpus of [initialize] or [training]."
            )
        self.model.initialize(X=sample)
        check_widths_of(self)

    def _check_listeners(self, nlp: Optional[Language]) -> None:
        """Find components that would get the wrong vectors, or cut off a gradient."""
        names = [] if nlp is None else nlp.pipe_names
        if nlp is None or self.name not in names:
            return
        place = names.index(self.name)
        before = [n for n in names[:place] if isinstance(nlp.get_pipe(n), Tok2Vec)]
        listening = [(name, upstreams(nlp, name)) for name in names[place + 1 :]]
        for i, (name, listened) in enumerate(listening):
            for upstream, is_tok2vec in listened:
                if is_tok2vec:
                    self._check_listener(name, upstream, before)
                    continue
                # The last listener sends gradients on: ours come with our consumers.
                later = [n for n, ups in listening[i + 1 :] if (self.name, True) in ups]
                if upstream in ("*", *names[:place]) and later:
                    raise ValueError(
                        f"'{name}' listens to '{upstream}' between '{self.name}' and "
                        f"'{later[-1]}', so that gradients of '{later[-1]}' would not "
                        f"reach it: move '{name}' before '{self.name}' or after "
                        f"'{later[-1]}'."
                    )

    def _check_listener(self, name: str, upstream: str, before: List[str]) -> None:
        if upstream in before:
            raise ValueError(
                f"'{name}' listens to '{upstream}', but '{self.name}' between them "
                f"replaces its vectors in doc.tensor: move '{name}' before "
                f"'{self.name}', or let it listen to '{self.name}'."
            )
        if upstream == "*" and before:
            raise ValueError(
                f"'{name}' listens to '*', that is to '{before[-1]}' as well as to "
                f"'{self.name}', and '{before[-1]}' would not be trained: set the "
                f"upstream of its listener to '{self.name}'."
            )


def upstreams(nlp: Language, name: str) -> List[Tuple[str, bool]]:
    """What a component listens to.

    nlp: The pipeline.
    name: The name of the component.
    RETURNS: The upstream name of each of its listeners, and whether the listener is one
        of spaCy's Tok2Vec (and not of a transformer).
    """
    model = getattr(nlp.get_pipe(name), "model", None)
    nodes = model.walk() if isinstance(model, Model) else ()
    return [
        (node.upstream_name, isinstance(node, Tok2VecListener))
        for node in nodes
        if hasattr(node, "upstream_name")
    ]
