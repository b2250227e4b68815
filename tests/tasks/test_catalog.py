"""Which tasks are known, and by what description."""

from typing import Any

import pytest

from bertpipe.configs import Params, Settings
from bertpipe.errors import ConfigError
from bertpipe.tasks import Tasks, describe
from bertpipe.tasks.catalog import CATALOG
from bertpipe.tasks.kinds import ClassificationDescription, RegressionDescription


class OnlyTasks(Settings):
    tasks: Tasks


def sections(entries: dict[Any, Any]) -> Tasks:
    """Read a section ``tasks``."""
    return Params({"tasks": entries}).read(OnlyTasks).tasks


def test_known_tasks_need_no_description() -> None:
    """The sample tasks are in the catalog."""
    assert describe("film-reviews", {}) == ClassificationDescription(kind="classification")
    assert describe("product-reviews", {}).kind == "regression"


def test_a_users_description_wins() -> None:
    """Also over the catalog's, whose name the user's data may have."""
    own = ClassificationDescription(kind="classification", texts=("title",), target="stars")
    assert describe("product-reviews", {"product-reviews": own}) == own


def test_an_unknown_task_is_told_with_the_known_ones() -> None:
    """Those of the user among them, with the way to describe one."""
    own = {"mine": RegressionDescription(kind="regression")}
    with pytest.raises(
        ConfigError, match=r"unknown task 'mino', known are .*film-reviews, .*mine, .*product"
    ) as caught:
        describe("mino", own)
    hint = caught.value.hint
    assert hint is not None and hint.startswith("did you mean mine?") and "tasks.<name>" in hint
    with pytest.raises(ConfigError) as caught:
        describe("quite another", own)
    assert caught.value.hint is not None and "did you mean" not in caught.value.hint


@pytest.mark.parametrize("name", ["/elsewhere/dev.tsv", "../dev.tsv", "labeled/../../dev.tsv"])
def test_files_lie_in_the_folder_of_the_task(name: str) -> None:
    """Its hash is that of the data: what lies outside could change unseen."""
    with pytest.raises(
        ConfigError, match=r"tasks\.cola\.files = .*: .*dev\.tsv lies outside the task's folder"
    ):
        sections({"cola": {"files": {"dev": name}}})
    assert sections({"cola": {"files": {"dev": "labeled/dev.tsv"}}})


def test_three_texts_are_too_many() -> None:
    """BERT has two segments."""
    with pytest.raises(ValueError, match="texts"):
        ClassificationDescription(kind="classification", texts=("a", "b", "c"))


@pytest.mark.parametrize("name", CATALOG)
def test_a_known_task_needs_no_more_than_its_name(name: str) -> None:
    """An empty entry of the section is the catalog's, whole."""
    assert sections({name: {}})[name] == CATALOG[name]


def test_what_is_said_of_a_known_task_goes_on_top() -> None:
    """The rest stays as it is known; an official folder's name is known too."""
    said = sections({"CoLA": {"files": {"dev": "d.tsv"}, "metrics": ["accuracy"]}})["CoLA"]
    own = {"files": {"dev": "d.tsv"}, "metrics": ("accuracy",)}
    assert said == CATALOG["cola"].model_copy(update=own) != CATALOG["cola"]
    assert describe("MNLI", {}) == CATALOG["mnli"]


def test_the_case_of_a_known_name_does_not_matter() -> None:
    """What is said of CoLA is said of cola; names of one's own stay as they are."""
    own = sections({"CoLA": {"metrics": ["accuracy"]}, "Mine": {"kind": "regression"}})
    for name in ("CoLA", "cola", "COLA"):
        assert describe(name, own) == own["CoLA"] != CATALOG["cola"]
    with pytest.raises(ConfigError, match="unknown task 'mine'"):
        describe("mine", own)


def test_a_task_may_be_called_by_a_number() -> None:
    """YAML does not read it as text; one that is not known must say its kind as any other."""
    own = sections({2024: {"kind": "regression"}})
    assert describe("2024", own).kind == "regression"
    with pytest.raises(ConfigError, match=r"tasks\.2024\.kind is not set"):
        sections({2024: {}})


def test_files_of_a_known_task_are_said_split_by_split() -> None:
    """Another file to train on leaves dev and test where they are known to be."""
    said = sections({"klue-ner": {"files": {"train": "head.tsv"}}})["klue-ner"]
    assert said.files == {**CATALOG["klue-ner"].files, "train": "head.tsv"}
    assert len(said.files) > 1


def test_an_entry_with_a_kind_stands_alone() -> None:
    """It is not completed, whatever its name."""
    alone = sections({"cola": {"kind": "regression", "target": "x"}})["cola"]
    assert alone == RegressionDescription(kind="regression", target="x")


def test_an_unknown_task_must_say_its_kind() -> None:
    """There is nothing to complete it from."""
    with pytest.raises(ConfigError, match=r"tasks\.mine\.kind is not set, known are classification, "):
        sections({"mine": {}})
