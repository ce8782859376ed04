"""Trainable named-entity components for spaCy."""

from importlib import import_module

# As in typing, which spaCy has not imported yet.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from .pipes.annotations import get_score
    from .tools.audit.audit import audit
    from .tools.calibrate.calibrate import calibrate
    from .tools.convert.convert import convert
    from .tools.evaluate.evaluate import evaluate
    from .tools.explain.explain import explain
    from .tools.predict.predict import predict
    from .tools.predict.suggest import suggest
    from .tools.train.api import train
    from .util.errors import UserError

__version__ = "0.1.0"
__all__ = [
    "UserError",
    "__version__",
    "audit",
    "calibrate",
    "convert",
    "evaluate",
    "explain",
    "get_score",
    "predict",
    "suggest",
    "train",
]
# Imported when asked for: the package itself imports neither torch nor spaCy.
_PUBLIC = {
    "UserError": ("util.errors", "UserError"),
    "audit": ("tools.audit.audit", "audit"),
    "calibrate": ("tools.calibrate.calibrate", "calibrate"),
    "convert": ("tools.convert.convert", "convert"),
    "evaluate": ("tools.evaluate.evaluate", "evaluate"),
    "explain": ("tools.explain.explain", "explain"),
    "get_score": ("pipes.annotations", "get_score"),
    "predict": ("tools.predict.predict", "predict"),
    "suggest": ("tools.predict.suggest", "suggest"),
    "train": ("tools.train.api", "train"),
}


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, function = _PUBLIC[name]
    return getattr(import_module(f".{module}", __name__), function)
