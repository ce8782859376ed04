"""Command `evaluate`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from ...util.errors import UserError
from ...util.files import check_output
from ..loading import load_pipeline
from ..options import names
from ..output import printer, progress
from ..pipeline import MODEL_HELP, BatchSize, Code, GpuId, failure_told, open_pipeline

METRICS, REPORT = "metrics.json", "report.html"
Scores = dict[str, Any]


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    corpus: Annotated[
        Path,
        typer.Argument(
            metavar="CORPUS",
            help="The gold corpus: a .spacy file, or a folder of them.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            *("--output", "-o"),
            metavar="DIR",
            help=f"The folder to write {METRICS} and {REPORT} to.",
        ),
    ],
    baseline: Annotated[
        Optional[str],
        typer.Option(metavar="OTHER", help="A pipeline to compare with."),
    ] = None,
    train: Annotated[
        Optional[Path],
        typer.Option(
            metavar="CORPUS",
            help="The training corpus, for scores of seen and unseen entities.",
        ),
    ] = None,
    component: Annotated[
        Optional[str],
        typer.Option(
            metavar="NAME",
            help="The component that predicts entities; by default the last such one.",
        ),
    ] = None,
    target: Annotated[
        Optional[str],
        typer.Option(
            metavar="KEY,KEY",
            help="Where gold is: ents or span groups; by default where the component "
            "reads it in training.",
        ),
    ] = None,
    annotate: Annotated[
        Optional[str],
        typer.Option(
            metavar="KEY",
            help="Where predictions are; by default where the component writes them.",
        ),
    ] = None,
    resamples: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Bootstrap resamples of documents for intervals; 0 for none.",
        ),
    ] = 1000,
    confidence: Annotated[
        float, typer.Option(help="The share of resamples inside an interval.")
    ] = 0.95,
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="The seed of the resamples.")
    ] = 0,
    batch_size: BatchSize = None,
    gpu_id: GpuId = -1,
    code: Code = None,
) -> None:
    """Evaluate the entities or categories of a pipeline; write JSON and an HTML report.

    For entities: precision, recall and F-score, exact, by overlap and by token, micro,
    macro, weighted and by label, with bootstrap intervals; nervaluate's four schemes;
    kinds of errors and a confusion matrix; scores by length and by whether the
    training corpus has the entity; thresholds, calibration, and the most instructive
    errors. Exact scores equal those of `spacy evaluate`. The report works offline.
    With --baseline, also the differences with a paired bootstrap test, and the
    documents whose predictions changed.

    \b
    Examples:
      python -m spacy_ner_ext evaluate training/model-best test.spacy
        --output evaluation --train train.spacy
      python -m spacy_ner_ext evaluate training/new/model-best test.spacy
        --output evaluation --baseline training/old/model-best
    """
    from .evaluate import evaluate as run
    from .evaluate import require_report

    _check_paths(output, corpus, train)
    require_report()
    nlp = open_pipeline(model, gpu_id=gpu_id, code=code)
    with failure_told(model, "evaluated"):
        result = run(
            nlp,
            corpus,
            baseline=None if baseline is None else load_pipeline(baseline),
            train=train,
            component=component,
            target=names("--target", target),
            annotate=names("--annotate", annotate),
            resamples=resamples,
            confidence=confidence,
            seed=seed,
            batch_size=batch_size,
            progress=progress,
        )
    result.to_json(output / METRICS)
    result.to_html(output / REPORT)
    _print(result.data)
    printer().good(f"Wrote {output / METRICS} and {output / REPORT}")


def _check_paths(output: Path, corpus: Path, train: Path | None) -> None:
    check_output(output / METRICS, ".json")
    check_output(output / REPORT, ".html")
    for name, path in (("CORPUS", corpus), ("--train", train)):
        if path is not None and not path.exists():
            raise UserError(f"{name} {path} does not exist; give a .spacy file")


def _print(result: dict[str, Any]) -> None:
    corpus = result["corpus"]
    entities, categories = result["entities"], result["categories"]
    if entities is not None:
        typer.echo(
            f"{corpus['documents']} documents, {corpus['gold']} gold entities, "
            f"{corpus['predicted']} predictions"
        )
        _print_scores(_entity_rows(entities["metrics"]))
        _print_calibration(entities["calibration"])
    if categories is not None:
        typer.echo(f"{categories['documents']} documents with categories")
        typer.echo(f"accuracy {100 * categories['accuracy']:.2f}")
        _print_scores(_rows("", categories))
        _print_calibration(categories["calibration"])
    if result["comparison"] is not None:
        _print_differences(result["comparison"])
    for note in result["notes"]:
        printer().info(note)


def _entity_rows(metrics: dict[str, Any]) -> Iterable[tuple[str, Scores]]:
    yield from _rows("exact, ", metrics["exact"])
    for name in ("overlap", "token"):
        yield f"{name}, micro", metrics[name]["micro"]


def _rows(prefix: str, metric: dict[str, Any]) -> Iterable[tuple[str, Scores]]:
    for average in ("micro", "macro", "weighted"):
        yield f"{prefix}{average}", metric[average]
    yield from metric["labels"].items()


def _print_scores(rows: Iterable[tuple[str, Scores]]) -> None:
    printer().table(
        [
            (name, *(_percent(score[each]) for each in "prf"), _interval(score), gold)
            for name, score in rows
            for gold in [score["support"]]
        ],
        header=("", "P", "R", "F", "F interval", "gold"),
        divider=True,
        max_col=60,
        aligns=("l", "r", "r", "r", "r", "r"),
    )


def _print_calibration(calibration: dict[str, Any] | None) -> None:
    if calibration is not None:
        typer.echo(
            f"probabilities: ECE {calibration['ece']:.4f}, Brier score "
            f"{calibration['brier']:.4f}, log loss {calibration['log_loss']:.4f}"
        )


def _interval(score: Scores) -> str:
    ends = score["f_interval"]
    return "" if ends is None else " - ".join(map(_percent, ends))


def _percent(value: float) -> str:
    return f"{100 * value:.2f}"


def _print_differences(comparison: dict[str, Any]) -> None:
    for name, metric in comparison["differences"].items():
        scores = metric["micro"]["f"]
        p_value = scores["p_value"]
        sure = "" if p_value is None else f", p = {p_value:.3f}"
        typer.echo(
            f"F of the baseline, {name}, micro: {_percent(scores['baseline'])}, "
            f"difference {100 * scores['difference']:+.2f}{sure}"
        )
