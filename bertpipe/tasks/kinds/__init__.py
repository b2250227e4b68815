"""What can be asked of a text: one module a kind, each with its description and its task."""

from typing import Annotated, Any

from pydantic import Field

from bertpipe.tasks.kinds.classification import Classification, ClassificationDescription
from bertpipe.tasks.kinds.question_answering import QuestionAnswering
from bertpipe.tasks.kinds.regression import Regression, RegressionDescription
from bertpipe.tasks.qa.reading import QuestionAnsweringDescription
from bertpipe.tasks.task import Task

TaskDescription = Annotated[
    ClassificationDescription | QuestionAnsweringDescription | RegressionDescription,
    Field(discriminator="kind"),
]

KINDS: dict[str, type[Task[Any, Any, Any]]] = {
    "classification": Classification,
    "question_answering": QuestionAnswering,
    "regression": Regression,
}

__all__ = [
    "KINDS",
    "Classification",
    "ClassificationDescription",
    "QuestionAnswering",
    "QuestionAnsweringDescription",
    "Regression",
    "RegressionDescription",
    "TaskDescription",
]
