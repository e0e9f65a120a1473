#!/bin/sh
# From nothing to a score: make the synthetic corpus, look at it, predict, score, write a submission.
set -eu
BIN=${BIN:-.venv/bin}
OUT=${OUT:-quickstart}

"$BIN/docre" data synth "$OUT/corpus" --overwrite true
"$BIN/docre" data check "$OUT/corpus/dev.json"
"$BIN/docre" baseline "$OUT/corpus/train.json" "$OUT/corpus/dev.json" "$OUT/result.json"
"$BIN/docre" score "$OUT/result.json" "$OUT/corpus/dev.json" \
    --facts "$OUT/corpus/train.json" --bootstrap 1000 --output "$OUT/scores.json"
"$BIN/docre" baseline "$OUT/corpus/train.json" "$OUT/corpus/test.json" "$OUT/submission.zip"

echo
echo "corpus       $OUT/corpus (train.json, dev.json, test.json, relations.json)"
echo "predictions  $OUT/result.json"
echo "scores       $OUT/scores.json"
echo "submission   $OUT/submission.zip"
