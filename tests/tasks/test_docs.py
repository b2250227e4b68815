"""What docs/tasks.md says about descriptions."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from bertpipe.configs import Params, Settings
from bertpipe.tasks import Tasks

DOCS = Path(__file__).parents[2] / "docs" / "tasks.md"
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


class Section(Settings):
    tasks: Tasks


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n")[1].strip().split(":")[0])
def test_every_description_in_the_docs_is_valid(block: str) -> None:
    """Each can be copied into ``params.yaml`` as it stands."""
    values = YAML(typ="safe", pure=True).load(block)
    assert Params(values).read(Section).tasks.keys() == values["tasks"].keys()
