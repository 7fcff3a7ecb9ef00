#!/usr/bin/env bash
# Full training against LoRA adapters of rank 1, 8 and 32 on two tasks: makes the harder task's
# student, every run, and from the runs the figures and the picture of
# Documentation/Results/lora-against-full.md.
#
#   [JOBS=2] [WORK=FOLDER] [LORIKEET=PROGRAM] Benchmarks/lora-against-full.sh
#
# JOBS runs are made at a time, with one thread each. A finished run is kept in WORK and not made
# again, so that the command goes on from where it was stopped.
set -euo pipefail
cd "$(dirname "$0")/.."
results=Documentation/Results/lora-against-full
export WORK=${WORK:-checkpoints/lora-against-full}
jobs=${JOBS:-2}

# The rates are a factor of two or three apart and go on until the best one has neighbours on both
# sides. The one whose mean reward over the curve is highest with the sweep's seed is then run with
# three others.
sweep_seed=100
seeds="1 2 3"
tasks="two-numbers three-numbers"
ranks="0 1 8 32"
rates() { # RANK, where 0 is full training
    case $1 in
        0) echo 1e-4 3e-4 6e-4 1e-3 ;;
        *) echo 1e-3 3e-3 6e-3 1e-2 ;;
    esac
}

# One run, unless it is there already: run TASK RANK RATE SEED
if [ "${1:-}" = run ]; then
    folder=$WORK/runs/$2/rank-$3/rate-$4/seed-$5
    [ -e "$folder/finished" ] && exit 0
    mkdir -p "$folder"
    task=() # the shipped example's own model and data, or those of the harder task
    [ "$2" = two-numbers ] || task=(
        actor_rollout_ref.model.path="$WORK/$2/student"
        data.train_files="$WORK/$2/train.jsonl" data.val_files="$WORK/$2/test.jsonl"
        trainer.total_training_steps=30
    )
    $LORIKEET train examples/arithmetic.yaml ${task[@]+"${task[@]}"} \
        actor_rollout_ref.model.lora_rank="$3" actor_rollout_ref.model.lora_alpha=32 \
        actor_rollout_ref.actor.optim.lr="$4" actor_rollout_ref.actor.use_kl_loss=false \
        trainer.seed="$5" trainer.test_freq=2 trainer.threads=1 \
        trainer.default_local_dir="$folder" > "$folder/log" 2>&1 ||
        { echo "$folder failed: $(tail -n 1 "$folder/log")"; exit 1; }
    touch "$folder/finished"
    echo "$(date +%T) $2 rank $3 rate $4 seed $5: $(grep 'finished step' "$folder/log")"
    exit 0
fi

if [ -z "${LORIKEET:-}" ]; then
    swift build -c release --product lorikeet
    export LORIKEET=.build/release/lorikeet
fi
mkdir -p "$WORK" "$(dirname "$results")"
swiftc -O examples/arithmetic/generate.swift -o "$WORK/generate"
swiftc -O Benchmarks/lora-against-full/*.swift Benchmarks/marks.swift -o "$WORK/study"

# The harder task: the shipped student learns on from worse homework, about sums of three numbers.
harder=$WORK/three-numbers
if [ ! -d "$harder/student" ]; then
    mkdir -p "$harder"
    "$WORK/generate" "$harder" three
    "$WORK/generate" "$harder" check
    $LORIKEET sft examples/arithmetic/sft.yaml model.path=examples/arithmetic/student \
        data.train_files="$harder/homework.jsonl" data.max_length=96 optim.lr=1e-3 \
        trainer.default_local_dir="$harder/sft"
    cp -r "$harder"/sft/global_step_*/actor/huggingface "$harder/student"
fi

make_runs() { xargs -P "$jobs" -L 1 Benchmarks/lora-against-full.sh run; }

for task in $tasks; do
    for rank in $ranks; do
        for rate in $(rates "$rank"); do echo "$task $rank $rate $sweep_seed"; done
    done
done | make_runs
"$WORK/study" collect "$WORK/runs" "$results.csv"

for task in $tasks; do
    for rank in $ranks; do
        rate=$("$WORK/study" best "$results.csv" "$sweep_seed" "$task" "$rank")
        for seed in $seeds; do echo "$task $rank $rate $seed"; done
    done
done | make_runs
"$WORK/study" collect "$WORK/runs" "$results.csv"
"$WORK/study" draw "$results.csv" "$sweep_seed" "$results.svg"
"$WORK/study" table "$results.csv" "$sweep_seed"
