"""The public surface of the package as lines of text.

    python -m tests.helpers.public_surface > tests/public_surface.txt

writes them again after an intended change.
"""

import inspect
import json
import tempfile
import warnings
from importlib import import_module
from importlib.metadata import distribution
from pathlib import Path

from spacy.language import Language
from spacy.tokens import DocBin
from typer.main import get_command

import spacy_ner_ext
from spacy_ner_ext.tools.app import app
from tests.helpers.pipelines import CORPUS, annotate, fitted

GROUPS = ("spacy_", "thinc_")


def functions():
    """The functions of the package and their arguments."""
    for name in sorted(spacy_ner_ext.__all__):
        value = getattr(spacy_ner_ext, name)
        if inspect.isfunction(value):
            yield f"spacy_ner_ext.{name}"
            yield from _arguments(value)
        else:
            yield f"spacy_ner_ext.{name}"


def registered():
    """Every registered name with its settings and their defaults."""
    points = distribution("spacy-ner-ext").entry_points
    for point in sorted(points, key=lambda point: (point.group, point.name)):
        if point.group.startswith(GROUPS):
            function = getattr(import_module(point.module), point.attr)
            yield f"{point.group.partition('_')[2]}: {point.name}"
            if point.group == "spacy_factories":
                config = Language.get_factory_meta(point.name).default_config
                for key, value in sorted(_flatten(config)):
                    yield f"    {key} = {value}"
            else:
                yield from _arguments(function)


def commands():
    """Every command with its arguments, options and their defaults."""
    for name, command in sorted(get_command(app).commands.items()):
        yield f"python -m spacy_ner_ext {name}"
        for parameter in command.params:
            names = " ".join([*parameter.opts, *parameter.secondary_opts])
            is_option = parameter.param_type_name == "option"
            shown = names if is_option else (parameter.metavar or parameter.name)
            if not getattr(parameter, "hidden", False):
                default = "" if parameter.required else f" = {parameter.default!r}"
                yield f"    {shown}{default}"


def metrics():
    """The keys of metrics.json, for entities, categories and a comparison."""
    nlp = fitted("flat_biluo")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gold.spacy"
        docs = []
        for text, spans in CORPUS:
            docs.append(annotate(nlp.make_doc(text), spans))
            docs[-1].cats = {"A": 1.0, "B": 0.0}
        DocBin(docs=docs).to_disk(path)
        nlp.add_pipe("textcat").initialize(lambda: _examples(docs), nlp=nlp)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = spacy_ner_ext.evaluate(
                nlp, path, train=path, baseline=nlp, resamples=20
            )
    labels = {"A", "B", *nlp.get_pipe("crf_ner").labels}
    yield "metrics.json"
    yield from _tree(_shape(result.to_dict(), labels), "    ")


def _examples(docs):
    from spacy.training import Example

    return [Example(doc.copy(), doc) for doc in docs]


def _arguments(function):
    for name, parameter in inspect.signature(function).parameters.items():
        is_needed = parameter.default is inspect.Parameter.empty
        star = {"VAR_KEYWORD": "**", "VAR_POSITIONAL": "*"}.get(parameter.kind.name, "")
        yield f"    {star}{name}" + ("" if is_needed else f" = {parameter.default!r}")


def _flatten(config, prefix=""):
    for key, value in config.items():
        if isinstance(value, dict) and value:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", json.dumps(value)


def _shape(value, labels):
    """The keys of a result: labels and "(all)" are "*", a list has the keys of all."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return _merged(_shape(item, labels) for item in value)
    if not isinstance(value, dict):
        return {}
    # Of a library that Python 3.10 does not have.
    value = {key: inner for key, inner in value.items() if key != "nervaluate"}
    star = [v for k, v in value.items() if k in labels or k.startswith("(")]
    rest = {k: v for k, v in value.items() if k not in labels and k[:1] != "("}
    shape = {key: _shape(inner, labels) for key, inner in rest.items()}
    return {**shape, "*": _merged(_shape(v, labels) for v in star)} if star else shape


def _merged(shapes):
    found = {}
    for shape in shapes:
        for key, inner in shape.items():
            found[key] = _merged([found.get(key, {}), inner])
    return found


def _tree(shape, indent):
    """One line for keys with nothing below, and one for keys with the same below."""
    alike = {}
    for key, inner in sorted(shape.items()):
        alike.setdefault(json.dumps(inner, sort_keys=True), []).append(key)
    for inner, keys in alike.items():
        yield indent + " | ".join(keys)
        yield from _tree(json.loads(inner), indent + "    ")


def lines():
    for part in (functions, registered, commands, metrics):
        yield from part()
        yield ""


if __name__ == "__main__":
    print("\n".join(lines()))
