#!/usr/bin/env bash
#SBATCH --job-name=art-transfer
#SBATCH --nodes=1
#SBATCH --gres=gpu:1
#SBATCH --time=24:00:00
#SBATCH --mem=50G
# A minute before its time is over a job is told to end: it keeps every finished epoch, goes back
# into the queue and goes on from there; with --no-requeue it waits for you to submit it again.
#SBATCH --signal=B:TERM@60
#SBATCH --requeue
#SBATCH --open-mode=append

# ---- Edit these for your own collection; left as they are, a toy collection is painted and used.
dataset_name="toy"                     # names the result folders
metadata_path="collections/toy/metadata.csv"   # CSV: ImageId, dc_creator, dc_materiaal, dc_type, or yours
jpg_images_path="collections/toy/jpg"  # folder of <ImageId>.jpg (subfolders and other formats too)
results_path="results"                 # metrics, tables, figures, trained networks
datasets_path="datasets"               # splits and HDF5 files, made once and shared by all runs
tl_mode="off_the_shelf fine_tuning random"   # one or several of these

challenges=("artist")                  # material, type, artist, or any column; several: ("artist" "type")
ANNs=("MobileNet(alpha=0.25)")         # e.g. ("VGG19" "ResNet50" "InceptionV3" "Xception")
input_size="64"                        # pixels; empty for each network's own
weights="toy/mobilenet_0.25_64_nature.weights.h5"   # imagenet, none, or a file
options=()                             # e.g. (--id_column "my id" --min_pictures 20 --tensorboard logs)
# ---- Nothing below needs to be edited.

set -eo pipefail
# a plan's paths are those of the folder where it is carried out
if [ "$1" != "--array" ]; then cd "${SLURM_SUBMIT_DIR:-$(dirname "$0")}"; fi
if [ -x .venv/bin/python ]; then PATH="$PWD/.venv/bin:$PATH"; fi   # what the README installs

# Only where SLURM runs this: bash hands a signal on when what it waits for has ended, but for `wait`.
# A job that is cancelled is told to end too, and stays out of the queue.
run() {
    if [ -z "$SLURM_JOB_ID" ]; then "$@"; return; fi
    "$@" & running=$!
    wait "$running"
}
back_to_the_queue() {
    trap '' TERM
    kill -TERM "$running" 2> /dev/null || true
    wait "$running" || true
    job="${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}"
    job="${job:-$SLURM_JOB_ID}"
    state=$(squeue --noheader --jobs "$job" --format %T) || state="unknown"
    if [ "$state" = "unknown" ]; then echo "squeue does not answer: submit it again" >&2; fi
    if [ "$state" = "RUNNING" ]; then
        # not for ever, should no epoch be finished in the time that a job has
        if [ "${SLURM_RESTART_COUNT:-0}" -ge 20 ]; then
            echo "the time was over 20 times: submit it again, with more --time" >&2
        elif scontrol requeue "$job"; then
            echo "the time is over: job $job goes back into the queue and goes on from here"
        fi
    fi
    exit 143
}
if [ -n "$SLURM_JOB_ID" ]; then trap back_to_the_queue TERM; fi

# gives SLURM an array of tasks for each word of $waves, behind the one before
submit() {
    after=()
    for tasks in $waves; do
        job=$(sbatch --parsable "${after[@]}" --array="$tasks" "$0" "$@") || {
            echo "error: sbatch is here and takes no job; without it in the PATH tasks run in turn" >&2
            exit 1
        }
        job=${job%%;*}   # behind it may stand the cluster's name
        echo "job $job: tasks $tasks"
        # not afterok: of tasks that fail, those behind them say what is not there, and end
        after=(--dependency="afterany:$job")
    done
}

if [ -n "$1" ] && [[ "$1" != "--array" || $# -lt 2 || "$2" =~ ^0*$ || ($# -eq 2 && "$2" =~ ^[0-9]+$) ]]; then
    echo "error: $0 $*; accepted: nothing (what is edited above), --array PLAN.csv, or" \
        "--array [N] COMMAND with N parts from 1" >&2
    exit 2
fi

# ./job.sh --array [N] COMMAND, of visualization.render or visualization.compare: its result in N parts,
# tasks 1 to N of SLURM, and joined, task 0; without SLURM one after another. Without N the command says
# how many take minutes each. Clusters cap it: scontrol show config | grep MaxArraySize
if [ "$1" = "--array" ] && [ $# -gt 2 ]; then
    if [[ ! "$2" =~ ^[0-9]+$ ]]; then
        parts=$("${@:2}" --parts | tail -n 1)   # before it may stand lines of a download
        if [[ ! "$parts" =~ ^[1-9][0-9]*$ ]]; then echo "error: no number of parts: $parts" >&2; exit 2; fi
        set -- --array "$parts" "${@:2}"
    fi
    parts=$2 command=("${@:3}")
    case "$SLURM_ARRAY_TASK_ID" in
        "") ;;
        0) run "${command[@]}" --join; exit ;;
        *) run "${command[@]}" --shard "$SLURM_ARRAY_TASK_ID/$parts"; exit ;;
    esac
    if command -v sbatch > /dev/null; then waves="1-$parts 0"; submit "$@"; exit; fi
    for part in $(seq "$parts"); do   # after one that fails the others; not after an interrupt
        "${command[@]}" --shard "$part/$parts" || { code=$?; [ "$code" -lt 128 ] || exit "$code"; }
    done
    exec "${command[@]}" --join
fi

# ./job.sh --array PLAN.csv carries out what `python -m papers PAPER --plan PLAN.csv` wrote: a task of
# SLURM its line, else an array for each wave, or without SLURM all lines one after another
if [ "$1" = "--array" ]; then
    if [ -n "$SLURM_ARRAY_TASK_ID" ]; then
        run python -m papers.plan "$2" --task "$SLURM_ARRAY_TASK_ID"
        exit
    fi
    if ! command -v sbatch > /dev/null; then exec python -m papers.plan "$2"; fi
    waves=$(python -m papers.plan "$2" --waves)
    submit "$@"
    exit
fi

if [ "$dataset_name" = "toy" ]; then
    run python -m toy paint collections/toy
fi
# without the two paths, the authors' own HDF5 files are expected in $datasets_path
if [ -n "$metadata_path" ]; then options+=(--metadata_path "$metadata_path"); fi
if [ -n "$jpg_images_path" ]; then options+=(--jpg_images_path "$jpg_images_path"); fi
if [ -n "$input_size" ]; then options+=(--input_size "$input_size"); fi
# NAME:WEIGHTS is a network with what it starts from; a mode that starts from scratch leaves that
if [ -n "$weights" ]; then ANNs=("${ANNs[@]/%/:"$weights"}"); fi
for challenge in "${challenges[@]}"; do
    run python -m transfer.experiment --dataset_name "$dataset_name" --challenge "$challenge" \
        --results_path "$results_path" --datasets_path "$datasets_path" \
        --ANN "${ANNs[@]}" --tl_mode $tl_mode "${options[@]}"
done
run python -m transfer.tables "$results_path"
