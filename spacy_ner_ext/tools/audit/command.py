"""Command `audit`."""

import hashlib
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Optional

import srsly
import typer
from tqdm import tqdm

from ...data.read import find_files
from ...util.errors import UserError
from ...util.files import write_json
from ..device import GpuId, use_device
from ..loading import import_functions
from ..options import read_overrides
from ..output import printer
from ..pipeline import Code, Component, failure_told
from .apply import APPLIED, CHANGES, CONFLICT, DOUBTED, apply_decisions
from .audit import Audit
from .audit import audit as run
from .changes import KINDS
from .output import PAGE, SETTINGS, SUGGESTIONS, write_audit

FOLDS = 5


def audit(
    context: typer.Context,
    corpus: Annotated[
        Path,
        typer.Argument(
            metavar="CORPUS.spacy",
            help="The annotated corpus: a .spacy file, or a folder of them.",
            exists=True,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="The folder of the results and, with --config, the pipelines; with "
            "--apply, the .spacy file to write.",
        ),
    ],
    config: Annotated[
        Optional[Path],
        typer.Option(
            help="Train a pipeline with this config for each fold of the corpus, on "
            "the other folds.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    folds: Annotated[
        int, typer.Option(min=2, metavar="N", help="The number of folds.")
    ] = FOLDS,
    model: Annotated[
        Optional[Path],
        typer.Option(
            help="Judge by this pipeline, which was trained on other documents."
        ),
    ] = None,
    component: Component = None,
    apply: Annotated[
        Optional[Path],
        typer.Option(
            metavar="DECISIONS.jsonl",
            help="Write a corrected corpus: the decisions that audit.html exports, or "
            "suggestions.jsonl with --weights.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    weights: Annotated[
        bool,
        typer.Option(
            "--weights",
            help="With --apply, mark doubtful tokens missing, which crf_ner sums over, "
            "in place of changing entities.",
        ),
    ] = False,
    gpu_id: GpuId = -1,
    code: Code = None,
) -> None:
    """Find annotation that is probably wrong, and correct it.

    Each entity of the corpus is compared with the most probable alternative: another
    label, other boundaries, or no entity; and likely entities that are not annotated
    are found. With --config, each document is judged by a pipeline that has not seen
    it. Settings of the config are overridden by their full names; a tenth of the
    documents chooses the best step of training, unless --paths.dev is given.

    DIR gets suggestions.jsonl, the most probable first; audit.html, a page to accept
    and reject them, which exports decisions; and the documents with suggestions as
    tasks for Prodigy, Label Studio and doccano. An interrupted run resumes if the
    command is repeated.

    With --apply, the accepted suggestions are applied to the corpus, and
    NAME.changes.jsonl lists what became of each.

    \b
    Examples:
      python -m spacy_ner_ext audit corpus/train.spacy --config configs/crf_cpu.cfg
        --output audit
      python -m spacy_ner_ext audit corpus/train.spacy --apply decisions.jsonl
        --output corpus/fixed.spacy
      python -m spacy_ner_ext audit corpus/train.spacy --apply audit/suggestions.jsonl
        --weights --output corpus/doubtful.spacy
    """
    chosen = [name for name, value in _modes(config, model, apply).items() if value]
    if len(chosen) != 1:
        given = " and ".join(chosen) or "none of them"
        what = "give one of --config, --model and --apply"
        raise UserError(f"{what}, not {given}")
    if apply is not None:
        _print_applied(apply_decisions(apply, corpus, output, weights=weights), output)
        return
    if weights:
        raise UserError("--weights needs --apply; write suggestions first")
    use_device(gpu_id)
    import_functions(code)
    overrides = read_overrides(context.args)
    settings = _settings(corpus, config, model, folds, component, overrides)
    _check_settings(settings, output)
    with tqdm(unit="step", leave=False, disable=None) as bar:

        def on_step(fold: str, info: Any) -> None:
            if not (output / SETTINGS).exists():
                write_json(settings, output / SETTINGS)
            bar.set_description(f"{fold} of {folds}", refresh=False)
            bar.update()

        with failure_told(model or config or corpus, "used to audit"):
            found = run(
                corpus,
                config=config,
                model=model,
                output=output,
                folds=folds,
                overrides=overrides,
                component=component,
                gpu_id=gpu_id,
                on_step=on_step,
            )
    write_audit(found, corpus, output)
    write_json(settings, output / SETTINGS)
    _print(found, output)


def _modes(*values: Path | None) -> dict[str, Path | None]:
    return dict(zip(("--config", "--model", "--apply"), values))


def _settings(
    corpus: Path,
    config: Path | None,
    model: Path | None,
    folds: int,
    component: str | None,
    overrides: dict[str, Any],
) -> dict[str, Any]:
    """What the suggestions depend on."""
    digest = hashlib.sha256()
    for file in find_files(corpus):
        digest.update(file.read_bytes())
    return {
        "corpus": digest.hexdigest(),
        "config": config and config.read_text(encoding="utf8"),
        "model": model and str(model.resolve()),
        "folds": folds,
        "component": component,
        "overrides": overrides,
    }


def _check_settings(settings: dict[str, Any], output: Path) -> None:
    """Raise if an earlier audit in the folder has other settings."""
    path = output / SETTINGS
    before = srsly.read_json(path) if path.exists() else settings
    for name, value in settings.items():
        if before.get(name) != value:
            what = f"is the folder of an audit with another {name}"
            raise UserError(f"{what}; name another folder", output)


def _print(found: Audit, output: Path) -> None:
    message = printer()
    kinds = Counter(each.change.kind for each in found.suggestions)
    likely = Counter(e.change.kind for e in found.suggestions if e.odds >= 1)
    rows = [(kind, str(likely[kind]), str(kinds[kind])) for kind in KINDS]
    rows.append(("all", str(likely.total()), str(kinds.total())))
    header = ("suggestion", "odds of 1 or more", "all")
    message.table(rows, header=header, divider=True, aligns=("l", "r", "r"))
    if found.unjudged:
        what = ", ".join(f"{label} ({n})" for label, n in found.unjudged.most_common())
        message.warn(
            f"{found.unjudged.total()} of {found.entities} entities cannot be judged, "
            f"since the component can never predict them: {what}"
        )
    message.good(
        f"Wrote {len(found.suggestions)} suggestions for {found.entities} entities in "
        f"{found.documents} documents to {output / SUGGESTIONS}; review them in "
        f"{output / PAGE}"
    )


def _print_applied(results: Counter[str], output: Path) -> None:
    message = printer()
    listed = ", ".join(f"{n} {result}" for result, n in results.most_common())
    if results[CONFLICT]:
        message.warn(
            f"{results[CONFLICT]} suggestions are in conflict with a change before "
            "them and are not applied: audit the new corpus again"
        )
    n = results[APPLIED] + results[DOUBTED]
    changes = output.with_name(output.name.removesuffix(".spacy") + CHANGES)
    message.good(f"Wrote {output} with {n} changes ({listed}), listed in {changes}")
