"""Import modules that an extra of this package installs."""

from importlib import import_module
from types import ModuleType

from .errors import UserError, one_line


def advice(extra: str) -> str:
    """The end of a sentence about what an extra installs."""
    return f'install it with: pip install "spacy-ner-ext[{extra}]"'


def require(module: str, extra: str) -> ModuleType:
    """Import an optional module, or say which extra installs it.

    module: Its full name, such as "captum.attr".
    extra: The extra in pyproject.toml.
    RETURNS: The module.
    RAISES (UserError): If it cannot be imported.
    """
    try:
        return import_module(module)
    except ImportError as err:
        raise UserError(
            f"{module} cannot be imported ({one_line(err)}); {advice(extra)}"
        ) from err
