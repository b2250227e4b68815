"""An output of ``prepare``, opened: tokenizer, both splits, and how their rows are masked."""

from dataclasses import dataclass
from pathlib import Path

from bertpipe.errors import ArtifactError, CheckpointError
from bertpipe.instances import Masker, MaskingConfig, ShardSet, settings_in_effect
from bertpipe.instances.mask_statistics import sample_masks
from bertpipe.pretraining.batches import BatchMaker
from bertpipe.vocab import Tokenizer


@dataclass(frozen=True)
class OpenedShards:
    """What pre-training reads.

    Attributes:
        tokenizer: the one that both splits were encoded with.
        train: the rows to learn from.
        validation: the rows to evaluate on.
        masking: by which settings rows are masked.
    """

    tokenizer: Tokenizer
    train: ShardSet
    validation: ShardSet
    masking: MaskingConfig

    @classmethod
    def open(cls, folder: Path, masking: MaskingConfig) -> "OpenedShards":
        """Open an output of ``prepare``.

        Raises:
            ArtifactError: it is none, or a shard is missing, damaged or does not belong to the others.
            CheckpointError: they were encoded with another tokenizer than the one beside them.
            ConfigError: ``masking`` contradicts the masks in the shards.
        """
        if not folder.is_dir():
            raise ArtifactError(f"{folder} does not exist", hint="run the stage that writes it: 'prepare'")
        if not (folder / "tokenizer").is_dir():
            raise ArtifactError(
                f"{folder} holds no shards with their tokenizer", hint="name an output of 'bertpipe prepare'"
            )
        tokenizer = Tokenizer.load(folder / "tokenizer")
        train, validation = (ShardSet.open(folder / split) for split in ("train", "validation"))
        for shards in (train, validation):
            if shards.tokenizer_hash != tokenizer.content_hash():
                raise CheckpointError(
                    f"{shards.folder} was encoded with another vocabulary than {folder / 'tokenizer'}",
                    hint="run 'bertpipe prepare' again with the vocabulary that you want",
                )
        return cls(tokenizer, train, validation, settings_in_effect(masking, train))

    def maker(self) -> BatchMaker:
        """Return what makes batches of these rows."""
        objective = self.train.objective if self.train.has_pairs else "nsp"
        return BatchMaker(self.masking, self.tokenizer, self.train.max_seq_length, objective)

    def mask_shares(self, *, seed: int) -> dict[str, float]:
        """Return what masking does to the first rows; of stored masks, the figures of the shards tell."""
        if self.train.info.masking is not None:
            return {}
        masker = Masker.of(self.masking, self.tokenizer, max_seq_length=self.train.max_seq_length)
        measured = sample_masks(self.train, masker, seed=seed).as_json()
        names = ("predicted_share", "mask_share", "random_share", "keep_share")
        return {name: measured[name] for name in names}
