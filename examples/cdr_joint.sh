#!/bin/sh
# Joint extraction on BioCreative V CDR with a small encoder, on a CPU: some 50 minutes on 2 cores.
#
#   sh examples/cdr_joint.sh FOLDER [options of docre fit]
#
# FOLDER has CDR_TrainingSet.PubTator.txt and CDR_DevelopmentSet.PubTator.txt. Of the training file
# the first 400 abstracts are learnt from and the last 100 selected and tuned on; the development
# file is only scored. Beside it stands a dictionary of the mentions of the 400.
set -eu
BIN=${BIN:-.venv/bin}
OUT=${OUT:-results/cdr_joint}
FOLDER=$1
shift

mkdir -p "$OUT/data"
# abstracts are parted by blank lines
awk 'BEGIN { RS = ""; ORS = "\n\n" } NR <= 400' "$FOLDER/CDR_TrainingSet.PubTator.txt" \
    > "$OUT/data/CDR_TrainingSet.PubTator.txt"
awk 'BEGIN { RS = ""; ORS = "\n\n" } NR > 400' "$FOLDER/CDR_TrainingSet.PubTator.txt" \
    > "$OUT/data/CDR_DevelopmentSet.PubTator.txt"
cp "$FOLDER/CDR_DevelopmentSet.PubTator.txt" "$OUT/data/CDR_TestSet.PubTator.txt"

rm -rf "$OUT/run/last"
"$BIN/docre" fit --config cdr_jerex_mrc.yaml --config overlays/encoder/minilm.yaml \
    --data.data_dir "$OUT/data" --model.rates.encoder.lr 1.5e-4 --model.rates.head.lr 5.0e-4 \
    --trainer.accelerator cpu --trainer.precision 32-true \
    --trainer.max_epochs 6 --trainer.check_val_every_n_epoch 2 \
    --trainer.logger.save_dir "$OUT" --trainer.logger.name run --trainer.logger.version last "$@"
RUN="$OUT/run/last"
"$BIN/docre" test --run "$RUN"
mv "$RUN/scores/test.json" "$RUN/scores/test_untuned.json"
"$BIN/docre" tune --run "$RUN"
"$BIN/docre" test --run "$RUN"
"$BIN/docre" dictionary "$OUT/data/CDR_TrainingSet.PubTator.txt" "$OUT/data/CDR_TestSet.PubTator.txt"
