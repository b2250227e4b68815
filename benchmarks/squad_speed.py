"""Time to make SQuAD's features and its n best answers, against the algorithm of Hugging Face's ``run_qa``.

Protocol:

* Questions are those of ``squad-v2.0/dev-v2.0.json.gz`` (6,078; half have no answer); the tokenizer is that
  of any model folder. Sequences have 384 tokens, two windows share 128; 20 best answers of up to 30 tokens.
* The peer's steps are written out here with the public calls of ``transformers`` (development-only): its
  tokenizer on 1,000 pairs of question and text at a time, padded to 384 and with offsets, as by its default;
  then loops over questions, windows, starts and ends. What ``datasets`` adds on top (Arrow files)
  is not counted. Nothing is written by either side.
* Both run in this process in turn; a pair is one of ours and one of the peer's. Figures are medians of the
  times and of the ratio within a pair, by the clock and by the processor's time: the machine may be busy.
  Scores of starts and ends are drawn: noise alone, and noise with a peak, where more pairs are legal.
* The ids of all windows must be the same. So must the 20 best answers of all questions, once the peer is told
  in which window a token has its best context, as the original code does and ``run_qa`` does not.

    python benchmarks/squad_speed.py --model FOLDER [--pairs N] [--threads N]
"""

import argparse
import gc
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from timing import DATA

from bertpipe.tasks.kinds import QuestionAnswering, QuestionAnsweringDescription
from bertpipe.tasks.qa.questions import Question
from bertpipe.tasks.qa.windows import Windows
from bertpipe.vocab import Tokenizer

LENGTH, STRIDE, N_BEST, LONGEST = 384, 128, 20, 30
# run_qa cuts no question.
DESCRIPTION = QuestionAnsweringDescription(
    kind="question_answering",
    files={"dev": "dev-v2.0.json.gz"},
    doc_stride=STRIDE,
    max_query_length=LENGTH,
    n_best=N_BEST,
    max_answer_length=LONGEST,
)
WITHOUT_WIDTH = "\u200b\u200e"
T = TypeVar("T")


def peer_features(questions: list[Question], tokenizer: Any) -> list[dict[str, Any]]:
    """Return one feature a window: ids, its question, and offsets where there is text."""
    features = []
    for start in range(0, len(questions), 1000):
        some = questions[start : start + 1000]
        encoded = tokenizer(
            [question.question.lstrip() for question in some],
            [question.context for question in some],
            truncation="only_second",
            max_length=LENGTH,
            stride=STRIDE,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            padding="max_length",
        )
        for number, sample in enumerate(encoded["overflow_to_sample_mapping"]):
            parts = encoded.sequence_ids(number)
            offsets = encoded["offset_mapping"][number]
            features.append(
                {
                    "input_ids": encoded["input_ids"][number],
                    "example": start + sample,
                    "offsets": [
                        offset if part == 1 else None for offset, part in zip(offsets, parts, strict=True)
                    ],
                }
            )
    return features


def peer_answers(
    questions: list[Question],
    features: list[dict[str, Any]],
    starts: NDArray[np.float32],
    ends: NDArray[np.float32],
    *,
    may_start: Callable[[int, int], bool] | None = None,
) -> list[dict[str, Any]]:
    """Return the answer to each question, its score against no answer, and the n best with probabilities."""
    windows: list[list[int]] = [[] for _ in questions]
    for number, feature in enumerate(features):
        windows[feature["example"]].append(number)
    answers = []
    for question, numbers in zip(questions, windows, strict=True):
        found: list[dict[str, Any]] = []
        silent: dict[str, Any] | None = None
        for number in numbers:
            offsets = features[number]["offsets"]
            score = starts[number][0] + ends[number][0]
            if silent is None or silent["score"] > score:
                silent = {"offsets": (0, 0), "score": score}
            best_starts = np.argsort(starts[number])[-1 : -N_BEST - 1 : -1].tolist()
            best_ends = np.argsort(ends[number])[-1 : -N_BEST - 1 : -1].tolist()
            for start in best_starts:
                for end in best_ends:
                    if start >= len(offsets) or end >= len(offsets):
                        continue
                    if offsets[start] is None or offsets[end] is None:
                        continue
                    if end < start or end - start + 1 > LONGEST:
                        continue
                    if may_start is not None and not may_start(number, start):
                        continue
                    found.append(
                        {
                            "offsets": (offsets[start][0], offsets[end][1]),
                            "score": starts[number][start] + ends[number][end],
                            "start_logit": starts[number][start],
                            "end_logit": ends[number][end],
                        }
                    )
        assert silent is not None
        best = sorted([*found, silent], key=lambda one: one["score"], reverse=True)[:N_BEST]
        if not any(one["offsets"] == (0, 0) for one in best):
            best.append(silent)
        for one in best:
            first, last = one.pop("offsets")
            one["text"] = question.context[first:last]
        scores = np.array([one["score"] for one in best])
        weights = np.exp(scores - np.max(scores))
        for one, share in zip(best, weights / weights.sum(), strict=True):
            one["probability"] = float(share)
        spoken = next((one for one in best if one["text"]), silent | {"start_logit": 0.0, "end_logit": 0.0})
        difference = silent["score"] - spoken["start_logit"] - spoken["end_logit"]
        # As it writes them: NumPy's numbers become Python's.
        plain = [
            {name: float(value) if isinstance(value, np.floating) else value for name, value in one.items()}
            for one in best
        ]
        text = "" if difference > 0 else spoken.get("text", "")
        answers.append({"prediction": text, "score_diff": float(difference), "n_best": plain})
    return answers


def timed(work: Callable[[], T]) -> tuple[NDArray[np.float64], T]:
    """Return the seconds that something takes by the clock and by the processor, and its result."""
    before = np.array([time.perf_counter(), time.process_time()])
    result = work()
    return np.array([time.perf_counter(), time.process_time()]) - before, result


def compare(name: str, ours: Callable[[], Any], theirs: Callable[[], Any], pairs: int) -> tuple[Any, Any]:
    """Run both in turn, print the medians and return the last results."""
    mine, peer = np.zeros((2, pairs, 2))
    gc.collect()
    gc.freeze()  # what was made before is not looked through while either side works
    for pair in range(pairs):
        mine[pair], our_result = timed(ours)
        peer[pair], their_result = timed(theirs)
    for column, clock in enumerate(("wall", "CPU")):
        a, b = mine[:, column], peer[:, column]
        ratio = np.median(b / a)
        print(f"{name}: ours {np.median(a):.2f} s {clock}, peer {np.median(b):.2f} s, {ratio:.1f}x")
    return our_result, their_result


def padded(windows: Windows, outputs: list[NDArray[np.float32]], column: int) -> NDArray[np.float32]:
    """Return starts or ends as the peer's model gives them: a row of 384 a window, padding far below."""
    grid = np.full((windows.items, LENGTH), -1e4, dtype=np.float32)
    for row, scores in zip(grid, outputs, strict=True):
        row[: len(scores)] = scores[:, column]
    return grid


def drawn(windows: Windows, *, peak: float) -> list[NDArray[np.float32]]:
    """Return scores of starts and ends for each window: noise, and more around a place."""
    draws = np.random.default_rng(0)
    outputs = []
    for length in windows.lengths.tolist():
        distance = np.abs(np.arange(length) - draws.integers(length))[:, None]
        scores = draws.normal(size=(length, 2)) + peak * np.exp(-distance / 4)
        outputs.append(scores.astype(np.float32))
    return outputs


def is_central(windows: Windows, number: int, start: int) -> bool:
    """Tell whether a token of a window has its best context there."""
    token = start - windows.first_segment_lengths[number] + windows.firsts[number]
    return bool(windows.central_firsts[number] <= token < windows.central_lasts[number])


def agreeing(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> int:
    """Count the questions with the same texts in the same order, with the same probabilities."""
    return sum(
        _columns(mine)[0] == _columns(other)[0]
        and np.allclose(_columns(mine)[1], _columns(other)[1], rtol=0, atol=2e-6)
        for mine, other in zip(ours, theirs, strict=True)
    )


def _columns(prediction: dict[str, Any]) -> tuple[list[str], list[float]]:
    """Return texts, without the marks that Hugging Face's offsets leave out at the end, and probabilities."""
    best = prediction["n_best"]
    return [one["text"].strip(WITHOUT_WIDTH) for one in best], [one["probability"] for one in best]


def main() -> None:
    """Measure features and answers."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True, help="A folder with tokenizer.json.")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--threads", type=int, help="Of the tokenizers; default: one a core.")
    options = parser.parse_args()
    if options.threads:
        os.environ["RAYON_NUM_THREADS"] = str(options.threads)
    from transformers import AutoTokenizer  # a second to import

    their_tokenizer = AutoTokenizer.from_pretrained(options.model)
    tokenizer = Tokenizer.load(options.model)
    questions = QuestionAnswering.read(DATA / "squad-v2.0", "dev", DESCRIPTION)
    task = QuestionAnswering.learn("squad", DESCRIPTION, questions)
    windows, features = compare(
        f"features of {len(questions)} questions",
        lambda: task.encode(questions, tokenizer, max_seq_length=LENGTH),
        lambda: peer_features(questions, their_tokenizer),
        options.pairs,
    )
    same = sum(
        feature["input_ids"][: len(ids)] == ids.tolist()
        for ids, feature in zip(windows.input_ids, features, strict=True)
    )
    print(f"windows with the same ids: {same} of {windows.items}")
    for name, peak in (("anywhere", 0.0), ("around a place", 8.0)):
        outputs = drawn(windows, peak=peak)
        starts, ends = padded(windows, outputs, 0), padded(windows, outputs, 1)
        ours, theirs = compare(
            f"{N_BEST} best answers, scores {name}",
            partial(task.predictions, questions, windows, outputs),
            partial(peer_answers, questions, features, starts, ends),
            options.pairs,
        )
        exact = peer_answers(questions, features, starts, ends, may_start=partial(is_central, windows))
        print(f"  the same answers, as run_qa: {agreeing(ours, theirs)} of {len(questions)}")
        print(f"  the same answers, with the best context: {agreeing(ours, exact)} of {len(questions)}")


if __name__ == "__main__":
    main()
