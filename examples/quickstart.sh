#!/bin/sh
# From nothing to a trained model: corpus, training, scores on held-out documents, calibrated
# predictions with a page to read them, and a folder that is the model.
set -eu
BIN=${BIN:-.venv/bin}
OUT=${OUT:-quickstart}

rm -rf "$OUT/run/last" "$OUT/model"
"$BIN/docre" fit --config quickstart.yaml \
    --trainer.logger.save_dir "$OUT" --trainer.logger.name run --trainer.logger.version last \
    --data.data_dir "$OUT/data" "$@"
RUN="$OUT/run/last"
"$BIN/docre" test --run "$RUN"
"$BIN/docre" calibrate --run "$RUN"
CORPUS=$(dirname "$(ls "$OUT"/data/*/test.json | head -n 1)")
"$BIN/docre" predict "$RUN" "$CORPUS/test.json" --output "$OUT/predictions.jsonl"
"$BIN/docre" report "$OUT/predictions.jsonl" --gold "$CORPUS/test.json" --output "$OUT/report.html"
"$BIN/docre" export "$RUN" "$OUT/model"
# what entity types alone can do, to compare with
"$BIN/docre" baseline "$CORPUS/train.json" "$CORPUS/test.json" "$OUT/baseline.json"
"$BIN/docre" score "$OUT/baseline.json" "$CORPUS/test.json" --facts "$CORPUS/train.json" \
    --output "$OUT/baseline_scores.json"

echo
echo "corpus       $CORPUS (train.json, dev.json, test.json)"
echo "checkpoint   $RUN/checkpoints/best.ckpt"
echo "TensorBoard  $BIN/tensorboard --logdir $OUT/run"
echo "test scores  $RUN/scores/test.json"
echo "predictions  $OUT/predictions.jsonl"
echo "page         $OUT/report.html"
echo "model        $OUT/model"
