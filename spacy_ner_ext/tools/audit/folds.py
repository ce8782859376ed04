"""Train a pipeline for each fold of a corpus, on the documents of the other folds."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import srsly
from spacy.tokens import Doc, DocBin
from thinc.api import Config

from ... import train
from ...data.output import ATTRS
from ...data.split.sample import split_evenly
from ...pipes.find import OWN_FACTORIES, EntityComponent, describe_component
from ...pipes.spans import read_spans
from ...util.errors import UserError
from ...util.files import replacing

RUN, BEST, DONE = "run", "model-best", "run.json"
UNUSED = ("model-last", "checkpoints")
# Of the documents that a pipeline is trained on, the share that chooses the best step.
DEV = 0.1
CHECKPOINT_EVERY = 100
# Called with the name of a fold, and with each step of its training.
Step = Callable[[str, Mapping[str, Any]], None]


@dataclass(frozen=True)
class FoldSettings:
    """The config of the pipelines, and how they are trained.

    overrides: Settings of the config by their full names.
    component: The component to judge by, if the config has several.
    folds: The number of folds.
    gpu_id: The GPU; -1 for the CPU.
    """

    config: Path
    overrides: Mapping[str, Any]
    component: str | None
    folds: int
    gpu_id: int = -1

    def load(self) -> tuple[Config, EntityComponent]:
        """The config, and the component to judge by.

        RAISES (UserError): If it does not have one, or no paths.
        """
        config = Config().from_disk(self.config, interpolate=False)
        for name in ("train", "dev"):
            if name not in config.get("paths", {}):
                what = f"has no paths.{name}; add it, and let corpora.{name} read it"
                raise UserError(what, self.config)
        described = (
            describe_component(name, block.get("factory", ""), block, ())
            for name, block in config["components"].items()
        )
        own = [each for each in described if each and each.factory in OWN_FACTORIES]
        found = [each for each in own if self.component in (None, each.name)]
        if len(found) != 1:
            names = ", ".join(each.name for each in own) or "none"
            what = "one crf_ner or span_marker_ner is needed, which judges, but it has"
            raise UserError(f"{what} {names}; name one with --component", self.config)
        return config, found[0]


def divide(docs: Sequence[Doc], folds: int) -> list[int]:
    """The fold of each document. The same text, and the parts of a document, stay
    together.

    RAISES (UserError): If there are fewer documents than folds.
    """
    n = len({_name_of(doc) for doc in docs})
    if n < folds:
        what = f"{n} different documents cannot be divided into {folds} folds"
        raise UserError(f"{what}; lower --folds")
    return _draw(docs, [1 / folds] * folds)


def _draw(docs: Sequence[Doc], shares: Sequence[float]) -> list[int]:
    parts = [0] * len(docs)
    numbers = range(len(docs))
    for part, i in split_evenly(numbers, lambda i: _name_of(docs[i]), shares, 0):
        parts[i] = part
    return parts


def _name_of(doc: Doc) -> str:
    return doc.user_data.get("document") or doc.text


def train_folds(
    docs: Sequence[Doc], settings: FoldSettings, output: Path, on_step: Step | None
) -> Iterator[tuple[Path, list[int]]]:
    """Train a pipeline for each fold, unless an earlier run has.

    YIELDS: The folder of the pipeline, and the documents that it has not seen.
    """
    config, component = settings.load()
    parts = divide(docs, settings.folds)
    spans = (span for doc in docs for span in read_spans(doc, component.target))
    labels = sorted({span.label_ for span in spans})
    if not labels:
        keys = ", ".join(component.target)
        what = f"the corpus has no entities in {keys}, where '{component.name}' reads"
        raise UserError(f"{what} them; give an annotated corpus")
    block = config["initialize"].setdefault("components", {})
    block[component.name] = {"labels": labels}
    for fold in range(settings.folds):
        folder = output / f"fold-{fold + 1}"
        others = [doc for doc, part in zip(docs, parts) if part != fold]
        _train(config, others, settings, folder, on_step)
        unseen = [i for i, part in enumerate(parts) if part == fold]
        yield folder / RUN / BEST, unseen


def _train(
    config: Config,
    docs: Sequence[Doc],
    settings: FoldSettings,
    folder: Path,
    on_step: Step | None,
) -> None:
    run = folder / RUN
    if _is_finished(run):
        return
    overrides = dict(settings.overrides)
    paths = {name: folder / f"{name}.spacy" for name in ("train", "dev")}
    learned = docs
    if "paths.dev" not in overrides:
        parts = _draw(docs, [1 - DEV, DEV])
        # Of few documents none is drawn.
        parts[-1] = 1 if not any(parts) else parts[-1]
        learned, dev = ([d for d, p in zip(docs, parts) if p == i] for i in (0, 1))
        _write(paths["dev"], dev)
        overrides["paths.dev"] = str(paths["dev"])
    _write(paths["train"], learned)
    overrides["paths.train"] = str(paths["train"])

    def step(info: dict[str, Any]) -> None:
        if on_step is not None:
            on_step(folder.name, info)

    trained = train(
        config,
        run,
        overrides=overrides,
        callbacks=[step],
        resume=any(run.glob("checkpoints/*")),
        checkpoint_every=CHECKPOINT_EVERY,
        keep_checkpoints=1,
        gpu_id=settings.gpu_id,
        silent=True,
    )
    if trained.signal is not None:
        raise KeyboardInterrupt
    # Of five folds with an encoder these would be gigabytes.
    for name in UNUSED:
        shutil.rmtree(run / name, ignore_errors=True)


def _is_finished(run: Path) -> bool:
    path = run / DONE
    return path.exists() and srsly.read_json(path).get("status") == "finished"


def _write(path: Path, docs: Iterable[Doc]) -> None:
    with replacing(path) as temporary:
        DocBin(ATTRS, docs=docs, store_user_data=True).to_disk(temporary)
