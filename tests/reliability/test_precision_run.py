"""A training in bfloat16 comes to what trainings in float32 come to."""

from statistics import mean, stdev

import pytest

from tests.reliability.extent import by_extent
from tests.test_training import process, scalars

pytestmark = [pytest.mark.reliability, pytest.mark.timeout(3000)]
SMALL = [
    "--data.init_args.train_documents=250",
    "--data.init_args.dev_documents=100",
    "--data.init_args.test_documents=4",
    "--data.init_args.reading.cache_dir=cache",
    "--model.encoder.init_args.config.hidden_size=64",
    "--model.encoder.init_args.config.intermediate_size=96",
    "--model.encoder.init_args.config.num_hidden_layers=2",
    "--model.head.init_args.width=64",
    "--model.head.init_args.memory.init_args.slots=20",
    "--model.rates.encoder.lr=4e-3",
    "--model.rates.head.lr=4e-3",
    "--trainer.max_epochs=5",
    "--trainer.enable_progress_bar=false",
    "--dashboard.drawings=0",
]
SEEDS = by_extent(range(1, 4), range(1, 6))


def best_f1(folder, precision, seed):
    """Train in a folder of its own, on the same corpus, and return the best development F1."""
    options = [f"--trainer.precision={precision}", f"--seed_everything={seed}"]
    named = f"--trainer.logger.version={precision}_{seed}"
    done = process(
        *("fit", "-c", "quickstart.yaml", *SMALL, *options, named), cwd=folder, timeout=1500
    )
    assert done.returncode == 0, done.stderr
    return max(
        f1 for _, f1 in scalars(folder / "runs/quickstart" / f"{precision}_{seed}")["val/f1"]
    )


def test_bf16_reaches_the_score_of_float32(tmp_path, figures):
    """Within three deviations of seeds, and 0.05 where three seeds happen to be close."""
    exact = [best_f1(tmp_path, "32-true", seed) for seed in SEEDS]
    half = best_f1(tmp_path, "bf16-mixed", SEEDS[0])
    noise = stdev(exact)
    told = ", ".join(f"{f1:.3f}" for f1 in exact)
    figures.note("bf16 F1 beside float32", f"{half:.3f} beside {told} (seeds)")
    assert mean(exact) > 0.35  # entity types alone give 0.22
    assert half > mean(exact) - max(3 * noise, 0.05)
