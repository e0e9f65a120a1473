"""Sharded weights: one process here, several in ``reliability/test_sharded_run.py``."""

from copy import deepcopy

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor

from docre.backbone import build_backbone
from docre.encoder import Encoder
from docre.heads import PairHead
from docre.losses import AdaptiveThresholdLoss
from docre.optim import GroupSettings, parameter_groups, parts_of
from docre.outputs import Targets
from docre.sharding import ShardedStrategy, shard, state_by_name, transformer_layers, whole
from docre.training import run
from tests.batches import make_batch

SMALL = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "vocab_size": 40,
    "max_position_embeddings": 32,
    "pad_token_id": 0,
}
RELATIVE = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]}


class Whole(nn.Module):
    """Encoder, head and loss, as in a model; the loss is outside of the forward pass."""

    def __init__(self, **options):
        super().__init__()
        torch.manual_seed(4)
        self.encoder = Encoder(**options)
        self.head = PairHead(16, 3, width=64)
        self.loss = AdaptiveThresholdLoss()

    def forward(self, batch):
        return self.head(self.encoder(batch), batch)

    def step(self, batch):
        output = self(batch)
        return self.loss(output, Targets(batch.labels(3), batch)).total()


@pytest.fixture
def mesh():
    """A distributed run of this process alone."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        yield init_device_mesh("cpu", (1,))
    finally:
        dist.destroy_process_group()


def batches():
    """Two batches of several sizes, one without a pair."""
    ids = [list(range(1, 12)), list(range(3, 30))]
    yield make_batch(ids, [[[1, 4], [6]], [[2], [9, 20], [12]]], labels=[[(0, 1, 2)], [(2, 0, 0)]])
    yield make_batch(ids[:1], [[[1]]], labels=[[]])


@pytest.mark.filterwarnings("ignore:FSDP2-wrapped module")  # nothing writes to what it returns
@pytest.mark.parametrize(
    "options",
    [
        {"config": {"model_type": "bert"} | SMALL},
        {"config": {"model_type": "bert"} | SMALL, "layers": 3, "freeze_layers": 1},
        {"config": {"model_type": "bert"} | SMALL, "gradient_checkpointing": True},
        {"config": {"model_type": "bert"} | SMALL, "attention": "eager"},
        {"config": {"model_type": "modernbert"} | SMALL, "layers": 2},
        {"config": {"model_type": "deberta-v2"} | RELATIVE | SMALL},
    ],
    ids=["bert", "frozen and averaged", "checkpointing", "eager", "modernbert", "deberta"],
)
def test_gradients_are_those_of_the_whole_model(mesh, options):
    """Also of what is computed beside the layers' outputs: rows of attention."""
    model = Whole(**options).double().eval()  # dropout draws as it likes
    sharded = deepcopy(model)
    shard(sharded, mesh)
    assert all(isinstance(p, DTensor) for p in sharded.parameters())
    for batch in batches():
        with torch.no_grad():  # as in validation, which leaves some weights together
            sharded(batch)
        expected, loss = model.step(batch), sharded.step(batch)
        expected.backward()
        loss.backward()
        assert torch.allclose(loss, expected, rtol=0, atol=1e-12)
    norms = [
        whole(nn.utils.get_total_norm([p.grad for p in each.parameters() if p.grad is not None]))
        for each in (model, sharded)
    ]
    assert norms[0] > 0
    assert float(norms[1]) == pytest.approx(float(norms[0]), rel=1e-12)
    for (name, one), other in zip(model.named_parameters(), sharded.parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None), name
        if one.grad is not None:
            assert torch.allclose(one.grad, whole(other.grad), rtol=0, atol=1e-12), name


def test_again_does_no_harm(mesh):
    model = nn.Linear(2, 2)
    shard(model, mesh)
    weight = model.weight
    assert isinstance(weight, DTensor)
    name = f"{type(model).__module__}.{type(model).__qualname__}"
    assert name == "torch.nn.modules.linear.Linear"  # what a checkpoint calls it
    shard(model, mesh)
    assert model.weight is weight


@pytest.mark.parametrize("kind", ["bert", "modernbert", "deberta-v2", "mpnet", "electra"])
def test_every_layer_comes_together_by_itself(kind):
    model = nn.ModuleDict({"encoder": build_backbone(config={"model_type": kind} | SMALL)})
    layers = [*transformer_layers(model)]
    assert len(layers) == 3
    assert len({type(layer) for layer in layers}) == 1
    assert sum(p.numel() for layer in layers for p in layer.parameters()) > 1000


def test_an_optimizer_goes_on_from_a_whole_one():
    """Groups of ours are not in the order of the model, and frozen weights are in none."""

    def made():
        torch.manual_seed(1)
        head = PairHead(16, 3, width=64)
        head.memory = nn.Linear(64, 64)  # inside of the head, and a group before it
        encoder = nn.Linear(16, 16)
        encoder.bias.requires_grad_(False)
        model = nn.ModuleDict({"encoder": encoder, "head": head})
        settings = GroupSettings(1e-2)
        parts = parts_of(encoder, head, nn.Identity())
        groups = parameter_groups(parts, dict.fromkeys(parts, settings))
        return model, torch.optim.AdamW(groups)

    model, optimizer = made()
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter) if parameter.requires_grad else None
    optimizer.step()
    numbers = [number for group in optimizer.param_groups for number in group["params"]]
    assert len(numbers) == sum(p.requires_grad for p in model.parameters())

    other, fresh = made()
    named = state_by_name(optimizer.state_dict(), fresh, other)
    expected = {
        name: optimizer.state[parameter]
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
    assert named["state"].keys() == expected.keys()
    for name, state in expected.items():
        assert torch.equal(named["state"][name]["exp_avg"], state["exp_avg"])
    groups = [group["name"] for group in named["param_groups"]]
    assert groups == ["encoder", "memory", "head"]
    assert set(named["param_groups"][1]["params"]) == {"head.memory.weight", "head.memory.bias"}


def test_the_overlay_makes_the_strategy(tmp_path, monkeypatch):
    """On this machine; the number of processes is the trainer's."""
    from docre import training

    class Made(training.DocRECLI):
        @staticmethod
        def subcommands():
            return {"fit": training.LightningCLI.subcommands()["fit"]}

        def _run_subcommand(self, subcommand):
            """Nothing is trained."""

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training, "SUMMARIES", {"fit": training.SUMMARIES["fit"]})
    options = ["--trainer.accelerator=cpu", "--trainer.devices=2", "--trainer.num_nodes=3"]
    base = ["fit", "-c", "quickstart.yaml", "-c", "overlays/trainer/fsdp.yaml"]
    strategy = run([*base, *options], Made).trainer.strategy
    assert isinstance(strategy, ShardedStrategy)
    assert (strategy.num_processes, strategy.num_nodes) == (2, 3)
    assert not strategy._save_distributed_checkpoint
