"""Encoders saved under transformers 4 and 5 give the same vectors under the other.

`golden/make_encoders.py` wrote golden/encoders/*.zip, one saved pipeline each, with its
vectors in a .json file of the same name.
"""

import json
from zipfile import ZipFile

import numpy
import pytest
import spacy

from tests.golden.make_encoders import FOLDER, vectors
from tests.helpers.encoders import KINDS

# DeBERTa and ModernBERT of transformers 4, when they are imported with a recent torch.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")
NAMES = sorted(path.stem for path in FOLDER.glob("*.zip"))


def test_each_kind_was_saved_under_both_versions():
    assert sorted(f"{kind}-{major}" for kind in KINDS for major in (4, 5)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_encoder_gives_the_same_vectors(name, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with ZipFile(FOLDER / f"{name}.zip") as file:
        file.extractall(tmp_path)
    # No folder there has the name of an encoder.
    monkeypatch.chdir(tmp_path)
    nlp = spacy.load(tmp_path)
    expected = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert expected["transformers"].startswith(name[-1])
    for doc in expected["docs"]:
        found = vectors(nlp, doc["words"])
        numpy.testing.assert_allclose(found, doc["vectors"], rtol=0, atol=1e-5)
