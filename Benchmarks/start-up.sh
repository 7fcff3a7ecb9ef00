#!/usr/bin/env bash
# Time from the start of the program to the first token of an answer, on a checkpoint of 1 GB with a
# tokenizer as large as Qwen2.5's, its files in the page cache. Whole runs of the program: what it
# takes to end is counted too. Best of RUNS.
#
#   [RUNS=10] [THREADS=2] [LORIKEET=PROGRAM] Benchmarks/start-up.sh [generate's options ...]
set -euo pipefail
. "$(dirname "$0")/checkpoint.sh"
large=$work/model-with-large-tokenizer
if [ ! -d "$large" ]; then
    swiftc -O Benchmarks/large-tokenizer.swift -o "$work/large-tokenizer"
    "$work/large-tokenizer" examples/arithmetic/student "$work/tokenizer"
    "$lorikeet" init --config Benchmarks/qwen2.5-0.5b.json --tokenizer "$work/tokenizer" \
        --output "$large" --dtype bfloat16
fi
cat "$large"/* > /dev/null
for _ in $(seq "${RUNS:-10}"); do
    start=$(date +%s%N)
    "$lorikeet" generate --model "$large" --threads "$threads" --prompt "What is 1 + 1?" \
        --max-new-tokens 1 --ignore-eos --speed "$@" 2>&1 > /dev/null |
        sed 's/.*\(first token.*\)/\1/' > "$work/start-up"
    echo "$((($(date +%s%N) - start) / 1000000)) ms; $(cat "$work/start-up")"
done | sort -n | head -n 1 | sed 's/^/start to end, one token: /'
