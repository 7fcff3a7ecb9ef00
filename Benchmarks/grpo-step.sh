#!/usr/bin/env bash
# Times whole GRPO steps on a random bf16 checkpoint of Qwen2.5-0.5B's shape: 4 prompts x 4 samples,
# 51 + 64 tokens, rank 32 on all linear layers, KL in the loss. Prints each step's parts in seconds,
# and the memory's peak: all of it, that over the mapped checkpoint, and the part that is no file.
#
#   [LORIKEET=PROGRAM] Benchmarks/grpo-step.sh [STEPS] [key=value ...]
set -euo pipefail
. "$(dirname "$0")/checkpoint.sh"
steps=${1:-3}
shift || true
# Prompts are cut to 51 tokens; answers run to 64 because no token ends them.
for i in 1 2 3 4; do
    words=$(printf 'What is %d + %d? ' $(seq $((i * 7)) $((i * 7 + 79))))
    printf '{"prompt": "%s", "answer": "%d"}\n' "$words" "$i"
done > "$work/prompts.jsonl"

"$lorikeet" train \
    actor_rollout_ref.model.path="$model" \
    data.train_files="$work/prompts.jsonl" data.max_prompt_length=51 data.truncation=right \
    data.max_response_length=64 data.train_batch_size=4 reward.function=exact_match \
    actor_rollout_ref.rollout.n=4 actor_rollout_ref.rollout.ignore_eos=True \
    algorithm.adv_estimator=grpo \
    actor_rollout_ref.model.lora_rank=32 actor_rollout_ref.model.lora_alpha=32 \
    actor_rollout_ref.actor.optim.lr=3e-5 actor_rollout_ref.actor.use_kl_loss=True \
    trainer.total_epochs="$steps" trainer.default_local_dir="$work/run" \
    trainer.resume_mode=disable "$@" &
watch_memory $!

echo
for name in timing_s/gen timing_s/ref timing_s/update_actor timing_s/step \
    perf/max_memory_allocated_gb training/rollout_log_probs_diff_max; do
    printf '%-40s' "$name"
    grep -o "\"$name\": [0-9.e+-]*" "$work/run/metrics.jsonl" | awk '{printf "%14.7g", $2}'
    echo
done
awk -v peak="$peak_memory" -v own="$own_memory" -v base="$(stat -c %s "$model/model.safetensors")" 'BEGIN {
    printf "peak memory %.2f GiB; %.2f GB over the mapped checkpoint; in no file %.2f GB\n",
        peak / 1048576, peak * 1.024e-6 - base * 1e-9, own * 1.024e-6
}'
