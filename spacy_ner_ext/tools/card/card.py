"""A model card: what Hugging Face's hub and people read of a pipeline."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...util.errors import UserError
from ...util.files import replacing
from ...util.templates import environment
from .facts import Facts
from .limitations import limitations
from .measure import describe_machine, describe_versions
from .scores import task_type, to_results
from .training import config_excerpt, training_settings

if TYPE_CHECKING:
    from huggingface_hub import ModelCardData

TEMPLATE = "model_card.md.jinja"
MARK = "<!-- Written by: python -m spacy_ner_ext card -->"


def render(facts: Facts) -> str:
    """Make the card.

    RETURNS: Markdown with the metadata of a model card of the hub in front.
    RAISES (UserError): If the pipeline uses a function that is not installed.
    """
    from huggingface_hub import ModelCard

    templates = environment(Path(__file__).parent)
    templates.filters.update(cell=escape, code=as_code)
    text = templates.get_template(TEMPLATE).render(**_values(facts))
    # Reads the metadata, as the hub will.
    return ModelCard(text).content


def _values(facts: Facts) -> dict[str, Any]:
    """What the template shows."""
    pipeline, tasks = facts.pipeline, facts.pipeline.tasks()
    return {
        "mark": MARK,
        "name": _name(facts),
        "metadata": _metadata(facts).to_yaml(),
        "facts": facts,
        "about": facts.about,
        "meta": pipeline.meta,
        "version": facts.about.version or pipeline.meta["version"],
        "license": _license(facts),
        "language": _language(facts),
        "tasks": tasks,
        "finds_spans": any(not task.is_categories for task in tasks),
        "other_labels": pipeline.other_labels(),
        "requirements": pipeline.requirements(),
        "settings": training_settings(pipeline),
        "config": config_excerpt(pipeline),
        "machine": describe_machine() if facts.speed else {},
        "versions": describe_versions(),
        "limitations": limitations(tasks, facts.splits, facts.tables),
    }


def escape(text: Any) -> str:
    """Write a text so that Markdown shows it in a cell of a table as it is.

    RETURNS: The text with what Markdown and HTML would take for theirs escaped.
    """
    line = " ".join(str(text).split())
    return re.sub(r"([\\`*_|\[\]<>&~#])", r"\\\1", line)


def as_code(text: Any) -> str:
    """Write a text as code in a cell of a table."""
    return "`" + str(text).replace("`", "'").replace("|", "\\|") + "`"


def _metadata(facts: Facts) -> "ModelCardData":
    # It takes a while to import, also in commands that do not need it.
    from huggingface_hub import ModelCardData

    about, tasks = facts.about, facts.pipeline.tasks()
    types = sorted({task_type(task) for task in tasks})
    dataset = about.dataset or about.dataset_id or "unnamed corpus"
    return ModelCardData(
        library_name="spacy",
        tags=["spacy", *types, "spacy-ner-ext"],
        pipeline_tag=types[0] if len(types) == 1 else None,
        language=_language(facts),
        license=_license(facts) or None,
        base_model=about.base_model,
        datasets=[about.dataset_id] if about.dataset_id else None,
        model_name=_name(facts),
        eval_results=to_results(facts.tables, dataset, about.dataset_id) or None,
    )


def _name(facts: Facts) -> str:
    meta = facts.pipeline.meta
    name = facts.about.name or meta["name"]
    prefix = f"{meta['lang']}_"
    return name if name.startswith(prefix) else prefix + name


def _language(facts: Facts) -> str:
    language = facts.about.language or facts.pipeline.meta["lang"]
    return "multilingual" if language == "xx" else language


def _license(facts: Facts) -> str:
    license = facts.about.license or facts.pipeline.meta.get("license") or ""
    return license.strip().lower().replace(" ", "-")


def write_card(text: str, path: Path, *, force: bool = False) -> None:
    """Write a card to a file.

    force: Whether a file that is no card of this package is replaced.
    RAISES (UserError): If there is such a file, or it cannot be written.
    """
    if path.is_file() and not force and MARK not in path.read_text(errors="replace"):
        raise UserError(
            f"{path} exists and was not written by this command; add --force to "
            "replace it, or choose another file with --output"
        )
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
