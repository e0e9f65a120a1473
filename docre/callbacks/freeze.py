"""Keep parts of a model as they are."""

from __future__ import annotations

import logging

import lightning

from docre.errors import DocreError

_log = logging.getLogger(__name__)


class FreezeModules(lightning.Callback):
    """Freezes modules or parameters by their names.

    A name means everything it is the beginning of: ``head.memory`` is the whole memory,
    ``head.memory.memory`` only its slots. Frozen parameters are no part of the optimizer.

    Args:
        modules: Names as ``model.named_parameters()`` has them.
    """

    def __init__(self, modules: list[str]) -> None:
        self.modules = list(modules)

    def setup(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str
    ) -> None:
        """Freeze in a model that has its modules already, as one from a checkpoint."""
        if any(True for _ in pl_module.parameters()):
            self.on_model_built(trainer, pl_module)

    def on_model_built(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Freeze as soon as the modules exist, before an optimizer or DDP takes them."""
        parameters = dict(pl_module.named_parameters())
        for module in self.modules:
            found = [name for name in parameters if f"{name}.".startswith(f"{module}.")]
            if not found:
                tops = sorted({".".join(name.split(".")[:2]) for name in parameters})
                raise DocreError(f"there is no {module!r} to freeze; there are {', '.join(tops)}")
            for name in found:
                parameters[name].requires_grad_(False)
            count = sum(parameters[name].numel() for name in found)
            _log.info("%s is frozen: %s parameters", module, f"{count:,}")
