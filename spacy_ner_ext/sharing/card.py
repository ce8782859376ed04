"""A model card: what Hugging Face's hub and people read of a pipeline."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from spacy import util
from spacy.language import Language
from spacy.training import Corpus, Example

from ..data.checks.config import read_limits
from ..data.formats.docbin import find_files
from ..data.read import read_docs
from ..data.write import replacing
from ..errors import UserError
from .corpus import SplitCounts
from .limitations import limitations
from .measure import Speed, describe_machine, describe_versions, measure_speed
from .pipeline import SavedPipeline, read_pipeline
from .scores import ScoreTable, score_tables, task_type, to_results
from .training import config_excerpt, training_settings

if TYPE_CHECKING:
    from huggingface_hub import ModelCardData

TEMPLATE = "model_card.md.jinja"
MARK = "<!-- Written by: python -m spacy_ner_ext card -->"
EXAMPLES = 3


@dataclass(frozen=True)
class About:
    """What no file of a pipeline tells.

    name (Optional[str]), version (Optional[str]): As given to `spacy package`; those
        of meta.json if None.
    license (Optional[str]), language (Optional[str]): Of the pipeline; those of
        meta.json if None.
    base_model (Optional[str]): The encoder's name on the hub.
    dataset (Optional[str]): What the data are called.
    dataset_id (Optional[str]): Their name on the hub.
    dataset_license (Optional[str]): Their license.
    """

    name: str | None = None
    version: str | None = None
    license: str | None = None
    language: str | None = None
    base_model: str | None = None
    dataset: str | None = None
    dataset_id: str | None = None
    dataset_license: str | None = None


@dataclass
class Facts:
    """All that a card tells.

    pipeline (SavedPipeline): The pipeline.
    about (About): What its files do not tell.
    splits (List[SplitCounts]): What the given corpora hold.
    tables (List[ScoreTable]): The scores.
    speed (Optional[Speed]): The measured speed.
    n_examples (int): How many texts of each label are shown.
    """

    pipeline: SavedPipeline
    about: About
    splits: list[SplitCounts] = field(default_factory=list)
    tables: list[ScoreTable] = field(default_factory=list)
    speed: Speed | None = None
    n_examples: int = EXAMPLES


def collect_facts(
    path: Path,
    corpora: Mapping[str, Path],
    about: About,
    *,
    n_examples: int = EXAMPLES,
    with_speed: bool = True,
) -> Facts:
    """Read a pipeline and the corpora of its training.

    path (Path): The folder of the pipeline.
    corpora (Mapping[str, Path]): The .spacy files, or folders of them, by split:
        "train", "dev", "test". The pipeline is evaluated on "test".
    about (About): What no file tells.
    n_examples (int): How many texts of each label are shown.
    with_speed (bool): Whether the speed on the last corpus is measured.
    RETURNS (Facts): The facts.
    RAISES (UserError): If the folder has no pipeline, or a corpus cannot be read.
    """
    pipeline = read_pipeline(path)
    tasks = pipeline.tasks()
    performance = pipeline.meta.get("performance", {})
    facts = Facts(pipeline, about, n_examples=n_examples)
    facts.tables = score_tables("dev", performance, tasks)
    if not corpora:
        return facts
    nlp = _load(path)
    limits = read_limits(path / "config.cfg").spans
    for name, corpus in corpora.items():
        split = SplitCounts(name, tasks, limits)
        split.add(_examples(nlp, corpus))
        facts.splits.append(split)
    if "test" in corpora:
        scores = nlp.evaluate(_examples(nlp, corpora["test"]))
        facts.tables += score_tables("test", scores, tasks)
    if with_speed:
        last = _examples(nlp, list(corpora.values())[-1])
        facts.speed = measure_speed(nlp, (example.text for example in last))
    return facts


def _load(path: Path) -> Language:
    try:
        return util.load_model_from_path(path)
    except (ValueError, KeyError, OSError, ImportError) as err:
        what = " ".join(str(err).split())[:300]
        raise UserError(f"{path} cannot be loaded: {what}") from err


def _examples(nlp: Language, path: Path) -> Iterator[Example]:
    docs = (doc for file in find_files(path) for doc in read_docs(file, nlp.vocab))
    return Corpus(path).make_examples(nlp, docs)


def render(facts: Facts) -> str:
    """Make the card.

    facts (Facts): What it tells.
    RETURNS (str): Markdown with the metadata of a model card of the hub in front.
    """
    from huggingface_hub import ModelCard

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(cell=escape, code=as_code)
    pipeline, tasks = facts.pipeline, facts.pipeline.tasks()
    text = environment.get_template(TEMPLATE).render(
        mark=MARK,
        name=_name(facts),
        metadata=_metadata(facts).to_yaml(),
        facts=facts,
        about=facts.about,
        meta=pipeline.meta,
        version=facts.about.version or pipeline.meta["version"],
        license=_license(facts),
        language=_language(facts),
        tasks=tasks,
        requirements=pipeline.requirements(),
        settings=training_settings(pipeline),
        config=config_excerpt(pipeline),
        machine=describe_machine() if facts.speed else {},
        versions=describe_versions(),
        limitations=limitations(tasks, facts.splits, facts.tables),
    )
    return ModelCard(text).content


def escape(text: Any) -> str:
    """Write a text so that Markdown shows it in a cell of a table as it is.

    text (Any): The text.
    RETURNS (str): The text with what Markdown and HTML would take for theirs escaped.
    """
    line = " ".join(str(text).split())
    return re.sub(r"([\\`*_|\[\]<>&~#])", r"\\\1", line)


def as_code(text: Any) -> str:
    """Write a text as code in a cell of a table.

    text (Any): The text.
    RETURNS (str): The text between backticks.
    """
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

    text (str): The card.
    path (Path): The file.
    force (bool): Whether a file that is no card of this package is replaced.
    RAISES (UserError): If there is such a file, or it cannot be written.
    """
    if path.is_file() and not force and MARK not in path.read_text(errors="replace"):
        raise UserError(
            f"{path} exists and was not written by this command; add --force to "
            "replace it, or choose another file with --output"
        )
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
