"""What can be asked of a text: one module a kind, each with its description and its task."""

from typing import Annotated, Any

from pydantic import Field

from bertpipe.tasks.kinds.classification import Classification, ClassificationDescription
from bertpipe.tasks.kinds.multi_label import MultiLabel, MultiLabelDescription
from bertpipe.tasks.kinds.multiple_choice import MultipleChoice, MultipleChoiceDescription
from bertpipe.tasks.kinds.question_answering import QuestionAnswering
from bertpipe.tasks.kinds.regression import Regression, RegressionDescription
from bertpipe.tasks.kinds.tagging import Tagging
from bertpipe.tasks.qa.reading import QuestionAnsweringDescription
from bertpipe.tasks.tagged import TaggingDescription
from bertpipe.tasks.task import Task

TaskDescription = Annotated[
    ClassificationDescription
    | MultiLabelDescription
    | MultipleChoiceDescription
    | QuestionAnsweringDescription
    | RegressionDescription
    | TaggingDescription,
    Field(discriminator="kind"),
]

KINDS: dict[str, type[Task[Any, Any, Any]]] = {
    "classification": Classification,
    "multi_label": MultiLabel,
    "multiple_choice": MultipleChoice,
    "question_answering": QuestionAnswering,
    "regression": Regression,
    "tagging": Tagging,
}

__all__ = [
    "KINDS",
    "Classification",
    "ClassificationDescription",
    "MultiLabel",
    "MultiLabelDescription",
    "MultipleChoice",
    "MultipleChoiceDescription",
    "QuestionAnswering",
    "QuestionAnsweringDescription",
    "Regression",
    "RegressionDescription",
    "Tagging",
    "TaggingDescription",
    "TaskDescription",
]
