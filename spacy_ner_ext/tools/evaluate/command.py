"""Command `evaluate`."""

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from ...util.errors import UserError
from ...util.extras import require
from ...util.files import check_output
from ..device import GpuId
from ..loading import load_pipeline
from ..options import names
from ..output import printer, progress
from ..pipeline import MODEL_HELP, BatchSize, Code, failure_told, open_pipeline

METRICS, REPORT = "metrics.json", "report.html"


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    corpus: Annotated[
        Path,
        typer.Argument(
            metavar="CORPUS", help="A gold .spacy file or a folder of them."
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
        typer.Option(min=0, metavar="N", help="Resamples for intervals; 0 for none."),
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

    For entities: precision, recall and F-score with bootstrap intervals, nervaluate's
    schemes, kinds of errors, a confusion matrix, scores of groups, thresholds,
    calibration, and the most instructive errors. Exact scores equal those of `spacy
    evaluate`. With --baseline, also the differences with a paired bootstrap test, and
    the documents whose predictions changed.

    \b
    Examples:
      python -m spacy_ner_ext evaluate training/model-best test.spacy
        --output evaluation --train train.spacy
      python -m spacy_ner_ext evaluate training/new/model-best test.spacy
        --output evaluation --baseline training/old/model-best
    """
    from .evaluate import evaluate as run

    _check_paths(output, corpus, train)
    require("matplotlib", "report")
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
    corpus, comparison = result["corpus"], result["comparison"]
    entities, categories = result["entities"], result["categories"]
    if entities is not None:
        typer.echo(
            f"{corpus['documents']} documents, {corpus['gold']} gold entities, "
            f"{corpus['predicted']} predictions"
        )
        metrics = entities["metrics"]
        rows = {f"{name}, micro": metrics[name]["micro"] for name in metrics}
        _print_scores({**_rows("exact, ", metrics["exact"]), **rows}, entities)
    if categories is not None:
        typer.echo(
            f"{categories['documents']} documents with categories, "
            f"accuracy {100 * categories['accuracy']:.2f}"
        )
        _print_scores(_rows("", categories), categories)
    if comparison is not None:
        _print_differences(comparison["differences"])
    for note in result["notes"]:
        printer().info(note)


def _rows(prefix: str, metric: dict[str, Any]) -> dict[str, Any]:
    averages = ("micro", "macro", "weighted")
    return {
        **{f"{prefix}{name}": metric[name] for name in averages},
        **metric["labels"],
    }


def _print_scores(rows: dict[str, Any], part: dict[str, Any]) -> None:
    table = [
        (
            name,
            *(f"{100 * score[each]:.2f}" for each in "prf"),
            " - ".join(f"{100 * end:.2f}" for end in score["f_interval"] or ()),
            score["support"],
        )
        for name, score in rows.items()
    ]
    header, aligns = ("", "P", "R", "F", "F interval", "gold"), ("l", *"rrrrr")
    printer().table(table, header=header, divider=True, max_col=60, aligns=aligns)
    if part["calibration"] is not None:
        typer.echo(
            "probabilities: ECE {ece:.4f}, Brier score {brier:.4f}, "
            "log loss {log_loss:.4f}".format_map(part["calibration"])
        )


def _print_differences(differences: dict[str, Any]) -> None:
    for name, metric in differences.items():
        scores = metric["micro"]["f"]
        p_value = scores["p_value"]
        sure = "" if p_value is None else f", p = {p_value:.3f}"
        typer.echo(
            f"F of the baseline, {name}, micro: {100 * scores['baseline']:.2f}, "
            f"difference {100 * scores['difference']:+.2f}{sure}"
        )
