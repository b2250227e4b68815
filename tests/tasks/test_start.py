"""What fine-tuning starts from."""

from bertpipe.tasks import FinetuneConfig, choose
from bertpipe.tasks.texts import TextExample


def test_fewer_examples_are_drawn_by_the_seed() -> None:
    """So many different ones, in the order of the file; another seed draws others."""
    examples = [TextExample(str(n), ("t",), "l", "p") for n in range(100)]
    drawn = [[e.id for e in choose(examples, FinetuneConfig(train_examples=30, seed=s))] for s in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == 30 and drawn[0] == sorted(drawn[0], key=int)
    assert choose(examples, FinetuneConfig()) == examples
