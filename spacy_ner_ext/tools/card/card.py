"""Write a model card for the Hugging Face hub and for people."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ...data.read import read_examples
from ...util.errors import UserError
from ...util.files import replacing
from ...util.templates import environment
from ..loading import load_pipeline
from .corpus import Split, describe_limits
from .pipeline import SavedPipeline, Task, read_pipeline
from .scores import ScoreTable, other_scores, score_tables

MARK = "<!-- Written by: python -m spacy_ner_ext card -->"
LIBRARIES = ("spacy-ner-ext", "spacy", "thinc", "torch", "transformers")
HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")


@dataclass(frozen=True)
class About:
    """Metadata from options: name and license override meta.json, and datasets without
    spaces are names on the hub."""

    name: str | None = None
    license: str | None = None
    base_model: str | None = None
    datasets: tuple[str, ...] = ()
    n_examples: int = 3


def render_card(path: Path, corpora: Mapping[str, Path], about: About) -> str:
    """Render the card of a pipeline as Markdown with metadata.

    corpora: The .spacy files, or folders of them, by split: "train", "dev", "test". The
        pipeline is evaluated on "test".
    RAISES (UserError): If the pipeline or a corpus cannot be read.
    """
    from huggingface_hub import ModelCard

    pipeline = read_pipeline(path)
    tasks = pipeline.tasks()
    scores, splits = {"dev": pipeline.meta.get("performance", {})}, []
    if corpora:
        nlp = load_pipeline(path)
        splits = [Split(s, read_examples(c, nlp), tasks) for s, c in corpora.items()]
        if "test" in corpora:
            scores["test"] = nlp.evaluate(read_examples(corpora["test"], nlp))
    tables = [t for name, s in scores.items() for t in score_tables(name, s, tasks)]
    templates = environment(Path(__file__).parent)
    templates.filters.update(cell=escape, code=as_code)
    language = pipeline.meta["lang"]
    header = {
        "name": _name(pipeline, about),
        "license": _license(pipeline, about),
        "language": "multilingual" if language == "xx" else language,
    }
    text = templates.get_template("model_card.md.jinja").render(
        **header,
        mark=MARK,
        metadata=_metadata(header, tasks, about, tables),
        versions={name: version(name) for name in LIBRARIES},
        limitations=[*describe_limits(tasks, splits), *_describe_scores(tables)],
        others={n: each for n, s in scores.items() if (each := other_scores(s))},
        about=about,
        pipeline=pipeline,
        splits=splits,
        tables=tables,
    )
    # Reads the metadata back, as the hub does.
    return ModelCard(text).content


def _name(pipeline: SavedPipeline, about: About) -> str:
    name = about.name or pipeline.meta["name"]
    prefix = f"{pipeline.meta['lang']}_"
    return name if name.startswith(prefix) else prefix + name


def _license(pipeline: SavedPipeline, about: About) -> str:
    license = about.license or pipeline.meta.get("license") or ""
    return license.strip().lower().replace(" ", "-")


def _metadata(
    header: Mapping[str, str],
    tasks: Sequence[Task],
    about: About,
    tables: Sequence[ScoreTable],
) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    types = sorted({task.type for task in tasks})
    on_hub = [name for name in about.datasets if HUB_NAME.fullmatch(name)]
    results = [
        EvalResult(
            task_type=table.task.type,
            task_name=f"{table.task.component} ({table.task.factory})",
            dataset_type=on_hub[0] if on_hub else "custom",
            dataset_name=", ".join(about.datasets) or "unnamed corpus",
            dataset_split=table.split,
            metric_type=metric,
            metric_name=shown,
            metric_value=round(value, 4),
        )
        for table in tables
        for (metric, shown), value in table.results.items()
    ]
    return ModelCardData(
        library_name="spacy",
        tags=["spacy", *types, "spacy-ner-ext"],
        pipeline_tag=types[0] if len(types) == 1 else None,
        language=header["language"],
        license=header["license"] or None,
        base_model=about.base_model,
        datasets=on_hub or None,
        model_name=header["name"],
        eval_results=results or None,
    ).to_yaml()


def _describe_scores(tables: Sequence[ScoreTable]) -> list[str]:
    """Sentences about low scores, and about scores on dev."""
    if not tables:
        return ["The pipeline was not evaluated."]
    sentences = [
        f"Labels with an F below 50 on {table.split}: {', '.join(table.low)}."
        for table in tables
        if table.low
    ]
    chosen = "The best weights were chosen by the scores on dev above."
    return [chosen] * all(table.split == "dev" for table in tables) + sentences


def escape(text: Any) -> str:
    """Escape a text for a cell of a Markdown table."""
    line = " ".join(str(text).split())
    return re.sub(r"([\\`*_|\[\]<>&~#])", r"\\\1", line)


def as_code(text: Any) -> str:
    """Format a text as code in a cell of a Markdown table."""
    return "`" + str(text).replace("`", "'").replace("|", "\\|") + "`"


def write_card(text: str, path: Path, *, overwrite: bool = False) -> None:
    """Write a card over an older card, or with `overwrite` over any file."""
    is_file = path.is_file() and not overwrite
    if is_file and MARK not in path.read_text(encoding="utf-8", errors="replace"):
        advice = "add --overwrite to replace it, or choose another file with --output"
        raise UserError(f"{path} exists and was not written by this command; {advice}")
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
