"""Write a saved pipeline for each encoder, and its vectors, with the installed version
of transformers.

`test_golden_encoders.py` loads them with other versions. To write those of both majors
again, with the package installed in two environments:

    pip install "transformers>=4.48,<5"; python -m tests.golden.make_encoders
    pip install "transformers>=5,<6"; python -m tests.golden.make_encoders

KIND-MAJOR.zip is the folder that `nlp.to_disk` wrote; KIND-MAJOR.json has the words of
some documents with every fifth value of their vectors, and the version.
"""

import contextlib
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import spacy
import transformers
from spacy.tokens import Doc

from tests.helpers.encoders import KINDS, SENTENCES, make_encoder

FOLDER = Path(__file__).parent / "encoders"
SIZES = {
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "max_position_embeddings": 32,
}
OTHER_SIZES = {
    "bart": {
        "d_model": 8,
        **{f"{part}_layers": 2 for part in ("encoder", "decoder")},
        **{f"{part}_attention_heads": 2 for part in ("encoder", "decoder")},
        **{f"{part}_ffn_dim": 8 for part in ("encoder", "decoder")},
        "max_position_embeddings": 32,
    },
    "t5": {"d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 2, "num_heads": 2},
    "distilbert": {"dim": 8, "n_layers": 2, "n_heads": 2, "hidden_dim": 8},
    # Bases of rotary positions that are not the defaults.
    "modernbert": {**SIZES, "global_rope_theta": 500.0, "local_rope_theta": 300.0},
}
DOCS = [SENTENCES[0].split(), SENTENCES[3].split(), ["Zoë", "\u200b", "\U0001f6a2"]]


def save(kind, folder):
    """A pipeline over a tiny encoder, with windows shorter than the documents."""
    model = {
        "@architectures": "spacy_ner_ext.Transformer.v1",
        "name": "encoder",
        "window": 12,
        "stride": 8,
        "layers": [1, -1],
    }
    nlp = spacy.blank("xx", meta={"spacy_version": ">=3.8.7,<3.9"})
    nlp.add_pipe("tok2vec", config={"model": model})
    # The name of the encoder is part of what is saved.
    make_encoder(Path("encoder"), kind, **OTHER_SIZES.get(kind, SIZES))
    nlp.initialize()
    nlp.to_disk(folder)
    return nlp


def vectors(nlp, words):
    doc = Doc(nlp.vocab, words=words)
    return nlp.get_pipe("tok2vec").predict([doc])[0].ravel()[::5].tolist()


def write(kind):
    name = f"{kind}-{transformers.__version__.split('.')[0]}"
    nlp = save(kind, Path("saved"))
    with ZipFile(FOLDER / f"{name}.zip", "w") as file:
        for path in sorted(Path("saved").rglob("*")):
            if path.is_file():
                # Without the time, and without the rights of this machine.
                info = ZipInfo(path.relative_to("saved").as_posix())
                file.writestr(info, path.read_bytes(), ZIP_DEFLATED, 9)
    docs = [{"words": w, "vectors": vectors(nlp, w)} for w in DOCS]
    rounded = json.loads(json.dumps(docs), parse_float=lambda x: round(float(x), 6))
    result = {"transformers": transformers.__version__, "docs": rounded}
    path = FOLDER / f"{name}.json"
    path.write_text(f"{json.dumps(result)}\n", encoding="utf-8")


def main():
    for kind in KINDS:
        with TemporaryDirectory() as folder, contextlib.chdir(folder):
            write(kind)
        print(kind)


if __name__ == "__main__":
    main()
