#!/usr/bin/env bash
# Times whole GRPO steps on a random bf16 checkpoint of Qwen2.5-0.5B's shape: 4 prompts x 4 samples,
# 51 + 64 tokens, rank 32 on all linear layers, KL in the loss. Prints each step's parts in seconds.
#
#   Benchmarks/grpo-step.sh [STEPS] [key=value ...]
set -euo pipefail
cd "$(dirname "$0")/.."
steps=${1:-3}
shift || true
work=.build/benchmark
swift build -c release --product lorikeet
lorikeet=.build/release/lorikeet

mkdir -p "$work"
if [ ! -d "$work/model" ]; then
    "$lorikeet" init --config Benchmarks/qwen2.5-0.5b.json \
        --tokenizer examples/arithmetic/student --output "$work/model" --dtype bfloat16
fi
# Prompts are cut to 51 tokens; answers run to 64 because no token ends them.
for i in 1 2 3 4; do
    words=$(printf 'What is %d + %d? ' $(seq $((i * 7)) $((i * 7 + 79))))
    printf '{"prompt": "%s", "answer": "%d"}\n' "$words" "$i"
done > "$work/prompts.jsonl"

/usr/bin/env time -v true 2> /dev/null && timer="/usr/bin/env time -v" || timer=""
$timer "$lorikeet" train \
    actor_rollout_ref.model.path="$work/model" \
    data.train_files="$work/prompts.jsonl" data.max_prompt_length=51 data.truncation=right \
    data.max_response_length=64 data.train_batch_size=4 reward.function=exact_match \
    actor_rollout_ref.rollout.n=4 actor_rollout_ref.rollout.ignore_eos=True \
    algorithm.adv_estimator=grpo \
    actor_rollout_ref.model.lora_rank=32 actor_rollout_ref.model.lora_alpha=32 \
    actor_rollout_ref.actor.optim.lr=3e-5 actor_rollout_ref.actor.use_kl_loss=True \
    trainer.total_epochs="$steps" trainer.default_local_dir="$work/run" \
    trainer.resume_mode=disable "$@"

echo
for name in timing_s/gen timing_s/ref timing_s/update_actor timing_s/step \
    perf/max_memory_allocated_gb perf/cpu_memory_used_gb \
    training/rollout_log_probs_diff_max; do
    printf '%-40s' "$name"
    grep -o "\"$name\": [0-9.e+-]*" "$work/run/metrics.jsonl" | awk '{printf "%14.7g", $2}'
    echo
done
