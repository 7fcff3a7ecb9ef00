#!/usr/bin/env bash
# Speed of the rollout engine on a random checkpoint of Qwen2.5-0.5B's shape: prefill of a prompt of
# 512 tokens, and decoding of 1 and of 16 sequences (51 + 64 tokens), without and with a LoRA adapter
# of rank 32; and the share of what the machine can do: memory's bandwidth for one sequence, the
# cores' peak for prefill, both as `lorikeet doctor` measures them.
#
#   [RUNS=3] [THREADS=2] [LORIKEET=PROGRAM] Benchmarks/engine.sh [bf16 int8 int4 nf4]
#
# int8-rounded and int4-rounded are the same weights with activations rounded to int8.
# Figures are tokens a second, the best of RUNS runs.
set -euo pipefail
. "$(dirname "$0")/checkpoint.sh"
[ $# -gt 0 ] || set -- bf16 int8 int4 nf4
random_rows 1 512 > "$work/prefill.jsonl"
random_rows 1 51 > "$work/one.jsonl"
random_rows 16 51 > "$work/sixteen.jsonl"
make_adapter
measure_machine

# Bytes that one token reads: kept to the shape of Benchmarks/qwen2.5-0.5b.json. Quantised weights
# have a scale of 4 bytes for each 64; 4-bit kinds keep the head in int8.
bytes() { # KIND WITH_ADAPTER
    awk -v kind="$1" -v adapter="$2" 'BEGIN {
        blocks = 24 * (2 * 896 * 896 + 2 * 896 * 128 + 3 * 896 * 4864)
        head = 151936 * 896
        each = kind == "bf16" ? 2 : (kind ~ /^int8/ ? 1 : 0.5) + 4 / 64
        each_head = kind == "bf16" ? 2 : 1 + 4 / 64
        low_rank = 24 * 32 * (2 * (896 + 896) + 2 * (896 + 128) + 3 * (896 + 4864))
        print each * blocks + each_head * head + (adapter ? 4 * low_rank : 0)
    }'
}

printf '%s threads; memory reads %s GB/s, cores make %s GFLOP/s\n\n' \
    "$threads" "$read_bandwidth" "$peak"
printf '| weights | adapter | prefill 512 | of peak | decode 1 | of bandwidth | decode 16 |\n'
printf '|---|---|---|---|---|---|---|\n'
for kind in "$@"; do
    quantized=()
    [ "$kind" = bf16 ] || quantized=(--quantization "${kind%-rounded}")
    [ "${kind%-rounded}" = "$kind" ] || quantized+=(--activations int8)
    for adapted in "" rank-32; do
        options=(${quantized[@]+"${quantized[@]}"} ${adapted:+--adapter "$adapter"})
        prefill=$(speed prefill --input "$work/prefill.jsonl" --max-new-tokens 1 "${options[@]}")
        one=$(speed decode --input "$work/one.jsonl" --max-new-tokens 64 "${options[@]}")
        sixteen=$(speed decode --input "$work/sixteen.jsonl" --max-new-tokens 64 "${options[@]}")
        awk -v kind="$kind" -v adapted="${adapted:-none}" -v prefill="$prefill" -v one="$one" \
            -v sixteen="$sixteen" -v bytes="$(bytes "$kind" "$adapted")" \
            -v bandwidth="$read_bandwidth" -v peak="$peak" 'BEGIN {
                # Of the prompt only the last row meets the head.
                work = prefill * 2e-9 * 24 * (2 * 896 * 896 + 2 * 896 * 128 + 3 * 896 * 4864)
                printf "| %s | %s | %.1f | %.0f %% | %.1f | %.0f %% | %.1f |\n", kind, adapted,
                    prefill, 100 * work / peak, one, 100 * one * bytes * 1e-9 / bandwidth, sixteen
            }'
    done
done
