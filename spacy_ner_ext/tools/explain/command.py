"""Tell how much each token speaks for an entity or a category."""

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from ...util.errors import UserError
from ...util.files import check_output, replacing, write_json
from ..output import printer
from ..pipeline import MODEL_HELP, Code, GpuId, failure_told, open_pipeline
from .choice import check_component
from .compute import MAX_STEPS, STEPS
from .explain import explain as explain_one
from .explain import explain_all
from .page import render_html
from .result import Influence
from .span_names import name_span
from .terminal import shade, table

# Tokens in a table.
SHOWN = 8


class Method(str, Enum):
    """How influence is computed."""

    auto = "auto"
    integrated_gradients = "integrated_gradients"
    occlusion = "occlusion"


class Baseline(str, Enum):
    """What integrated gradients start from."""

    mask = "mask"
    pad = "pad"
    zero = "zero"


def explain(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The text.")],
    entity: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT|START:END",
            help="The entity: its text, or its first character and the one after its "
            "last. By default all that the pipeline finds.",
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(help="The label of --entity; by default that which was found."),
    ] = None,
    category: Annotated[
        str | None,
        typer.Option(help="A category of the text, in the place of an entity."),
    ] = None,
    component: Annotated[
        str | None,
        typer.Option(help="The component to ask, if several know the label."),
    ] = None,
    method: Annotated[
        Method,
        typer.Option(
            help="auto is integrated gradients where the component has gradients, and "
            "occlusion for others."
        ),
    ] = Method.auto,
    steps: Annotated[
        int,
        typer.Option(
            min=2,
            metavar="N",
            help="Gradients along the way to begin with; more are taken as long as "
            "the scores miss more than 2 %.",
        ),
    ] = STEPS,
    baseline: Annotated[
        Baseline | None,
        typer.Option(
            help="What the pieces of the text are at the start of the way; by default "
            "mask, or pad for encoders without it."
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="Also write a page of its own."),
    ] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Also write the numbers.")
    ] = None,
    gpu_id: GpuId = -1,
    code: Code = None,
) -> None:
    """Show how much each token speaks for an entity, or for a category of the text.

    With integrated gradients the scores of all tokens add up to the log-probability of
    the entity in the text, less that in a text of mask pieces; they need the extra
    explain (captum). With occlusion a score is what the log-probability loses if the
    token is masked. Without --entity and --category all entities that the pipeline
    finds are explained; if it finds none, the exit code is 1.

    \b
    Example:
      python -m spacy_ner_ext explain training/model-best "Ines sailed to Bergen."
      python -m spacy_ner_ext explain training/model-best "Ines sailed to Bergen."
        --entity Bergen --label VESSEL --html bergen.html
      python -m spacy_ner_ext explain training/textcat "Fix a typo" --category docs
    """
    for path, suffix in ((html, ".html"), (json, ".json")):
        if path is not None:
            check_output(path, suffix)
    nlp = open_pipeline(model, gpu_id=gpu_id, code=code)
    start = baseline.value if baseline else None
    settings: dict[str, Any] = {"component": component, "method": method.value}
    settings |= {"steps": steps, "max_steps": max(steps, MAX_STEPS), "baseline": start}
    with failure_told(model, "explained"):
        found = _explain(nlp, text, entity, label, category, settings)
    for influence in found:
        _print(influence)
    if json is not None:
        write_json([influence.to_dict() for influence in found], json)
    if html is not None:
        with replacing(html) as temporary:
            page = render_html(found).encode("utf-8", errors="backslashreplace")
            temporary.write_bytes(page)
    for path in (json, html):
        if path is not None:
            printer().good(f"Wrote {path}")


def _explain(
    nlp: Any,
    text: str,
    entity: str | None,
    label: str | None,
    category: str | None,
    settings: dict[str, Any],
) -> list[Influence]:
    if category is not None:
        if entity is not None or label is not None:
            raise UserError("--category and --entity were given: choose one")
        return [explain_one(nlp, text, category=category, **settings)]
    if label is not None and entity is None:
        raise UserError("--label is that of an entity: name it by --entity")
    if entity is not None:
        check_component(nlp, settings["component"])
        doc = nlp(text)
        span = name_span(nlp, doc, entity, label, settings["component"])
        return [explain_one(nlp, doc, span, **settings)]
    found = explain_all(nlp, text, **settings)
    if not found:
        raise UserError(
            "the pipeline finds no entity in this text: name a span by --entity "
            "START:END and --label LABEL, or a category by --category"
        )
    return found


def _print(influence: Influence) -> None:
    msg = printer()
    title = f"{influence.name or 'The text'}: {influence.label}"
    typer.echo(f"\n{title}\n{influence.describe()}")
    for note in influence.notes:
        msg.warn(note)
    typer.echo(f"\n{shade(influence, msg.show_color)}\n")
    rows = table(influence, SHOWN)
    if rows:
        msg.table(rows, aligns=("l", "r", "l"), max_col=60)
