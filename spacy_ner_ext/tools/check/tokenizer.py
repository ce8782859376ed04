"""Load the tokenizer of a pretrained encoder."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...util.errors import UserError
from .config import PieceLimit

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
# What tokenizers without a limit have as one is larger.
UNLIMITED = 10**6


@dataclass(frozen=True)
class PieceTokenizer:
    """A tokenizer of an encoder.

    name: Its name or folder.
    tokenizer: The tokenizer.
    limits: How many pieces a model reads.
    """

    name: str
    tokenizer: "Tokenizer"
    limits: tuple[PieceLimit, ...]

    @property
    def specials(self) -> int:
        """The special pieces around a text."""
        return int(self.tokenizer.num_special_tokens_to_add(False))

    def count(self, texts: Sequence[str | list[str]]) -> list[int]:
        """Count pieces, without special ones.

        texts: Texts, all as one string or all as words.
        """
        are_words = bool(texts) and isinstance(texts[0], list)
        cut = self.tokenizer.encode_batch(
            list(texts), is_pretokenized=are_words, add_special_tokens=False
        )
        return [len(pieces) for pieces in cut]


def load_tokenizer(name: str, limits: Sequence[PieceLimit] = ()) -> PieceTokenizer:
    """Load the tokenizer of an encoder.

    name: A folder with a tokenizer.json, such a file, or a name on the hub.
    limits: How many pieces the models of a config read; if there are none, the limit of
        the tokenizer itself is taken.
    RAISES (UserError): If there is none.
    """
    path = Path(name)
    if path.exists():
        file = path / TOKENIZER if path.is_dir() else path
        tokenizer, own = _from_file(file), _own_limit(file.parent / TOKENIZER_CONFIG)
    else:
        tokenizer, own = _from_hub(name)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    _begin_with_space(tokenizer)
    if not limits and own and own <= UNLIMITED:
        limits = [PieceLimit("model_max_length of the tokenizer", own)]
    return PieceTokenizer(name, tokenizer, tuple(limits))


def _from_file(file: Path) -> "Tokenizer":
    from tokenizers import Tokenizer

    if not file.is_file():
        what = f"holds no {TOKENIZER}; save the tokenizer with save_pretrained()"
        raise UserError(what, file.parent)
    try:
        return Tokenizer.from_file(str(file))
    # It raises nothing more special.
    except Exception as err:
        raise UserError(f"is not a tokenizer of Hugging Face ({err})", file) from err


def _own_limit(file: Path) -> int | None:
    try:
        limit = json.loads(file.read_text(encoding="utf-8")).get("model_max_length")
    except FileNotFoundError:
        return None
    except OSError as err:
        raise UserError(f"cannot be read ({err.strerror})", file) from err
    except (ValueError, AttributeError, RecursionError) as err:
        raise UserError("is not a JSON object; save the tokenizer anew", file) from err
    # That of a tokenizer without limit may be written as a float.
    return int(limit) if isinstance(limit, int | float) and limit < 1e300 else None


def _from_hub(name: str) -> tuple["Tokenizer", int | None]:
    from transformers import AutoTokenizer

    try:
        loaded = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    except (OSError, ValueError, ImportError) as err:
        reason = str(err).splitlines()[0]
        what = f"no tokenizer '{name}': neither a folder nor on the hub ({reason})"
        raise UserError(what) from err
    if not loaded.is_fast:
        what = f"the tokenizer '{name}' is slow; choose one with a {TOKENIZER}"
        raise UserError(what)
    return loaded.backend_tokenizer, int(loaded.model_max_length)


def _begin_with_space(tokenizer: "Tokenizer") -> None:
    """Let each word start as behind a space, as the encoders of this package do."""
    from tokenizers.pre_tokenizers import ByteLevel

    if isinstance(tokenizer.pre_tokenizer, ByteLevel):
        tokenizer.pre_tokenizer.add_prefix_space = True
