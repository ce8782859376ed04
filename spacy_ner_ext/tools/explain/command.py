"""Explain how much each token contributes to an entity or a category."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from ...util.errors import UserError
from ...util.files import check_output, replacing, write_json
from ..device import GpuId
from ..output import printer
from ..pipeline import MODEL_HELP, Code, failure_told, open_pipeline
from .components import check_component, find_span
from .explain import MAX_STEPS, STEPS
from .explain import explain as explain_text
from .explanation import Explanation, render_html, shade, table

ROWS_IN_TABLE = 8
Method = Enum(
    "Method",
    {
        "auto": "auto",
        "integrated_gradients": "integrated_gradients",
        "occlusion": "occlusion",
    },
    type=str,
)
Baseline = Enum("Baseline", {"mask": "mask", "pad": "pad", "zero": "zero"}, type=str)


def explain(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The text.")],
    entity: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT|START:END",
            help="The entity: its text, or its first character and the one after its "
            "last. By default all predicted entities are explained.",
        ),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="The label of --entity; default: as predicted.")
    ] = None,
    category: Annotated[
        str | None, typer.Option(help="Explain a category of the text instead.")
    ] = None,
    component: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The component to ask, if several know the label."
        ),
    ] = None,
    method: Annotated[
        Method,
        typer.Option(
            help="auto: integrated gradients if the component supports them, otherwise "
            "occlusion.",
        ),
    ] = Method.auto,
    steps: Annotated[
        int,
        typer.Option(
            min=2,
            metavar="N",
            help="Gradients to begin with; more are computed while the scores are off "
            "by more than 2 %.",
        ),
    ] = STEPS,
    baseline: Annotated[
        Baseline | None,
        typer.Option(
            help="What replaces the word pieces at the start of the path; default: "
            "mask, or pad for encoders without it.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE.html", help="Write an HTML page."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Write the scores as JSON.")
    ] = None,
    gpu_id: GpuId = -1,
    code: Code = None,
) -> None:
    """Show how much each token contributes to an entity or a category of a text.

    Integrated gradients need the extra "explain" (captum): the scores of all tokens add
    up to the log-probability in the text minus that in a text of mask pieces. With
    occlusion a score is how much the log-probability drops if the token is masked.
    If the pipeline predicts no entity and none is named, the exit code is 1.

    \b
    Examples:
      python -m spacy_ner_ext explain training/model-best "Ines sailed to Bergen."
      python -m spacy_ner_ext explain training/model-best "Ines sailed to Bergen."
        --entity Bergen --label VESSEL --output bergen.html
      python -m spacy_ner_ext explain training/textcat "Fix a typo" --category docs
    """
    for path, suffix in ((output, ".html"), (report, ".json")):
        if path is not None:
            check_output(path, suffix)
    if category is not None and (entity is not None or label is not None):
        raise UserError("--category and --entity were given: choose one")
    if label is not None and entity is None:
        raise UserError("--label is the label of an entity: name it by --entity")
    nlp = open_pipeline(model, gpu_id=gpu_id, code=code)
    with failure_told(model, "explained"):
        check_component(nlp, component)
        doc = nlp(text)
        span = find_span(nlp, doc, entity, label, component) if entity else None
        found = explain_text(
            nlp,
            doc,
            span,
            category=category,
            component=component,
            method=method.value,
            steps=steps,
            max_steps=max(steps, MAX_STEPS),
            baseline=baseline and baseline.value,
        )
    if not found:
        raise UserError(
            "the pipeline predicts no entity in this text: name a span by --entity "
            "START:END and --label LABEL, or a category by --category"
        )
    for explanation in found:
        _print(explanation)
    _write(found, output, report)


def _print(explanation: Explanation) -> None:
    msg = printer()
    title = f"{explanation.name or 'The text'}: {explanation.label}"
    typer.echo(f"\n{title}\n{explanation.describe()}")
    for note in explanation.notes:
        msg.warn(note)
    typer.echo(f"\n{shade(explanation, msg.show_color)}\n")
    rows = table(explanation, ROWS_IN_TABLE)
    if rows:
        msg.table(rows, aligns=("l", "r", "l"), max_col=60)


def _write(found: list[Explanation], output: Path | None, report: Path | None) -> None:
    if report is not None:
        write_json([explanation.to_dict() for explanation in found], report)
        printer().good(f"Wrote {report}")
    if output is not None:
        with replacing(output) as temporary:
            page = render_html(found).encode("utf-8", errors="backslashreplace")
            temporary.write_bytes(page)
        printer().good(f"Wrote {output}")
