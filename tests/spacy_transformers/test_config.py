"""The config over spacy-transformers: complete, and trains for a few steps."""

import pytest

from tests.test_configs import SEPARATE, check_complete, check_training, corpus

pytestmark = [
    # spacy-transformers 1.4 calls torch.cuda.amp, which torch 2.4 renamed.
    pytest.mark.filterwarnings("ignore:.*torch.cuda.amp.*:FutureWarning"),
]
__all__ = ["corpus"]  # A fixture.


def test_is_complete(tmp_path):
    check_complete(SEPARATE, tmp_path)


def test_trains_saves_and_loads(corpus, tmp_path):
    check_training(SEPARATE, corpus, tmp_path)
