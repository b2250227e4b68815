"""Sets of endings to choose from."""

from collections.abc import Mapping

from bertpipe.tasks.kinds import MultipleChoiceDescription, TaskDescription

_CODAH = ("category", "prompt", "ending0", "ending1", "ending2", "ending3", "answer")

CHOICES: Mapping[str, TaskDescription] = {
    # Chen et al. 2019: a fold of the official cross-validation, without a header.
    "codah": MultipleChoiceDescription(
        kind="multiple_choice",
        header=dict.fromkeys(("train", "dev", "test"), _CODAH),
        context=("prompt",),
        target="answer",
    ),
    # Zellers et al. 2018; the test set has no labels.
    "swag": MultipleChoiceDescription(
        kind="multiple_choice", files={"dev": "val.csv"}, context=("sent1",), beginning="sent2"
    ),
}
