#!/bin/bash
# A training on several machines of a SLURM cluster, which goes on after every interruption.
#
#   sbatch examples/slurm/train.sh redocred_ttm.yaml [options of docre fit]
#
# One task is one process on one GPU: --ntasks-per-node and --gpus-per-node are the same number. How
# much else the job takes (time, memory, --partition, --account) depends on the cluster. An update
# is made of nodes x tasks x --data.init_args.batches.batch_size documents.
#
#SBATCH --job-name=docre
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=4
#SBATCH --mem=64G
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=docre_%j.txt
#SBATCH --signal=B:USR1@300
set -u
DOCRE=${DOCRE:-docre}
CONFIG=${1:?which configuration? sbatch examples/slurm/train.sh redocred_ttm.yaml}
shift

# the same folder each time the job begins, on a disk that all machines see
NAME=$(basename "$CONFIG" .yaml)
VERSION=job_$SLURM_JOB_ID
RUN=runs/$NAME/$VERSION

if [ -f "$RUN/checkpoints/last.ckpt" ]; then
    set -- --resume "$RUN"
else
    set -- --config "$CONFIG" --trainer.accelerator gpu --trainer.strategy ddp "$@" \
        --trainer.devices "$SLURM_NTASKS_PER_NODE" --trainer.num_nodes "$SLURM_NNODES" \
        --trainer.logger.version "$VERSION"
fi

# five minutes before its time is over the job puts itself into the queue again
trap 'echo "again into the queue"; scontrol requeue "$SLURM_JOB_ID"' USR1

# in the background, so that the shell hears the signal; hearing it ends a wait, not the training
srun "$DOCRE" fit "$@" &
TRAINING=$!
wait "$TRAINING"
STATUS=$?
while kill -0 "$TRAINING" 2> /dev/null; do
    wait "$TRAINING"
    STATUS=$?
done
exit "$STATUS"
