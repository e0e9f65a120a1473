"""Weights, gradients and optimizer states spread over processes: what makes large encoders fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch.distributed as dist
from lightning.pytorch.strategies import ModelParallelStrategy, Strategy
from torch import Tensor, nn
from torch.optim import Optimizer

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh


class ShardedStrategy(ModelParallelStrategy):
    """Fully sharded data parallelism over all processes of all machines.

    Each process reads its own documents, as with DDP, and keeps a part of every parameter, of its
    gradient and of what the optimizer knows about it. A checkpoint is one file like any other: it
    opens in one process, and training goes on from it with or without sharding.

    In YAML: ``trainer.strategy: {class_path: docre.sharding.ShardedStrategy}``.
    """

    def __init__(self) -> None:
        super().__init__(tensor_parallel_size=1, save_distributed_checkpoint=False)

    def setup_environment(self) -> None:
        """Start the processes; all of them read different documents."""
        self._data_parallel_size = self.num_nodes * self.num_processes
        super().setup_environment()

    @property
    def lightning_restore_optimizer(self) -> bool:
        """Whether :meth:`load_optimizer_state_dict` is to be called."""
        return True

    def load_checkpoint(
        self, checkpoint_path: str | Path, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint, whole, on every process.

        Lightning's own strategy takes the numbers of an optimizer's states for those of the model's
        parameters, which holds for checkpoints of sharded trainings alone.
        """
        return Strategy.load_checkpoint(self, checkpoint_path, weights_only)

    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        """Take each process's part of the weights."""
        from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict

        options = StateDictOptions(full_state_dict=True, strict=strict)
        set_model_state_dict(self._built(), checkpoint["state_dict"], options=options)

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        """Take each process's part of what the optimizers knew."""
        from torch.distributed.checkpoint.state_dict import (
            StateDictOptions,
            set_optimizer_state_dict,
        )

        model, options = self._built(), StateDictOptions(full_state_dict=True)
        states = checkpoint["optimizer_states"]
        for optimizer, state in zip(self.optimizers, states, strict=True):
            set_optimizer_state_dict(
                model, optimizer, state_by_name(state, optimizer, model), options=options
            )

    def _built(self) -> nn.Module:
        assert self.lightning_module is not None
        return self.lightning_module


def state_by_name(state: Mapping[str, Any], optimizer: Optimizer, model: nn.Module) -> Any:
    """Return the state of an optimizer with names of parameters in place of their numbers.

    Numbers are compared as torch does it: by place in the groups.

    Args:
        state: A state dict of an optimizer over the same groups.
        optimizer: The optimizer that is to take it.
        model: Has the optimizer's parameters.
    """
    names = {parameter: name for name, parameter in model.named_parameters()}
    named: dict[Any, str] = {}
    for group, now in zip(state["param_groups"], optimizer.param_groups, strict=True):
        named |= zip(group["params"], (names[one] for one in now["params"]), strict=True)
    return {
        "state": {named[number]: value for number, value in state["state"].items()},
        "param_groups": [
            {**group, "params": [named[number] for number in group["params"]]}
            for group in state["param_groups"]
        ],
    }


def shard(model: nn.Module, mesh: DeviceMesh) -> None:
    """Give each process a part of every parameter; what a layer needs comes together as it runs.

    The layers of a transformer come together one after another, everything else once a step. A
    model that is sharded already stays as it is.

    Args:
        model: The whole model, on every process of the mesh; its forward pass is what runs first.
        mesh: Processes that read different documents, in one dimension.
    """
    from torch.distributed.fsdp import FSDPModule, fully_shard

    if isinstance(model, FSDPModule):
        return
    _share_weights(model, mesh)
    for layer in transformer_layers(model):
        fully_shard(layer, mesh=mesh)
    kind = type(model)
    fully_shard(model, mesh=mesh)
    # it is of a class made of its own now, which a checkpoint must not name
    type(model).__module__, type(model).__qualname__ = kind.__module__, kind.__qualname__


def transformer_layers(model: nn.Module) -> Iterator[nn.Module]:
    """Yield the layers of the transformers in a model: the stacks as long as they say they are."""
    seen: set[nn.Module] = set()
    for owner in model.modules():
        total = getattr(getattr(owner, "config", None), "num_hidden_layers", None)
        for stack in () if total is None else owner.modules():
            if isinstance(stack, nn.ModuleList) and len(stack) == total and stack not in seen:
                seen.add(stack)
                yield from stack


def whole(value: Tensor) -> Tensor:
    """Return a tensor that may be spread over processes, as one; all processes have to ask."""
    gather = getattr(value, "full_tensor", None)
    return value if gather is None else cast(Tensor, gather())


def _share_weights(model: nn.Module, mesh: DeviceMesh) -> None:
    """Take the weights of the first process, as DDP does: parts of several models are none."""
    group = mesh.get_group()
    for tensor in chain(model.parameters(), model.buffers()):
        shared = tensor.detach().to(mesh.device_type)
        dist.broadcast(shared, group=group, group_src=0)
        tensor.detach().copy_(shared)
