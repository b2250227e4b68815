"""What goes wrong in training, told once and explained."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from bertpipe.errors import TrainingDivergedError
from bertpipe.training.guards import MOST_SKIPPED, GuardConfig, Guards
from bertpipe.training.schedules import Schedule

RUN = Schedule("linear", 7000, 70)
ENTROPY = 6.5


def guards(
    *, entropy: float | None = ENTROPY, state: dict[str, float] | None = None, **settings: Any
) -> Guards:
    return Guards(GuardConfig(**settings), schedule=RUN, unigram_entropy=entropy, state=state)


def watch(
    watching: Guards, curve: Callable[[int], float], *, steps: int, first: int = 1
) -> list[tuple[int, str]]:
    """Show a run whose masked LM loss is all its loss; return the notes with their steps."""
    notes = []
    for step in range(first, first + steps):
        loss = curve(step)
        notes += [(step, note) for note in watching.saw(step, {"loss": loss, "mlm_loss": loss}, 1.0)]
    return notes


def wavy(step: int) -> float:
    """Return a loss that falls from 9 through the entropy to 3, with waves as of noise."""
    return 3 + 6 * math.exp(-step / 1000) + 0.2 * math.sin(step * 1.7)


def with_spike(step: int) -> float:
    return wavy(step) + (5 if 1000 <= step < 1030 else 0)


def by_heart(step: int) -> float:
    """Return a loss that falls to a tenth of a nat, as that of a text of few lines."""
    return 0.1 + 8 * math.exp(-step / 200)


def flat(step: int) -> float:
    return ENTROPY - 0.4 + 0.2 * math.sin(step * 1.7)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_figure_that_is_not_finite_stops(value: float) -> None:
    """Loss or gradient, step and causes are named."""
    with pytest.raises(TrainingDivergedError, match=f"the loss is {value} at step 4") as caught:
        guards().saw(4, {"loss": value}, 1.0)
    assert caught.value.hint is not None and "learning rate too high" in caught.value.hint
    with pytest.raises(TrainingDivergedError, match=f"the gradient norm is {value} at step 4"):
        guards().saw(4, {"loss": 1.0}, value)


def test_such_updates_may_be_left_out() -> None:
    """Each run of them is told once; the statistics of the loss take no notice."""
    watching = guards(on_nonfinite="skip")
    watch(watching, wavy, steps=100)
    before = dict(watching.state)
    notes = [watching.saw(step, {"loss": math.nan}, math.nan) for step in (101, 102, 103)]
    assert [len(found) for found in notes] == [1, 0, 0]
    assert notes[0][0].startswith("the loss is nan at step 101: the update is left out; usual causes")
    assert watching.state | {"skipped_run": 0} == before | {"skipped_run": 0}
    assert watch(watching, wavy, steps=20, first=104) == []
    assert len(watching.saw(124, {"loss": 2.0}, math.inf)) == 1


def test_leaving_out_every_update_is_divergence() -> None:
    """Twenty on end may pass, then the run stops: the model is broken, not its data."""
    watching = guards(on_nonfinite="skip")
    for step in range(1, MOST_SKIPPED + 1):
        watching.saw(step, {"loss": math.nan}, 1.0)
    with pytest.raises(TrainingDivergedError, match="the loss is nan at step 21, as in 20 updates before"):
        watching.saw(MOST_SKIPPED + 1, {"loss": math.nan}, 1.0)


@pytest.mark.parametrize("reaction", ["stop", "skip"])
def test_an_overflow_of_fp16_is_no_divergence(reaction: str) -> None:
    """With a loss scale the update is told as left out, once for each run of them, and training goes on."""
    watching = guards(on_nonfinite=reaction)
    (note,) = watching.saw(1, {"loss": 9.0}, math.inf, loss_scale=32768.0)
    assert note == (
        "the gradient norm is inf at step 1: the update is left out; "
        "with fp16 this finds the loss scale, which is now 32768"
    )
    assert watching.saw(2, {"loss": 9.0}, math.inf, loss_scale=16384.0) == []
    assert watching.saw(3, {"loss": 9.0}, 1.0, loss_scale=16384.0) == []
    assert len(watching.saw(4, {"loss": 9.0}, math.inf, loss_scale=8192.0)) == 1


def test_a_good_run_tells_nothing() -> None:
    """From far above the entropy to far below it, with noise."""
    assert watch(guards(), wavy, steps=5000) == []


def test_a_spike_is_explained_once() -> None:
    """The levels before and after, the step and the causes, in one line."""
    ((step, note),) = watch(guards(), with_spike, steps=2000)
    assert step == 1002
    assert note.startswith("the loss rose within a few updates from about 5.")
    assert "at step 1002; usual causes" in note and "\n" not in note


@pytest.mark.parametrize(
    ("settings", "curve", "message"),
    [
        ({"on_spike": "stop"}, with_spike, "the loss rose within a few updates .* at step 1002"),
        ({"on_spike": "stop"}, lambda step: 9.0 + 0.02 * step, "the loss has climbed from about 9"),
        ({"on_repetition": "stop"}, by_heart, "less than an eighth of the unigram entropy of the corpus"),
        (
            {"on_plateau": "stop"},
            flat,
            r"is 6\.1\d at step \d+ and has hardly fallen for 700 updates: .*the context is not used yet",
        ),
    ],
)
def test_a_run_may_be_stopped(settings: dict[str, Any], curve: Callable[[int], float], message: str) -> None:
    """With the causes as hint, and the word that the progress is kept."""
    with pytest.raises(TrainingDivergedError, match=message) as caught:
        watch(guards(**settings), curve, steps=2000)
    assert caught.value.hint is not None
    assert "usual causes" in caught.value.hint and "last checkpoint is kept" in caught.value.hint


@pytest.mark.parametrize(
    ("settings", "curve"),
    [
        ({"on_spike": "ignore"}, with_spike),
        ({"on_plateau": "ignore"}, flat),
        ({"on_repetition": "ignore"}, by_heart),
    ],
)
def test_each_may_be_ignored(settings: dict[str, Any], curve: Callable[[int], float]) -> None:
    """Then nothing is told of it."""
    assert watch(guards(**settings), curve, steps=2000) == []


def test_a_plateau_is_explained_and_its_end_told() -> None:
    """How long others stay comes with the causes; when the loss leaves, that is told too."""
    begins, ends = watch(guards(), lambda step: flat(step) - max(0, step - 2000) * 0.001, steps=3000)
    assert "unigram entropy 6.50" in begins[1] and "half of a short run" in begins[1]
    assert ends[1].startswith("the masked LM loss is 5.8") and ends[1].endswith(": it has left the plateau")
    assert "\n" not in begins[1] + ends[1]


def test_a_loss_above_the_entropy_has_other_causes() -> None:
    """A rate of nearly nothing leaves the loss at ln V, where not even frequencies are known."""
    ((_, note),) = watch(guards(), lambda _: 8.3, steps=1500)
    assert "it is above the unigram entropy of the corpus (6.50)" in note and "far too low" in note


def test_a_text_learned_by_heart_is_explained() -> None:
    """The loss is set against the entropy, and the setting that leaves repeated documents out is named."""
    ((_, note),) = watch(guards(), by_heart, steps=2000)
    assert "less than an eighth of the unigram entropy of the corpus (6.50)" in note
    assert "corpus.cleaning.exact_duplicates" in note and "\n" not in note


def test_how_long_a_plateau_may_be_is_a_setting() -> None:
    """With a patience of 300 updates it is told soon after the warm-up's 70 and those."""
    ((step, _),) = watch(guards(plateau_steps=300), flat, steps=600)
    assert 370 <= step < 420


def test_without_an_entropy_no_plateau_is_looked_for() -> None:
    """Fine-tuning has none; nor is one found where the loss has no masked LM part."""
    assert watch(guards(entropy=None), flat, steps=2000) == []
    watching = guards()
    assert [note for step in range(1, 2000) for note in watching.saw(step, {"loss": flat(step)}, 1.0)] == []


@pytest.mark.parametrize("stop", [1, 500, 1001, 1500])
def test_a_stopped_run_goes_on_with_its_state(stop: int) -> None:
    """Through JSON and back: what is told after it, and what no more, is as in the unbroken run."""

    def curve(step: int) -> float:
        return flat(step) + (3 if 1000 <= step < 1030 else 0)

    unbroken = guards()
    expected = watch(unbroken, curve, steps=2500)
    stopped = guards()
    found = watch(stopped, curve, steps=stop)
    resumed = guards(state=json.loads(json.dumps(stopped.state, allow_nan=False)))
    found += watch(resumed, curve, steps=2500 - stop, first=stop + 1)
    assert found == expected and len(expected) == 2
    assert resumed.state == unbroken.state


def test_settings_are_words_of_a_list() -> None:
    """A misspelt reaction is an error, not a run that warns of nothing."""
    with pytest.raises(ValidationError, match="'warn', 'stop' or 'ignore'"):
        GuardConfig.model_validate({"on_spike": "halt"})
