"""Settings that all data modules share."""

from __future__ import annotations

from dataclasses import dataclass, replace

from docre.data.collate import PairOrder
from docre.data.reading import OnError


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """How documents become batches.

    Either a number of documents or budgets; with neither, a batch has the data set's own number.

    Args:
        batch_size: Documents of a training batch; 4 in general.
        token_budget: Most tokens of a batch, padding included.
        pair_budget: Most entity pairs of a batch.
        eval_batch_size: Documents of a batch outside of training; left out, the budgets hold there
            too, or a batch has 8.
        num_workers: Processes that collate batches ahead of the model; collation takes well under
            a millisecond a document, so none are needed for most models.
        pin_memory: Page-locked batches for faster copies to a GPU; chosen by itself if left out.
        seed: Order of the documents, together with the epoch; that of ``seed_everything`` if left
            out, else 66.
        pair_order: ``gold_first`` is only for experiments about its leak of the labels.
    """

    batch_size: int | None = None
    token_budget: int | None = None
    pair_budget: int | None = None
    eval_batch_size: int | None = None
    num_workers: int = 0
    pin_memory: bool | None = None
    seed: int | None = None
    pair_order: PairOrder = "row_major"

    def __post_init__(self) -> None:
        if self.batch_size is not None and self.has_budget:
            raise ValueError("batches: give either batch_size or budgets, not both")
        for name in ("batch_size", "token_budget", "pair_budget", "eval_batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"batches.{name} must be at least 1, not {value}")
        if self.num_workers < 0:
            raise ValueError(f"batches.num_workers must be at least 0, not {self.num_workers}")

    @property
    def has_budget(self) -> bool:
        """Whether batches are filled by budget."""
        return self.token_budget is not None or self.pair_budget is not None

    def or_else(self, batch_size: int = 4) -> BatchSettings:
        """Return the settings with a data set's batch size where nothing was chosen."""
        if self.has_budget:
            return self
        return replace(
            self,
            batch_size=self.batch_size or batch_size,
            eval_batch_size=self.eval_batch_size or 8,
        )


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """How files are read and cached.

    Args:
        on_error: ``fail`` lists everything that is wrong with a file, ``fix`` mends what can be
            mended, ``skip`` leaves documents with a problem out; both write a report. Left out,
            ``fail``, but ``fix`` for data sets that are known to need it.
        limit: Use only the first documents of each split.
        num_proc: Processes that preprocess a file; worth it from some ten thousand documents.
        cache_dir: Folder of the feature cache; the user's cache folder if left out.
        offline: Never download.
    """

    on_error: OnError | None = None
    limit: int | None = None
    num_proc: int = 1
    cache_dir: str | None = None
    offline: bool = False
