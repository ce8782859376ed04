"""Trainable named-entity components for spaCy."""

# As in typing, which spaCy has not imported yet.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from .evaluation.run import evaluate
    from .influence.explain import explain, explain_all
    from .training.loop.api import train

__version__ = "0.1.0"
__all__ = ["__version__", "evaluate", "explain", "explain_all", "train"]


def __getattr__(name: str) -> object:
    # These need torch and spaCy, which importing the package alone does not.
    if name == "train":
        from .training.loop.api import train

        return train
    if name in ("explain", "explain_all"):
        from .influence import explain as found

        return getattr(found, name)
    if name == "evaluate":
        from .evaluation.run import evaluate

        return evaluate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
