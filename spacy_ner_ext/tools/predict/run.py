"""A prediction from the texts to the written lines."""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from spacy.util import minibatch

from ... import __version__
from .annotate import Lines, annotate
from .inputs import Item, Source
from .outputs import Output
from .pipeline import PipelineSource
from .predict import BATCH_SIZE
from .processes import annotate_in_processes


@dataclass(frozen=True)
class Prediction:
    """What is predicted, and how.

    pipeline: The pipeline.
    source: The texts.
    batch_size: So many texts are predicted together.
    n_process: In how many processes.
    """

    pipeline: PipelineSource
    source: Source
    batch_size: int = BATCH_SIZE
    n_process: int = 1

    def settings(self) -> dict[str, Any]:
        """What the results depend on but for the texts, each of which is compared.

        RAISES (UserError): If there is no such pipeline.
        """
        return {
            "pipeline": self.pipeline.digest(),
            "overrides": self.pipeline.overrides,
            "format": self.source.format,
            "text_field": self.source.text_field,
            "version": __version__,
        }

    def run(self, output: Output) -> Iterator[Lines]:
        """Predict, and write what is not written yet.

        YIELDS: The results of each batch, when they are written.
        RAISES (UserError): If the pipeline, a text or the output cannot be used.
        """
        batches = map(list, minibatch(self.source.items(), self.batch_size))
        # Closed at once, for the processes to end with an error of the output.
        with closing(self._annotated(output.remaining(batches))) as results:
            for lines in results:
                output.write(lines.data)
                yield lines

    def _annotated(self, batches: Iterator[list[Item]]) -> Generator[Lines, None, None]:
        if self.n_process > 1:
            yield from annotate_in_processes(self.pipeline, batches, self.n_process)
            return
        nlp = self.pipeline.load()
        for batch in batches:
            yield annotate(nlp, batch)
