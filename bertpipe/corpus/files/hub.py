"""Data sets of the Hugging Face hub by name: the hub keeps each as Parquet files, which are read as such."""

import re

from bertpipe.corpus.files import remote
from bertpipe.errors import CorpusError

_NAME = re.compile(
    r"hub://(?P<name>[\w.-]+(?:/[\w.-]+)?)(?:/(?P<config>[\w.-]+))?(?::(?P<split>[\w.-]+))?", re.ASCII
)
_DEFAULT_SPLIT = "train"


def is_hub(argument: str) -> bool:
    """Whether a corpus argument names a data set of the hub."""
    return argument.startswith("hub://")


def files_of(argument: str) -> list[tuple[str, str]]:
    """Return URL and name of each Parquet file of a data set.

    Args:
        argument: ``hub://OWNER/NAME[/CONFIG][:SPLIT]``; the configuration may be left out where
            there is only one, the split where ``train`` is meant.

    Raises:
        CorpusError: there is no such data set, configuration or split.
        ResourceError: the hub cannot be reached.
    """
    match = _NAME.fullmatch(argument)
    if match is None:
        raise CorpusError(f"{argument}: no name of a data set", hint="hub://OWNER/NAME[/CONFIG][:SPLIT]")
    converted = remote.files_of(f"hf://datasets/{match['name']}@~parquet")
    files = [(url, name.split("/")) for url, name in converted if name.endswith(".parquet")]
    config = _chosen(argument, "configuration", match["config"], {parts[0] for _, parts in files})
    files = [(url, parts) for url, parts in files if parts[0] == config]
    split = _chosen(
        argument, "split", match["split"] or _DEFAULT_SPLIT, {parts[1] for _, parts in files if parts[2:]}
    )
    return [(url, "/".join(parts)) for url, parts in files if parts[1] == split]


def _chosen(argument: str, what: str, asked: str | None, there: set[str]) -> str:
    if asked is None and len(there) == 1:
        return next(iter(there))
    if asked is None or asked not in there:
        problem = f"several {what}s" if asked is None else f"no {what} {asked!r}, only"
        shown = ", ".join(sorted(there)[:20]) or "nothing"
        raise CorpusError(f"{argument}: {problem}: {shown}", hint="hub://OWNER/NAME[/CONFIG][:SPLIT]")
    return asked
