"""Half precision: what is computed in float32 all the same, whatever is put together."""

from contextlib import chdir
from dataclasses import fields, is_dataclass, replace
from itertools import cycle

import pytest
import torch
from lightning.pytorch.plugins.precision import HalfPrecision
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from docre.decoding import ThresholdDecoder
from docre.encoder import Encoder
from docre.heads import PairHead
from docre.joint import JointLogits, JointLoss, JointTargets
from docre.precision import HalfWeights, with_own_half_weights
from docre.triples import triples_of
from tests.joint import test_network as joint
from tests.test_combinations import (
    BERT,
    CLASSIFIERS,
    CONTEXTS,
    MEMORIES,
    RELATIONS,
    WIDTH,
    losses,
    scene,
)
from tests.test_training import TINY, quietly, scalars, weights

HALF = (torch.bfloat16, torch.float16)
# each part at least once, with both precisions
HEADS = list(zip(CLASSIFIERS, cycle(CONTEXTS), cycle(MEMORIES), strict=False))
ATEN = torch.ops.aten
# what loses everything in half precision: logsumexp and what losses are made of
DELICATE = {
    *(ATEN.exp, ATEN.log, ATEN.log1p, ATEN.expm1, ATEN.logsumexp, ATEN._log_softmax),
    *(ATEN._softmax, ATEN.softplus, ATEN.log_sigmoid_forward, ATEN.xlogy, ATEN.logaddexp),
    *(ATEN.binary_cross_entropy_with_logits, ATEN.kl_div, ATEN.nll_loss_forward),
}


class Delicate(TorchDispatchMode):
    """Notes which delicate operations were given half precision."""

    def __init__(self):
        super().__init__()
        self.seen, self.coarse = set(), set()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        packet = operation.overloadpacket
        if packet in DELICATE:
            self.seen.add(str(packet))
            if any(isinstance(each, Tensor) and each.dtype in HALF for each in args):
                self.coarse.add(str(packet))
        return operation(*args, **(kwargs or {}))


def exact(value):
    """The same values in float32."""
    if isinstance(value, Tensor):
        return value.float() if value.is_floating_point() else value
    if is_dataclass(value):
        return replace(value, **{f.name: exact(getattr(value, f.name)) for f in fields(value)})
    return value


def parts(classifier, context, memory):
    torch.manual_seed(0)
    encoder = Encoder("nothing", config=BERT)
    chosen = {
        "classifier": CLASSIFIERS[classifier],
        "context": CONTEXTS[context],
        "memory": MEMORIES[memory],
    }
    return encoder, PairHead(WIDTH, RELATIONS, width=WIDTH, **chosen)


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize(("classifier", "context", "memory"), HEADS)
def test_losses_and_scores_are_in_float32(classifier, context, memory, dtype):
    """Every loss is that of the same logits in float32; its gradient is finite."""
    batch, targets = scene()
    targets = exact(targets)
    encoder, head = parts(classifier, context, memory)
    with torch.autocast("cpu", dtype):
        encoded = encoder(batch)
        assert encoded.token_states.dtype == torch.float32  # that of a layer's normalisation
        with Delicate() as watched:
            output = head(encoded, batch)
            made = {name: loss(output, targets) for name, _, loss in losses()}
            totals = {name: parts.total() for name, parts in made.items()}
            below = torch.tensor([100.0, 0, 0, 0, 0])  # every relation is above its threshold
            lowered = replace(output, logits=output.logits - below)
            triples = triples_of(lowered, batch, "abcd", ThresholdDecoder())
    assert "aten.exp" in watched.seen
    assert "aten.logsumexp" in watched.seen
    assert watched.coarse == set()
    same = exact(output)
    for name, _, loss in losses():
        values = [totals[name], *made[name].scalars().values()]
        assert {value.dtype for value in values} == {torch.float32}, name
        assert torch.stack(values).isfinite().all(), name
        expected = loss(same, targets).total()
        torch.testing.assert_close(totals[name], expected, rtol=1e-6, atol=1e-6, msg=name)
    lowered = replace(same, logits=same.logits - below)
    assert triples == triples_of(lowered, batch, "abcd", ThresholdDecoder())
    assert len(triples) == batch.num_pairs * RELATIONS
    parameters = [*encoder.parameters(), *head.parameters()]
    scale = 2.0**8  # a scaler comes down to where everything is finite
    for name in (name for name in totals if name.endswith("+ all")):
        gradients = torch.autograd.grad(
            scale * totals[name], parameters, retain_graph=True, allow_unused=True
        )
        assert all(g.isfinite().all() for g in gradients if g is not None), name
        assert any(g.any() for g in gradients if g is not None), name


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("loss", joint.LOSSES)
@pytest.mark.parametrize("memory", joint.MEMORIES)
@pytest.mark.parametrize("kind", joint.RELATION)
def test_joint_losses_are_in_float32(kind, memory, loss, dtype):
    truths, factory = joint.documents(), joint.LOSSES[loss]
    settings = {"relation": joint.RELATION[kind], "threshold": factory is not None}
    network = joint.build(std=0.1, **settings, **joint.MEMORIES[memory])
    batch = joint.training_batch(truths)
    targets = JointTargets.of(batch.sample, joint.RELATIONS)
    criterion = JointLoss(torch.full((joint.RELATIONS,), 0.1), relation=factory)
    with torch.autocast("cpu", dtype), Delicate() as watched:
        logits = network(joint.states(truths), batch)
        total = criterion(logits, targets).total()
    assert watched.coarse == set()
    assert total.dtype == torch.float32
    assert isinstance(logits, JointLogits)
    torch.testing.assert_close(total, criterion(exact(logits), targets).total())
    (2.0**8 * total).backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


def test_training_in_float16_with_a_scaler():
    """Lightning makes bf16 of float16 on a CPU, so by hand."""
    batch, targets = scene()
    targets = exact(targets)
    encoder, head = parts("bilinear", "localized", "slots")
    _, _, loss = next(losses())
    parameters = [*encoder.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-2)
    scaler = torch.amp.GradScaler("cpu")
    values, taken = [], 0
    for _ in range(25):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.float16):
            total = loss(head(encoder(batch), batch), targets).total()
        scaler.scale(total).backward()
        before = scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        taken += scaler.get_scale() >= before
        values.append(float(total.detach()))
    assert all(value < float("inf") for value in values)
    assert taken > 15  # the others only lower the scale
    assert values[-1] < values[0] / 2
    assert all(parameter.isfinite().all() for parameter in parameters)


# Weights in half precision


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    """A run with weights in bfloat16."""
    folder = tmp_path_factory.mktemp("half")
    (folder / "tiny.yaml").write_text(TINY)
    with chdir(folder):
        quietly("fit", "-c", "tiny.yaml", "--trainer.precision=bf16-true")
    return folder / "runs" / "tiny" / "version_0"


def test_weights_in_bfloat16(half):
    found = weights(half / "checkpoints" / "last.ckpt")
    learnt = {v.dtype for name, v in found.items() if name.startswith(("encoder.", "head."))}
    assert learnt == {torch.bfloat16}
    losses = [value for _, value in scalars(half)["train/loss"]]
    assert losses[-1] < losses[0] / 2
    # a number that bfloat16 does not have
    assert any(float(torch.tensor(value).bfloat16()) != value for value in losses)


def test_they_are_tested(half):
    with chdir(half.parents[2]):
        quietly("test", "--run", half)
    assert (half / "scores" / "test.json").is_file()


def test_losses_of_half_weights_are_in_float32():
    """Within what the trainer puts around a step."""
    strategy = SingleDeviceStrategy("cpu", precision_plugin=HalfPrecision("bf16-true"))
    with_own_half_weights(strategy)
    plugin = strategy.precision_plugin
    assert type(plugin) is HalfWeights
    with_own_half_weights(strategy)
    assert strategy.precision_plugin is plugin
    batch, targets = scene()
    assert plugin.convert_input(batch) is batch
    encoder, head = (plugin.convert_module(part) for part in parts("axial", "u_net", "slots"))
    assert {p.dtype for p in head.parameters()} == {torch.bfloat16}
    with plugin.forward_context(), Delicate() as watched:
        output = head(encoder(batch), batch)
        _, _, loss = next(losses())
        total = loss(output, exact(targets)).total()
    assert watched.coarse <= {"aten._softmax"}
    assert total.dtype == torch.float32
    total.backward()
    assert all(p.grad.isfinite().all() for p in head.parameters())
