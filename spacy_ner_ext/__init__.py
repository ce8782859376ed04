"""Trainable named-entity components for spaCy."""

# As in typing, which spaCy has not imported yet.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from .evaluation.run import evaluate
    from .training.loop.api import train

__version__ = "0.1.0"
__all__ = ["__version__", "evaluate", "train"]


def __getattr__(name: str) -> object:
    # Training needs torch and spaCy, which importing the package alone does not.
    if name == "train":
        from .training.loop.api import train

        return train
    if name == "evaluate":
        from .evaluation.run import evaluate

        return evaluate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
