"""From a stage to the commands that do it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from docre.chain.stages import AnyStage, Chain, DistilStage, FitStage, FuseStage, option_text

SCORES = "scores.arrow"


class ChainStep(NamedTuple):
    """One command.

    Args:
        name: The command of docre.
        arguments: What stands behind ``docre``.
        run: Folder whose scores it writes.
    """

    name: str
    arguments: tuple[str, ...]
    run: Path

    @property
    def text(self) -> str:
        """Return the command as people type it."""
        return shlex.join(["docre", *self.arguments])


def steps_of(chain: Chain, name: str, folder: Path, extra: Mapping[str, Any]) -> list[ChainStep]:
    """Return the commands of a stage.

    Args:
        chain: The chain.
        name: The stage.
        folder: Folder of the chain, in which each stage has its own.
        extra: Options for each training.
    """
    stage, run = chain.stages[name], folder / name
    if isinstance(stage, FitStage):
        return [*_of_fit(stage, run, chain.stages, extra)]
    source = folder / (stage.distil if isinstance(stage, DistilStage) else stage.fuse)
    arguments = [stage.kind, "--run", str(source)]
    if isinstance(stage, DistilStage):
        arguments += ["--documents", stage.documents, "--output", str(run / SCORES)]
        source = run
    return [ChainStep(stage.kind, (*arguments, *_options(stage.options)), source)]


def goes_on(step: ChainStep) -> ChainStep:
    """Return a training that goes on from its last epoch, if it has one."""
    last = last_checkpoint(step.run)
    if step.name != "fit" or not last.exists():
        return step
    return step._replace(arguments=(*step.arguments, f"--ckpt_path={last}"))


def last_checkpoint(run: Path) -> Path:
    """Return the file a training goes on from."""
    return run / "checkpoints" / "last.ckpt"


def output_of(stage: AnyStage, run: Path) -> Path | None:
    """Return the file that later stages build on."""
    if isinstance(stage, FuseStage):
        return None
    if isinstance(stage, DistilStage):
        return run / SCORES
    from docre.parent import best_checkpoint

    return best_checkpoint(run)


def _of_fit(
    stage: FitStage, run: Path, stages: Mapping[str, AnyStage], extra: Mapping[str, Any]
) -> Iterator[ChainStep]:
    # TensorBoardLogger puts a run into save_dir/name/version
    place = {"save_dir": run.parent.parent, "name": run.parent.name, "version": run.name}
    words = [f"--config={config}" for config in stage.configs]
    words += [f"--trainer.logger.init_args.{key}={value}" for key, value in place.items()]
    if stage.init_from is not None:
        words.append(f"--model.init_from={run.with_name(stage.init_from)}")
    if stage.teacher is not None:
        teacher = run.with_name(stage.teacher)
        if isinstance(stages[stage.teacher], DistilStage):
            words.append(f"--model.teacher.init_args.path={teacher / SCORES}")
        else:
            words.append(f"--model.teacher.init_args.run={teacher}")
    yield ChainStep("fit", ("fit", *words, *_options({**stage.options, **extra})), run)
    if stage.validate:
        yield ChainStep("validate", ("validate", "--run", str(run)), run)
    if stage.test:
        yield ChainStep("test", ("test", "--run", str(run)), run)


def _options(options: Mapping[str, Any]) -> Sequence[str]:
    return [f"--{key}={option_text(value)}" for key, value in options.items()]
