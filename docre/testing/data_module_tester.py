"""Checks of data modules."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from docre.batch import Batch
from docre.errors import DocreError
from docre.testing.saying import must

if TYPE_CHECKING:
    from docre.data.modules.base import DocREDataModule, Split

_LOADERS = {"dev": "val_dataloader", "test": "test_dataloader", "predict": "predict_dataloader"}


class DataModuleTester:
    """All checks of a data module.

    ``folder`` is a folder that all checks of a class share: files made there once stay, and the
    cache belongs there too (``reading=ReadSettings(cache_dir=str(folder))``). Few and small
    documents are enough; at least four to train on.

    Example:
        A test module of one's own::

            class TestMyData(DataModuleTester):
                def make(self, folder):
                    return MyData(str(folder), reading=ReadSettings(cache_dir=str(folder)))
    """

    def make(self, folder: Path) -> DocREDataModule:
        """Return a new data module; to be written by the author."""
        raise NotImplementedError("def make(self, folder) returns a new data module")

    @pytest.fixture
    def folder(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Return a folder that the checks of a class share."""
        own = type(self)
        place = tmp_path_factory.getbasetemp() / f"{own.__module__}.{own.__qualname__}"
        place.mkdir(exist_ok=True)
        return place

    def prepared(self, folder: Path, seed: int = 7) -> DocREDataModule:
        """Return a new data module with its files and caches."""
        from docre.data.modules.base import DocREDataModule

        module = self.make(folder)
        known = isinstance(module, DocREDataModule)
        must(known, f"{type(module).__name__} is a subclass of docre.data.modules.DocREDataModule")
        module.batches = replace(module.batches, seed=seed)
        module.prepare_data()
        module.setup()
        return module

    def test_knows_relations_and_types(self, folder: Path) -> None:
        """A model takes the number and the order of relations from it."""
        module = self.prepared(folder)
        name, names = type(module).__name__, list(module.relations)
        must(bool(names) and len(set(names)) == len(names), f"{name}.relations: {names}")
        must(module.num_relations == len(names), f"{name}.num_relations is not their number")
        again = self.prepared(folder)
        same = list(again.relations) == names and again.types == module.types
        must(same, f"{name}: relations or types come in another order each time; sort them")
        must("train" in module.files, f"{name}.files has no 'train', so nothing can be learnt")
        plain = all(isinstance(path, Path) for path in module.files.values())
        must(plain, f"{name}.files are pathlib.Path")

    def test_documents_are_valid(self, folder: Path) -> None:
        """Documents have ids of their own, spans within their sentences, known relations."""
        from docre.checking import check

        module = self.prepared(folder)
        for split in module.files:
            documents = module.documents(split)
            where = f"{type(module).__name__}, {split}"
            must(bool(documents), f"{where}: there is no document")
            ids = [document.id for document in documents]
            must(len(set(ids)) == len(ids), f"{where}: two documents have the same id")
            problems = [problem for document in documents for problem in check(document)]
            must(not problems, f"{where}: " + "; ".join(map(str, problems[:5])))

    def test_each_document_is_evaluated_once_and_in_order(self, folder: Path) -> None:
        """Scores compare with all documents of a split; what is predicted comes in their order."""
        module = self.prepared(folder)
        for split in [split for split in module.files if split in _LOADERS]:
            first, second = (self._evaluated(module, split) for _ in range(2))
            where = f"{type(module).__name__}, {split}"
            must(first == second, f"{where}: batches come in another order the second time")
            must(
                sorted(first) == sorted(document.id for document in module.documents(split)),
                f"{where}: the batches do not have each document of the file once",
            )

    def test_batches_are_those_of_the_documents(self, folder: Path) -> None:
        """Entities, pairs and labels of a batch are those of its documents."""
        module = self.prepared(folder)
        for split in module.files:
            if split == "train":
                continue  # whose labels may be hidden on purpose
            known = {document.id: document for document in module.documents(split)}
            for batch in self._batches(module, split):
                labels = _labels_of(batch, list(module.relations))
                for place, name in enumerate(batch.document_ids):
                    document = known[name]
                    where = f"{type(module).__name__}, {split}, document {name!r}"
                    same = batch.sizes.entities[place] == len(document.entities)
                    must(same, f"{where}: the batch has another number of entities")
                    wanted = {
                        (label.head, label.tail, label.relation)
                        for label in document.relations or ()
                        if label.relation in module.relations
                    }
                    found = labels[place]
                    must(
                        found <= wanted,
                        f"{where}: the batch has the labels {sorted(found - wanted)} that the "
                        "document has not",
                    )
                    must(
                        wanted <= found,
                        f"{where}: the labels {sorted(wanted - found)} are missing in the batch. "
                        "They may be of pairs that are no candidates",
                    )

    def test_training_order_depends_on_seed_and_epoch(self, folder: Path) -> None:
        """The same seed and epoch give the same batches on every machine."""
        module, again = self.prepared(folder), self.prepared(folder)
        name, first = type(module).__name__, self._trained(module, 0)
        must(
            first == self._trained(again, 0),
            f"{name}: with the same seed the training batches differ. Draw with batches.seed and "
            "the epoch alone",
        )
        if len(first) < 4:
            return
        must(
            first != self._trained(module, 1),
            f"{name}: each epoch has the same order. The sampler has to shuffle, with set_epoch "
            "as torch's DistributedSampler",
        )
        again.batches = replace(again.batches, seed=8)
        must(
            first != self._trained(again, 0),
            f"{name}: the order is the same for another seed. Draw with batches.seed",
        )

    @pytest.mark.parametrize("ranks", [2, 3])
    def test_ranks_share_the_documents(self, folder: Path, ranks: int) -> None:
        """With several GPUs each takes its part, in equally many steps."""
        module = self.prepared(folder)
        name, everything = type(module).__name__, sorted(self._trained(module, 0))
        parts, steps = [], []
        for rank in range(ranks):
            with _on_rank(rank, ranks):
                batches = self._train_batches(module, 1)
            parts.append([document for batch in batches for document in batch.document_ids])
            steps.append(len(batches))
        must(
            len(set(steps)) == 1,
            f"{name}: {ranks} ranks take {steps} steps an epoch, so training waits for ever",
        )
        seen = sorted(document for part in parts for document in part)
        must(
            set(seen) == set(everything),
            f"{name}: {len(set(everything) - set(seen))} documents are on no rank",
        )
        few = len(everything) < sum(steps)
        must(
            few or seen == everything,
            f"{name}: {len(seen) - len(everything)} documents are on more than one rank. Take rank "
            "and world size from torch.distributed when the loader is made",
        )

    def test_priors_are_shares_of_pairs(self, folder: Path) -> None:
        """Losses take from here how often each relation is labelled."""
        module = self.prepared(folder)
        priors = module.priors()
        name = type(module).__name__
        must(priors.shape == (module.num_relations,), f"{name}.priors() has one number a relation")
        shares = bool(((priors >= 0) & (priors < 1)).all()) and bool(priors.sum() > 0)
        must(shares, f"{name}.priors() are shares of all pairs, at least 0 and below 1: {priors}")

    def test_checkpoints_know_the_relations(self, folder: Path) -> None:
        """A model goes on with the relations it was trained on, in their order, or not at all."""
        module = self.prepared(folder)
        name, state = type(module).__name__, module.state_dict()
        must(
            json.loads(json.dumps(state)) == state,
            f"{name}.state_dict() is plain values, so that checkpoints load without their class",
        )
        self.prepared(folder).load_state_dict(state)
        other = {**state, "relations": ["something else", *list(module.relations)[1:]]}
        try:
            module.load_state_dict(other)
        except DocreError:
            return
        raise AssertionError(
            f"{name}.load_state_dict takes a checkpoint of other relations, whose scores would be "
            "read as those of the wrong ones: raise a DocreError"
        )

    def test_provenance_can_be_written(self, folder: Path) -> None:
        """Every score says which data it is of."""
        module = self.prepared(folder)
        found = module.provenance()
        named = set(module.files) <= set(json.loads(json.dumps(found)))
        must(named, f"{type(module).__name__}.provenance() says nothing of some splits")

    def test_loaders_can_have_workers(self, folder: Path) -> None:
        """What collates batches can be sent to another process."""
        module = self.prepared(folder)
        for split in module.files:
            loader = self._loader(module, split)
            try:
                pickle.dumps((loader.collate_fn, loader.sampler))
            except Exception as error:
                raise AssertionError(
                    f"{type(module).__name__}: batches.num_workers cannot be set, as collate_fn or "
                    f"sampler of {split} cannot be pickled ({error}): keep no lambda in them"
                ) from error

    # --- what checks have in common ---------------------------------------------------------------

    def _loader(self, module: DocREDataModule, split: Split) -> Any:
        name = "train_dataloader" if split == "train" else _LOADERS[split]
        return getattr(module, name)()

    def _batches(self, module: DocREDataModule, split: Split) -> list[Batch]:
        batches = list(self._loader(module, split))
        must(
            all(isinstance(batch, Batch) for batch in batches),
            f"{type(module).__name__}: the loader of {split} gives something else than Batch",
        )
        return batches

    def _evaluated(self, module: DocREDataModule, split: Split) -> list[str]:
        return [name for batch in self._batches(module, split) for name in batch.document_ids]

    def _train_batches(self, module: DocREDataModule, epoch: int) -> list[Batch]:
        loader = self._loader(module, "train")
        for name in ("sampler", "batch_sampler"):
            tell = getattr(getattr(loader, name, None), "set_epoch", None)
            if tell is not None:
                tell(epoch)
        return list(loader)

    def _trained(self, module: DocREDataModule, epoch: int) -> list[str]:
        return [n for batch in self._train_batches(module, epoch) for n in batch.document_ids]


def _labels_of(batch: Batch, relations: list[str]) -> list[set[tuple[int, int, str]]]:
    """Return head, tail and relation of the labels of each document, counted within it."""
    found: list[set[tuple[int, int, str]]] = [set() for _ in batch.document_ids]
    pairs, columns = batch.label_pair.tolist(), batch.label_relation.tolist()
    for pair, relation in zip(pairs, columns, strict=True):
        document = int(batch.pair_doc[pair])
        first = int(batch.entity_offset[document])
        head, tail = int(batch.pair_head[pair]) - first, int(batch.pair_tail[pair]) - first
        found[document].add((head, tail, relations[relation]))
    return found


@contextmanager
def _on_rank(rank: int, ranks: int) -> Iterator[None]:
    """Make torch say that this process is one of several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.distributed, "is_available", lambda: True)
        patch.setattr(torch.distributed, "is_initialized", lambda: True)
        patch.setattr(torch.distributed, "get_rank", lambda *_: rank)
        patch.setattr(torch.distributed, "get_world_size", lambda *_: ranks)
        yield
