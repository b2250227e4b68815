"""What can be asked of a text: one module a kind, each with its description and its task."""

from typing import Annotated, Any

from pydantic import Field

from bertpipe.tasks.kinds.classification import Classification, ClassificationDescription
from bertpipe.tasks.kinds.multi_label import MultiLabel, MultiLabelDescription
from bertpipe.tasks.kinds.multiple_choice import MultipleChoice, MultipleChoiceDescription
from bertpipe.tasks.kinds.regression import Regression, RegressionDescription
from bertpipe.tasks.task import Task

TaskDescription = Annotated[
    ClassificationDescription | MultiLabelDescription | MultipleChoiceDescription | RegressionDescription,
    Field(discriminator="kind"),
]

KINDS: dict[str, type[Task[Any, Any, Any]]] = {
    "classification": Classification,
    "multi_label": MultiLabel,
    "multiple_choice": MultipleChoice,
    "regression": Regression,
}

__all__ = [
    "KINDS",
    "Classification",
    "ClassificationDescription",
    "MultiLabel",
    "MultiLabelDescription",
    "MultipleChoice",
    "MultipleChoiceDescription",
    "Regression",
    "RegressionDescription",
    "TaskDescription",
]
