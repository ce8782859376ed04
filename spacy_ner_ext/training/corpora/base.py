"""What corpora that `spacy train` reads have in common."""

from collections.abc import Iterable, Iterator

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Corpus, Example


class DocsCorpus(Corpus):
    """A corpus of documents that a subclass reads.

    Arguments are those of spaCy's Corpus, and of these `gold_preproc`, `max_length`
    and `augmenter` are done here.
    """

    def read(self, nlp: Language) -> Iterable[Doc]:
        """Read the annotated documents of an epoch."""
        raise NotImplementedError

    def __call__(self, nlp: Language) -> Iterator[Example]:
        """Read the corpus.

        nlp: The pipeline, whose tokenizer makes the tokens.
        RAISES (UserError): If the input cannot be used.
        """
        if self.gold_preproc:
            examples = self.make_examples_gold_preproc(nlp, self.read(nlp))
        else:
            examples = self.make_examples(nlp, self.read(nlp))
        for example in examples:
            yield from self.augmenter(nlp, example)
