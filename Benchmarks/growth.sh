#!/usr/bin/env bash
# Time and memory of an update by its packed tokens, with recomputation of every block: LoRA of rank
# 32 on all linear layers of a random bf16 checkpoint of Qwen2.5-0.5B's shape. Each length is taken
# twice: as one sequence, and as sequences of 512 tokens, whose attention is linear in tokens, too.
# Writes Documentation/Results/growth.csv and growth.svg.
#
#   [LENGTHS="1024 2048 4096 8192 16384"] [LAYERS=24] [WORK=FOLDER] [LORIKEET=PROGRAM] \
#       [RESULTS=Documentation/Results/growth] Benchmarks/growth.sh
#
# Memory is the most that tensors held at once, without the mapped base. To have all of a length in
# one pack, and no prompt's sequences cut off, the sequences of 512 tokens share one prompt token.
set -euo pipefail
cd "$(dirname "$0")/.."
lengths=${LENGTHS:-1024 2048 4096 8192 16384}
layers=${LAYERS:-24}
work=${WORK:-.build/benchmark/growth}
results=${RESULTS:-Documentation/Results/growth}
if [ -z "${LORIKEET:-}" ]; then
    swift build -c release --product lorikeet
    LORIKEET=.build/release/lorikeet
fi
mkdir -p "$work" "$(dirname "$results")"
swiftc -O Benchmarks/growth/main.swift Benchmarks/marks.swift -o "$work/draw"

model=$work/model-$layers
if [ ! -d "$model" ]; then
    sed "s/\"num_hidden_layers\": 24/\"num_hidden_layers\": $layers/" \
        Benchmarks/qwen2.5-0.5b.json > "$work/config.json"
    "$LORIKEET" init --config "$work/config.json" --tokenizer examples/arithmetic/student \
        --output "$model" --dtype bfloat16
fi

# A row has the prompt "1" and a response that is cut to what is left of `data.max_length`.
words=$(seq -s ' ' 1 20000)
row() { printf '{"prompt": "1", "response": "%s"}\n' "$words"; }

# measure NAME TOKENS SEQUENCES: appends a row to the table
measure() {
    local count=$3 folder=$work/run
    rm -rf "$folder"
    for _ in $(seq "$count"); do row; done > "$work/rows.jsonl"
    "$LORIKEET" sft model.path="$model" model.lora_rank=32 model.lora_alpha=32 \
        model.activation_memory_gb=0 data.train_files="$work/rows.jsonl" \
        data.prompt_key=prompt data.response_key=response \
        data.max_length=$(($2 / count)) data.truncation=right \
        data.train_batch_size="$count" data.micro_batch_size_per_gpu="$count" \
        optim.lr=1e-5 trainer.total_training_steps=1 trainer.save_freq=-1 \
        trainer.default_local_dir="$folder" > "$work/log"
    local value
    value() { grep -o "\"$1\": [0-9.e+-]*" "$folder/metrics.jsonl" | awk 'NR == 1 {print $2}'; }
    echo "$1,$2,$(value timing_s/step),$(value perf/max_memory_allocated_gb)" | tee -a "$results.csv"
}

echo "series,tokens,seconds,gibibytes" > "$results.csv"
for tokens in $lengths; do
    measure "one sequence" "$tokens" 1
    measure "sequences of 512" "$tokens" $((tokens / 512))
done
"$work/draw" "$results.csv" "$results.svg"
