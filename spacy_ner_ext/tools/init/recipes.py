"""The recipes, and the components that each can train."""

from dataclasses import dataclass

from ...util.errors import UserError

CRF_NER = "crf_ner"
CRF_TAGGER = "crf_tagger"
SPAN_MARKER = "span_marker_ner"
COMPONENTS = (CRF_NER, SPAN_MARKER, CRF_TAGGER)
# The components of each pattern, the default first.
PATTERNS = {
    "eds": (CRF_NER, CRF_TAGGER),
    "flair": (CRF_NER, CRF_TAGGER),
    "spanmarker": (SPAN_MARKER,),
    "multinerd": (CRF_NER, SPAN_MARKER),
}
# The default pattern of each component.
DEFAULTS = {CRF_NER: "eds", SPAN_MARKER: "spanmarker", CRF_TAGGER: "flair"}
# The pattern whose default is to train without a pretrained encoder.
WITHOUT_ENCODER = "flair"
ENGLISH_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
MULTILINGUAL_ENCODER = "FacebookAI/xlm-roberta-base"
TRAIN = "corpus/train.spacy"
DEV = "corpus/dev.spacy"


@dataclass(frozen=True)
class Recipe:
    """The choices that a config is written for; `encoder` is None for none."""

    component: str
    pattern: str
    encoder: str | None
    lang: str = "en"
    train: str = TRAIN
    dev: str = DEV


def choose(
    component: str | None = None,
    pattern: str | None = None,
    encoder: str | None = None,
    lang: str = "en",
    train: str = TRAIN,
    dev: str = DEV,
) -> Recipe:
    """Choose defaults for what is None, and check that component and pattern fit."""
    for option, name, known in (
        ("--component", component, COMPONENTS),
        ("--pattern", pattern, PATTERNS),
    ):
        if name is not None and name not in known:
            raise UserError(f"{option} {name} is not one of {', '.join(known)}")
    if component is None:
        component = PATTERNS[pattern][0] if pattern else CRF_NER
    pattern = pattern or DEFAULTS[component]
    if component not in PATTERNS[pattern]:
        fitting = " or ".join(name for name in PATTERNS if component in PATTERNS[name])
        trained = " and ".join(PATTERNS[pattern])
        raise UserError(
            f"--pattern {pattern} trains {trained}, not {component}: "
            f"choose --pattern {fitting}"
        )
    if encoder is None and pattern != WITHOUT_ENCODER:
        encoder = ENGLISH_ENCODER if lang == "en" else MULTILINGUAL_ENCODER
    return Recipe(component, pattern, encoder, lang, train, dev)
