"""The systems that benchmarks/encoder.py compares, all over the same encoder."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import spacy
import torch
from spacy import registry, util
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from thinc.api import Config

ROOT = Path(__file__).parent.parent
TRANSFORMER = {"@architectures": "spacy_ner_ext.Transformer.v1"}
AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
Sentences = list[list[str]]


def read(path: Path, limit: int | None = None) -> list[Doc]:
    docs = DocBin().from_disk(path).get_docs(spacy.blank("en").vocab)
    return list(docs)[:limit]


def words_of(docs: list[Doc]) -> Sentences:
    return [[token.text for token in doc] for doc in docs]


def long_documents(sentences: Sentences, n_docs: int, n_words: int) -> Sentences:
    """Documents of the words of the sentences, from the start again when they end."""
    words = [word for sentence in sentences for word in sentence]
    needed = n_docs * n_words
    words = (words * (needed // len(words) + 1))[:needed]
    return [words[first : first + n_words] for first in range(0, needed, n_words)]


class Bare:
    """`transformers` alone: batches of 16 sentences of similar length."""

    def __init__(self, encoder: str, precision: str = "fp32", size: int = 16) -> None:
        from transformers import AutoModel, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(encoder)
        self.model = AutoModel.from_pretrained(encoder).eval()
        if torch.cuda.is_available():
            self.model.cuda()
        self.precision, self.size = precision, size

    def prepare(self, sentences: Sentences) -> Sentences:
        return sentences

    def run(self, sentences: Sentences) -> None:
        device = self.model.device.type
        dtype, enabled = AUTOCAST.get(self.precision), self.precision in AUTOCAST
        with torch.inference_mode(), torch.autocast(device, dtype, enabled=enabled):
            ids = self.tokenizer(
                sentences, is_split_into_words=True, truncation=True, max_length=512
            )["input_ids"]
            order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
            for first in range(0, len(order), self.size):
                rows = [ids[i] for i in order[first : first + self.size]]
                width = max(map(len, rows))
                padded = [row + [0] * (width - len(row)) for row in rows]
                mask = [[1] * len(r) + [0] * (width - len(r)) for r in rows]
                self.model(
                    input_ids=torch.tensor(padded).to(device),
                    attention_mask=torch.tensor(mask).to(device),
                )


class Pipeline:
    """A spaCy pipeline over sentences, one document each."""

    def __init__(self, nlp: Language) -> None:
        self.nlp = nlp

    def prepare(self, sentences: Sentences) -> list[Doc]:
        return [Doc(self.nlp.vocab, words=words) for words in sentences]

    def run(self, docs: list[Doc]) -> None:
        for _ in self.nlp.pipe(docs):
            pass


def our_encoder(encoder: str, **settings: Any) -> Pipeline:
    nlp = spacy.blank("en")
    nlp.batch_size = 256
    model = {**TRANSFORMER, "name": encoder, **settings}
    nlp.add_pipe("tok2vec", config={"model": model})
    nlp.initialize()
    return Pipeline(nlp)


def spacy_transformers_encoder(encoder: str) -> Pipeline:
    config = util.load_config(ROOT / "configs/crf_spacy_transformers.cfg")
    settings = copy.deepcopy(dict(config["components"]["transformer"]))
    settings["model"]["name"] = encoder
    nlp = spacy.blank("en")
    nlp.batch_size = config["nlp"]["batch_size"]
    nlp.add_pipe(settings.pop("factory"), config=settings)
    nlp.initialize()
    return Pipeline(nlp)


class Trainee(Pipeline):
    """The pipeline of a shipped config, with its own optimizer."""

    def __init__(
        self, name: str, encoder: str, train: list[Doc], overrides: dict[str, Any]
    ) -> None:
        config = util.load_config(
            ROOT / "configs" / name,
            {"paths.encoder": encoder, **overrides},
            interpolate=True,
        )
        super().__init__(util.load_model_from_config(config, auto_fill=True))
        self.train = train
        self.nlp.initialize(lambda: [self.example(doc) for doc in train])
        training: Config = registry.resolve(
            {k: config["training"][k] for k in ("optimizer", "before_update")}
        )
        self.optimizer = training["optimizer"]
        self.before_update: Callable | None = training["before_update"]
        self.dropout = config["training"]["dropout"]

    def example(self, doc: Doc) -> Example:
        spaces = [bool(token.whitespace_) for token in doc]
        words = [token.text for token in doc]
        return Example(Doc(self.nlp.vocab, words=words, spaces=spaces), doc)

    def step(self, indices: list[int]) -> None:
        """One step of `spacy train`."""
        batch = [self.example(self.train[i]) for i in indices]
        if self.before_update is not None:
            self.before_update(self.nlp, {})
        self.nlp.update(batch, sgd=False, drop=self.dropout)
        for _, component in self.nlp.pipeline:
            component.finish_update(self.optimizer)
        self.optimizer.step_schedules()
