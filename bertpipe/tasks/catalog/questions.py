"""Questions that a part of a text answers: SQuAD, and sets of its form."""

from collections.abc import Mapping

from bertpipe.tasks.kinds import QuestionAnsweringDescription, TaskDescription

# Artetxe et al. 2020 have part of SQuAD's dev split translated, to test on.
_XQUAD_LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh")

QUESTIONS: Mapping[str, TaskDescription] = {
    "korquad-v1.0": QuestionAnsweringDescription(
        kind="question_answering",
        files={"train": "KorQuAD_v1.0_train.json", "dev": "KorQuAD_v1.0_dev.json"},
        impossible=False,
        normalization="korquad",
    ),
    "squad-v1.1": QuestionAnsweringDescription(
        kind="question_answering",
        files={"train": "train-v1.1.json", "dev": "dev-v1.1.json"},
        impossible=False,
    ),
    "squad-v2.0": QuestionAnsweringDescription(
        kind="question_answering",
        files={"train": "train-v2.0.json", "dev": "dev-v2.0.json"},
        impossible=True,
    ),
    **{
        f"xquad-{language}": QuestionAnsweringDescription(
            kind="question_answering", files={"test": f"xquad.{language}.json"}, impossible=False
        )
        for language in _XQUAD_LANGUAGES
    },
}
