"""Convolutions and the U-Net over grids against those of torch, one picture at a time."""

import pytest
import torch
from torch.nn import functional as F

from docre.context import GridUNet
from docre.context.grid_convolution import GridConvolution, neighbours
from docre.grids import Grids
from tests.context.statistics import with_statistics

SIZES = [5, 4, 0, 13, 5, 6]
CHANNELS, DOWN, OUT = 3, 8, 5


def made():
    torch.manual_seed(0)
    return with_statistics(GridUNet(CHANNELS, DOWN, OUT).double().eval())


def cells_for(sizes, channels=CHANNELS):
    grids = Grids(sizes)
    make = torch.Generator().manual_seed(1)
    return torch.randn(grids.cells, channels, generator=make, dtype=torch.float64), grids


def pictures(cells, grids):
    """One picture a document that has one, [1, C, n, n]."""
    pieces = cells.split([n * n for n in grids.sizes])
    return [
        piece.view(1, n, n, -1).permute(0, 3, 1, 2)
        for piece, n in zip(pieces, grids.sizes, strict=True)
        if n
    ]


def flat(of_pictures):
    return torch.cat([picture.permute(0, 2, 3, 1).flatten(0, 2) for picture in of_pictures])


def kernel(layer):
    weight = layer.linear.weight
    return weight.view(len(weight), 3, 3, -1).permute(0, 3, 1, 2)


def plain_double(block, of_pictures):
    """Two convolutions; batch normalisation over all pictures by its definition, in training."""
    for conv, norm in ((block.conv1, block.norm1), (block.conv2, block.norm2)):
        found = [F.conv2d(x, kernel(conv), conv.linear.bias, padding=1) for x in of_pictures]
        mean, variance = norm.running_mean, norm.running_var
        if norm.training:
            every = flat(found)
            mean, variance = every.mean(0), every.var(0, correction=0)
        scale = norm.weight / (variance + norm.eps).sqrt()
        shift = norm.bias - mean * scale
        of_pictures = [F.relu(x * scale[:, None, None] + shift[:, None, None]) for x in found]
    return of_pictures


def plain_u_net(network, of_pictures):
    def rise(low, high):
        joined = []
        for below, beside in zip(low, high, strict=True):
            doubled = F.interpolate(below, scale_factor=2, mode="bilinear", align_corners=True)
            more = beside.shape[-1] - doubled.shape[-1]
            sides = (more // 2, more - more // 2)
            joined.append(torch.cat([beside, F.pad(doubled, (*sides, *sides))], 1))
        return joined

    first = plain_double(network.enter, of_pictures)
    second = plain_double(network.down1, [F.max_pool2d(x, 2) for x in first])
    third = plain_double(network.down2, [F.max_pool2d(x, 2) for x in second])
    risen = plain_double(network.up1, rise(third, second))
    risen = plain_double(network.up2, rise(risen, first))
    return flat(risen) @ network.leave.weight.t() + network.leave.bias


def test_neighbours_are_in_the_order_of_a_kernel():
    cells, grids = cells_for(SIZES, 1)
    around = F.pad(cells, (0, 0, 0, 1))[neighbours(grids, cells.device)].squeeze(2)
    expected = [F.unfold(x, 3, padding=1)[0].t() for x in pictures(cells, grids)]
    assert torch.equal(around, torch.cat(expected))


def test_convolution_and_its_gradient():
    torch.manual_seed(0)
    layer = GridConvolution(CHANNELS, OUT).double()
    cells, grids = cells_for(SIZES)
    cells.requires_grad_()
    near = neighbours(grids, cells.device)
    found = layer(cells, near)
    expected = flat(
        [F.conv2d(x, kernel(layer), layer.linear.bias, padding=1) for x in pictures(cells, grids)]
    )
    torch.testing.assert_close(found, expected)
    along = torch.randn_like(found)
    wanted = [cells, *layer.parameters()]
    for mine, theirs in zip(
        torch.autograd.grad(found, wanted, along),
        torch.autograd.grad(expected, wanted, along),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs)


def test_convolution_gradcheck():
    layer = GridConvolution(2, 3).double()
    cells, grids = cells_for([2, 3], 2)
    near = neighbours(grids, cells.device)

    def convolve(cells, weight, bias):
        given = {"linear.weight": weight, "linear.bias": bias}
        return torch.func.functional_call(layer, given, (cells, near))

    parameters = [p.detach().clone().requires_grad_() for p in layer.parameters()]
    assert torch.autograd.gradcheck(convolve, (cells.requires_grad_(), *parameters))


@pytest.mark.parametrize("training", [False, True])
def test_equal_to_one_picture_at_a_time(training):
    network = made().train(training)
    cells, grids = cells_for(SIZES)
    found = network(cells, grids)
    expected = plain_u_net(network, pictures(cells, grids))
    torch.testing.assert_close(found, expected)
    assert found.std(0).min() > 1e-3  # or the numbers say nothing
    along = torch.randn_like(found)
    wanted = list(network.parameters())
    for mine, theirs in zip(
        torch.autograd.grad(found, wanted, along),
        torch.autograd.grad(expected, wanted, along),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs)


def test_pictures_of_other_documents_do_not_matter():
    network = made()
    cells, grids = cells_for(SIZES)
    found = network(cells, grids).split([n * n for n in SIZES])
    for piece, own, size in zip(found, cells.split([n * n for n in SIZES]), SIZES, strict=True):
        torch.testing.assert_close(network(own, Grids([size])), piece)


def test_gradcheck():
    torch.manual_seed(0)
    network = with_statistics(GridUNet(1, 4, 1).double())
    cells, grids = cells_for([4, 5], 1)
    assert torch.autograd.gradcheck(lambda given: network(given, grids), cells.requires_grad_())


@pytest.mark.parametrize("sizes", [[4], [7], [0], [0, 5], [12]])
def test_one_cell_or_none_at_some_level_in_training(sizes):
    """A quarter of the grid may have a single cell, which has no variance."""
    network = made().train()
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    cells, grids = cells_for(sizes)
    found = network(cells, grids)
    assert found.shape == (grids.cells, OUT)
    assert found.isfinite().all()
    found.sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    for name, buffer in network.named_buffers():
        quarter = sum((n // 4) ** 2 for n in sizes)
        counted = grids.cells > 0 and (quarter > 1 or "down2" not in name)
        assert torch.equal(buffer, before[name]) != counted, name


def test_what_cannot_be_halved_twice_is_refused():
    with pytest.raises(ValueError, match="4 rows or more, not 3"):
        made()(*cells_for([5, 3]))
    with pytest.raises(ValueError, match="down 5 is odd"):
        GridUNet(3, 5, 2)


def test_autocast():
    network = made().float()
    cells, grids = cells_for(SIZES)
    with torch.autocast("cpu", torch.bfloat16):
        found = network(cells.float(), grids)
    assert found.dtype == torch.bfloat16
    expected = network(cells.float(), grids)
    torch.testing.assert_close(found.float(), expected, atol=0.05, rtol=0.05)
    found.float().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad.dtype == torch.float32, name
        assert parameter.grad.isfinite().all(), name


def test_every_rank_takes_part_when_synchronised():
    """Converted, it is synchronised; alone it must not wait for others."""
    network = torch.nn.SyncBatchNorm.convert_sync_batchnorm(made())
    kinds = {type(m) for m in network.modules() if "norm" in type(m).__name__.lower()}
    assert kinds == {torch.nn.SyncBatchNorm}
    cells, grids = cells_for([5])
    assert network.eval()(cells, grids).isfinite().all()
