#!/usr/bin/env bash
# Eight adapters in one batch of 16 against one: 16 sequences of 51 + 64 tokens on a random bf16
# checkpoint of Qwen2.5-0.5B's shape, adapters of rank 32 on all linear layers.
#
#   [RUNS=3] [THREADS=2] [LORIKEET=PROGRAM] Benchmarks/adapters.sh
#
# Figures are tokens a second of decoding, the best of RUNS runs; the runs of both kinds alternate.
set -euo pipefail
. "$(dirname "$0")/checkpoint.sh"
make_adapter
# Copies: what an adapter holds does not change its cost, and each is read from its own memory.
for i in 1 2 3 4 5 6 7 8; do
    [ -d "$adapter-$i" ] || cp -r "$adapter" "$adapter-$i"
done

rows() { # ADAPTERS; rows of one adapter are apart, as requests come
    random_rows 16 51 | awk -v count="$1" -v folder="$adapter" '{
        sub(/}$/, ", \"adapter\": \"" folder "-" (NR - 1) % count + 1 "\"}")
        print
    }' > "$work/adapters-$1.jsonl"
}
best() { awk -v a="$1" -v b="${2:-0}" 'BEGIN { most = a > b ? a : b; print most }'; }

for count in 1 8; do rows "$count"; done
runs=${RUNS:-3}
one=0 eight=0 none=0
for _ in $(seq "$runs"); do
    RUNS=1
    none=$(best "$(speed decode --input <(random_rows 16 51) --max-new-tokens 64)" "$none")
    one=$(best "$(speed decode --input "$work/adapters-1.jsonl" --max-new-tokens 64)" "$one")
    eight=$(best "$(speed decode --input "$work/adapters-8.jsonl" --max-new-tokens 64)" "$eight")
done
awk -v none="$none" -v one="$one" -v eight="$eight" 'BEGIN {
    printf "16 sequences, tokens/s: no adapter %.1f, one %.1f, eight %.1f\n", none, one, eight
    printf "eight adapters take %.0f %% longer than one (bar: at most 25 %%)\n",
        100 * (one / eight - 1)
}'
