"""The diff for a config that `spacy init config --gpu` writes with
spacy-transformers."""

from spacy.cli.init_config import fill_config

from tests.test_docs_migrating import migrated


def test_the_diff_over_a_transformer_can_be_filled(tmp_path):
    path = migrated(1, tmp_path, gpu=True)
    _, filled = fill_config(tmp_path / "filled.cfg", path, silent=True)
    assert set(filled["components"]) == {"tok2vec", "crf_ner"}
    assert filled["components"]["tok2vec"]["model"]["pooling"] == "mean"
    assert "spacy-transformers" not in filled.to_str()
