"""Corpora that `spacy train` reads as they are, without a conversion before."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Optional

from spacy import registry
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from ...data.docs import AlignOptions
from ...data.filter import ANY_LANGUAGE, LabelFilter
from ...data.formats.guess import guess_format
from ...data.formats.registry import get_reader
from ...data.report import HARMLESS, KINDS, ConversionReport
from ...data.split.settings import SplitOptions
from ...data.split.split import shape_docs
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
    """Registered as `spacy_ner_ext.Reader.v1`: read what `convert` reads in training.

    The file is read anew in each epoch, tokenized by the pipeline, and what was
    repaired or dropped is logged once.

    path: What to read: a file or a folder, as the format needs.
    format: The name of the format; None to recognise it.
    options: What the format's reader takes, such as `docs_of` or `tag_column`.
    align: Entities that are not of whole tokens: "strict" drops them, "contract" takes
        the tokens inside, "expand" all that they touch.
    spans_key: A span group that gets all entities, nested ones too.
    lang: Texts that tell another language are left out; None is the language of the
        pipeline, "xx" takes all, "en,de" two.
    labels: The labels to keep; empty for all.
    map: Labels that get another name; done before `labels`.
    split_regex: Documents may be cut behind what this matches.
    max_length: Documents of more tokens are cut, but no entity; 0 to cut at every match
        of `split_regex`, if there is one.
    downsample: The share of documents to draw.
    limit: The most documents; 0 for all.
    split: Shares of train, dev and, of three, test.
    part: The part to read, with the same `split` and `seed` in all corpora: "train",
        "dev" or "test".
    stratify: Split so that each label has these shares.
    oversample: Labels, and the share of documents that shall have an entity of each;
        documents with one are repeated until then.
    seed: Seed of all that is drawn.
    gold_preproc, augmenter: As in `spacy.Corpus.v1`.
    RETURNS: The corpus.
    RAISES (UserError): If an input or a setting cannot be used.
    """
    if path is None:
        raise UserError("Reader.v1 has no path; set --paths.train, for instance")
    shaping = SplitOptions(
        split_regex=split_regex,
        max_length=max_length,
        downsample=downsample,
        limit=limit,
        split=tuple(split),
        stratify=stratify,
        oversample=oversample,
        seed=seed,
    )
    _check_part(part, shaping)
    return Reader(
        path,
        format,
        options=options,
        making=AlignOptions(align, spans_key, LabelFilter((), map, tuple(labels))),
        lang=lang,
        shaping=shaping,
        part=part,
        gold_preproc=gold_preproc,
        augmenter=augmenter,
    )


def _check_part(part: Optional[str], shaping: SplitOptions) -> None:
    known = ", ".join(shaping.parts) or "none, as split is empty"
    if (part is not None or shaping.split) and part not in shaping.parts:
        raise UserError(f"part = '{part}' of Reader.v1 is not one of: {known}")


class Reader(DocsCorpus):
    """A corpus in one of the formats of `convert`.

    path: What to read.
    format: The name of the format; None to recognise it.
    options: What the format's reader takes.
    making: How documents are made.
    lang: The languages; None for that of the pipeline.
    shaping: What is chosen, cut, sampled and split.
    part: The part to read, if there is a split.
    gold_preproc, augmenter: As in spaCy's Corpus.
    RAISES (UserError): If there is no such format or it does not take an option.
    """

    def __init__(
        self,
        path: Path,
        format: Optional[str],
        *,
        options: Dict[str, Any],
        making: AlignOptions,
        lang: Optional[str],
        shaping: SplitOptions,
        part: Optional[str],
        gold_preproc: bool,
        augmenter: Optional[Callable],
    ) -> None:
        super().__init__(path, gold_preproc=gold_preproc, augmenter=augmenter)
        self.format = format or guess_format(Path(path))
        self.options = options
        self.making = making
        self.lang = lang
        self.shaping = shaping
        self.part = part
        self._read = get_reader(self.format, options)
        self._is_reported = False

    def read(self, nlp: Language) -> Iterator[Doc]:
        """Read the documents of the part.

        nlp: The pipeline, whose tokenizer makes the tokens.
        RAISES (UserError): If the input cannot be used.
        """
        report = ConversionReport(source=str(self.path), format=self.format)
        langs = tuple((self.lang or nlp.lang or ANY_LANGUAGE).split(","))
        selection = replace(self.making.selection, langs=langs)
        making = replace(self.making, selection=selection)

        def read(noted: ConversionReport) -> Iterator[Doc]:
            return self._read(
                *(Path(self.path), _Tokenizing(nlp)),
                report=noted,
                making=making,
                **self.options,
            )

        for part, doc in shape_docs(read, self.shaping, report):
            if not part or part == self.part:
                report.add(doc)
                yield doc
        if not self._is_reported:
            self._is_reported = True
            _log(report)


class _Tokenizing:
    """Makes documents of any length, since they may be cut before they are used."""

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
            log("%s: %d, such as %s: %s", name, notes.count, place, example)
    for warning in report.warnings:
        logger.warning(warning)
