"""Packages that only some settings need: the extras of ``pyproject.toml``."""

from importlib import import_module
from typing import Any

from bertpipe.errors import ConfigError


def load(package: str, *, extra: str, needed_by: str) -> Any:
    """Return a package that may not be installed.

    Args:
        package: its name.
        extra: the extra that it comes with.
        needed_by: the setting, or what else it is for.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise ConfigError(
            f"{needed_by} needs the package {package}, which is not installed",
            hint=f"pip install 'bertpipe[{extra}]'",
        ) from None
