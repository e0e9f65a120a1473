"""Where slots lie among head entities."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from docre.dashboard.head_entities import head_entities
from docre.dashboard.map_figure import map_figure
from docre.dashboard.memory_map import MemoryMap
from docre.dashboard.principal_plane import principal_plane
from docre.dashboard.projector import PointCloud, write_projector
from docre.dashboard.slots import Slots
from docre.grids import with_all_cells
from tests.batches import make_batch


@pytest.mark.parametrize(("count", "width"), [(30, 6), (3, 8), (2, 5), (1, 4)])
def test_principal_plane_keeps_what_the_covariance_says(count, width):
    vectors = torch.randn(count, width, generator=torch.Generator().manual_seed(count))
    state = torch.get_rng_state()
    plane, shares = principal_plane(vectors)
    assert torch.equal(state, torch.get_rng_state())
    spread = np.linalg.eigvalsh(np.cov(vectors.T.double().numpy(), bias=True))[::-1]
    if count == 1:
        assert plane.abs().max() == shares.sum() == 0
        return
    np.testing.assert_allclose(plane.square().mean(0), spread[:2], atol=1e-9)
    np.testing.assert_allclose(shares, spread[:2] / spread.sum(), atol=1e-9)
    turned, _ = principal_plane(vectors.flip(0))
    torch.testing.assert_close(turned.flip(0), plane)  # signs do not depend on the order


def test_heads_are_averaged_over_their_pairs():
    batch = make_batch([[1, 2, 3], [1, 2, 3, 4]], [[[0], [1], [2]], [[1], [3]]])
    batch.entity_type[:] = torch.tensor([0, 1, -1, 1, 0])
    vectors = torch.randn(batch.num_pairs, 4, generator=torch.Generator().manual_seed(0))
    points = head_entities(vectors.bfloat16(), batch, ["PER", "LOC"])
    for entity, point in enumerate(points):
        mean = vectors.bfloat16().float()[batch.pair_head == entity].mean(0)
        torch.testing.assert_close(point.vector, mean)
    assert [point.type for point in points] == ["PER", "LOC", "", "LOC", "PER"]
    assert [(p.document, p.number) for p in points[2:]] == [
        ("document 0", 2),
        ("document 1", 0),
        ("document 1", 1),
    ]


def test_who_heads_no_pair_has_no_point():
    batch = make_batch([[1, 2, 3]], [[[0], [1], [2]]], pairs=[[(0, 1), (0, 2), (2, 1)]])
    points = head_entities(torch.ones(3, 2), batch, [])
    assert [point.number for point in points] == [0, 2]


def test_figure_has_both():
    batch = make_batch([[1, 2, 3]], [[[0], [1], [2]]])
    points = head_entities(torch.randn(6, 4), batch, ["PER"])
    slots = Slots("memory", torch.randn(5, 4), tuple("01234"))
    (axes,) = map_figure(slots, points).axes
    shown = [len(collection.get_offsets()) for collection in axes.collections]
    assert sorted(shown) == [3, 5]
    narrow = Slots("memory", torch.randn(5, 3), tuple("abcde"))
    (axes,) = map_figure(narrow, points).axes  # of another width than the heads
    assert [len(collection.get_offsets()) for collection in axes.collections] == [5]
    assert {text.get_text() for text in axes.texts} == set("abcde")


@pytest.mark.parametrize("whole", [False, True])
def test_heads_of_pairs_and_of_whole_grids(whole):
    """A classifier that wants a grid lets the memory read for pairs that nobody asked for."""
    batch = make_batch([[1, 2, 3], [1, 2]], [[[0], [1], [2]], [[1]]], pairs=[[(0, 1), (2, 1)], []])
    pairs = with_all_cells(batch).batch if whole else batch
    vectors = torch.randn(pairs.num_pairs, 4, generator=torch.Generator().manual_seed(0))
    part = MemoryMap()
    keep = part._keeping("memory")
    keep(torch.nn.Identity(), (vectors,), None)
    part.see(SimpleNamespace(types=()), batch, None)
    points = part._entities["memory"]
    assert [point.number for point in points] == ([0, 1, 2] if whole else [0, 2])
    for point in points:
        mean = vectors[pairs.pair_head == point.number].mean(0)
        torch.testing.assert_close(point.vector, mean)


def test_projector_files_are_read_back(tmp_path):
    from google.protobuf import text_format
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

    vectors = torch.randn(2, 3)
    cloud = PointCloud("memory", vectors, ("kind", "name"), [("slot", "0"), ("PER", "a\tb\nc")])
    for _ in range(2):  # a second time replaces the first
        write_projector(tmp_path, [cloud])
    config = text_format.Parse((tmp_path / "projector_config.pbtxt").read_text(), ProjectorConfig())
    (shown,) = config.embeddings
    numbers = np.loadtxt(tmp_path / shown.tensor_path, delimiter="\t")
    np.testing.assert_allclose(numbers, vectors, rtol=1e-4)
    rows = (tmp_path / shown.metadata_path).read_text().splitlines()
    assert rows == ["kind\tname", "slot\t0", "PER\ta b c"]
