"""The section ``pretrain``."""

from typing import Self

from pydantic import Field, model_validator

from bertpipe.pretraining.start import InitVocabulary
from bertpipe.training import GuardConfig, OptimizerConfig, Plan, Precision, ScheduleConfig, TimeBudget
from bertpipe.training.budget import BudgetConfig

TOTAL_STEPS = 1_000_000  # the paper's (appendix A.2)

# What does not change the weights: a run that has stopped for it goes on with another choice.
UNRECORDED = frozenset({"on_plateau", "on_repetition", "on_spike", "plateau_steps", "save_optimizer"})


class PretrainConfig(OptimizerConfig, ScheduleConfig, BudgetConfig, GuardConfig):
    """The section ``pretrain``: the paper's settings unless set otherwise (appendix A.2)."""

    total_steps: int | None = Field(
        None, ge=1, description="Updates; unset: 1,000,000, or what time_budget_minutes allows."
    )
    batch_size: int = Field(256, ge=1, description="Sequences an update, over all processes.")
    micro_batch_size: int | None = Field(
        None,
        ge=1,
        description="Sequences a forward pass of one process; unset: all, and fewer where memory runs out.",
    )
    warmup_steps: int | None = Field(None, ge=0, description="Updates; unset: 1 % of all.")
    precision: Precision = Field("fp32", description="Of the forward and backward pass.")
    compile: bool = Field(
        False, description="Let torch.compile make faster kernels: minutes once, other rounding."
    )
    evaluate_steps: int = Field(1000, ge=1, description="Updates between two rows of the curve.")
    evaluate_sequences: int = Field(1000, ge=1, description="Held-out sequences to evaluate on.")
    init_vocabulary: InitVocabulary = Field(
        "same",
        description="Of the model given with --init: the one of the shards; or another, of which the "
        "embeddings of the shared pieces are kept and the others are drawn anew.",
    )
    save_optimizer: bool = Field(
        False, description="Write the optimizer's state beside the model, for a phase that goes on with it."
    )
    carry_optimizer: bool = Field(
        False, description="With --init: start with the optimizer's state that was saved beside that model."
    )
    seed: int = Field(0, ge=0, description="Of weights, order, masks and dropout.")

    @model_validator(mode="after")
    def _says_once_how_long(self) -> Self:
        if self.total_steps is not None and self.time_budget_minutes is not None:
            raise ValueError(
                f"total_steps = {self.total_steps} and time_budget_minutes = {self.time_budget_minutes} both "
                "say how long to train: set one of them to null"
            )
        if self.time_budget_minutes is None:
            problem = self.misfit(total_steps=self._steps, warmup_steps=self._warmup(self._steps))
            if problem is not None:
                raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _carries_what_fits(self) -> Self:
        if self.carry_optimizer and self.init_vocabulary == "shared":
            raise ValueError(
                "carry_optimizer = true with init_vocabulary = shared: the state of another vocabulary's "
                "embeddings does not fit"
            )
        return self

    def plan(self, *, total_steps: int | None = None, unigram_entropy: float | None = None) -> Plan:
        """Return how long and how to train.

        Args:
            total_steps: where a time budget has decided the length.
            unigram_entropy: of the corpus, in nats, to tell a plateau by.

        Raises:
            ConfigError: the run has no room for warm-up and decay.
        """
        steps = total_steps or self._steps
        return Plan(
            schedule=self.over(total_steps=steps, warmup_steps=self._warmup(steps)),
            optimizer=self,
            precision=self.precision,
            seed=self.seed,
            micro_batch_size=self.micro_batch_size,
            guards=self,
            unigram_entropy=unigram_entropy,
        )

    def budget(self, *, unigram_entropy: float | None = None) -> TimeBudget | None:
        """Return how long the run may take, and its plan then; none where its length is set."""
        if self.time_budget_minutes is None:
            return None

        def plan_over(total_steps: int) -> Plan:
            return self.plan(total_steps=total_steps, unigram_entropy=unigram_entropy)

        return TimeBudget(self.time_budget_minutes, plan_over)

    @property
    def _steps(self) -> int:
        return TOTAL_STEPS if self.total_steps is None else self.total_steps

    def _warmup(self, total_steps: int) -> int:
        return total_steps // 100 if self.warmup_steps is None else self.warmup_steps
