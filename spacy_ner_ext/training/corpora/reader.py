"""`Reader.v1`: train directly on any format that `convert` reads."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Optional

from spacy import registry
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from ...data.filter import ANY_LANGUAGE
from ...data.formats.registry import get_reader
from ...data.options import ConvertOptions, make_options
from ...data.recognize import guess_format
from ...data.report import HARMLESS, KINDS, ConversionReport
from ...data.split.split import shape_docs
from ...data.text import encoded_as, read_encoded
from ...util.errors import UserError
from .base import DocsCorpus

logger = logging.getLogger("spacy")


@registry.readers("spacy_ner_ext.Reader.v1")
def make_reader(
    path: Optional[Path],
    format: Optional[str] = None,
    options: Dict[str, Any] = {},  # noqa: B006
    align: str = "expand",
    spans_key: Optional[str] = None,
    lang: Optional[str] = None,
    labels: List[str] = [],  # noqa: B006
    map: Dict[str, str] = {},  # noqa: B006
    split_regex: str = "",
    max_length: int = 0,
    downsample: float = 1.0,
    limit: int = 0,
    split: List[float] = [],  # noqa: B006
    part: Optional[str] = None,
    stratify: bool = False,
    oversample: Dict[str, float] = {},  # noqa: B006
    seed: int = 0,
    gold_preproc: bool = False,
    augmenter: Optional[Callable[[Language, Example], Iterable[Example]]] = None,
) -> "Reader":
    """Registered as `spacy_ner_ext.Reader.v1`: a corpus in any format of `convert`.

    The input is read again in each epoch and tokenized by the pipeline. What was
    repaired or dropped is logged once.

    path: File or folder to read.
    format, align, spans_key, labels, map, split_regex, max_length, downsample, limit,
        split, stratify, oversample, seed: See `ConvertOptions`.
    options: Options of the format, such as `docs_of` or `tag_column`, and `encoding`.
    lang: Languages to keep. None is the language of the pipeline.
    part: Part of `split` to read: "train", "dev" or "test". All corpora need the same
        `split` and `seed`.
    gold_preproc, augmenter: See `spacy.Corpus.v1`.
    RETURNS: The corpus.
    RAISES (UserError): If the input or a setting cannot be used.
    """
    if path is None:
        raise UserError("Reader.v1 has no path; set --paths.train, for example")
    encoding = options.get("encoding")
    with encoded_as(encoding):
        format = format or guess_format(Path(path))
    get_reader(format, options.keys() - {"encoding"})
    given: Dict[str, Any] = {"align": align, "spans_key": spans_key, "map": map}
    given |= {"split_regex": split_regex, "max_length": max_length, "split": split}
    given |= {"downsample": downsample, "limit": limit, "stratify": stratify}
    given |= {"oversample": oversample, "seed": seed, "labels": labels}
    settings = make_options({"format": format, **given, **options})
    known = ", ".join(settings.parts) or "none, as split is empty"
    if (part is not None or settings.split) and part not in settings.parts:
        raise UserError(f"part = '{part}' of Reader.v1 is not one of: {known}")
    return Reader(
        path, settings, lang, part, gold_preproc=gold_preproc, augmenter=augmenter
    )


class Reader(DocsCorpus):
    """The corpus of `make_reader`."""

    def __init__(
        self,
        path: Path,
        options: ConvertOptions,
        lang: Optional[str],
        part: Optional[str],
        **corpus: Any,
    ) -> None:
        super().__init__(path, **corpus)
        self.options = options
        self.lang = lang
        self.part = part
        self._is_reported = False

    def read(self, nlp: Language) -> Iterator[Doc]:
        """Read the documents of the part."""
        options = replace(self.options, lang=self.lang or nlp.lang or ANY_LANGUAGE)
        report = ConversionReport(source=str(self.path), format=options.format or "")
        read_format = get_reader(report.format)
        source, own = (Path(self.path), _Tokenizing(nlp)), options.of_format

        def read(noted: ConversionReport) -> Iterator[Doc]:
            docs = read_format(*source, report=noted, options=options, **own)
            return read_encoded(docs, options.encoding)

        for part, doc in shape_docs(read, options, report):
            if not part or part == self.part:
                report.add(doc)
                yield doc
        if not self._is_reported:
            self._is_reported = True
            _log(report)


class _Tokenizing:
    """Creates documents of any length, since they may be cut before they are used."""

    def __init__(self, nlp: Language) -> None:
        self.vocab = nlp.vocab
        self.make_doc = nlp.tokenizer


def _log(report: ConversionReport) -> None:
    n_entities = report.entities.total()
    what = "%s: %d documents, %d tokens, %d entities"
    logger.info(what, report.source, report.documents, report.tokens, n_entities)
    for kind, name in KINDS.items():
        notes = report.notes[kind]
        if notes.count:
            log = logger.info if kind in HARMLESS else logger.warning
            place, example = notes.examples[0]
            log("%s: %d, for example %s: %s", name, notes.count, place, example)
    for warning in report.warnings:
        logger.warning(warning)
