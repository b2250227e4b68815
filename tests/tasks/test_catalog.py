"""Which tasks are known, and by what description."""

import pytest

from bertpipe.errors import ConfigError
from bertpipe.tasks import describe
from bertpipe.tasks.kinds import ClassificationDescription, RegressionDescription


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


def test_three_texts_are_too_many() -> None:
    """BERT has two segments."""
    with pytest.raises(ValueError, match="texts"):
        ClassificationDescription(kind="classification", texts=("a", "b", "c"))
