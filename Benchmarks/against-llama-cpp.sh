#!/usr/bin/env bash
# Lorikeet's engine and llama.cpp in one sitting, on the same random checkpoint of Qwen2.5-0.5B's
# shape with the adapter off: prefill of 512 tokens, decoding of 1 and of 16 sequences (51 + 64
# tokens), as the checkpoint has it (bf16; f16 there), in 8 bits and in 4 bits.
#
#   python3 -m venv VENV && VENV/bin/pip install -r Benchmarks/peers/requirements.txt
#   PYTHON=VENV/bin/python [RUNS=3] [THREADS=2] [LORIKEET=PROGRAM] \
#       Benchmarks/against-llama-cpp.sh [bf16 int8 int4]
#
# int8-rounded and int4-rounded are the same weights with activations rounded to int8, as llama.cpp
# rounds its own. Figures are tokens a second, the best of RUNS runs; both programs take turns,
# weights by weights. Lorikeet draws each token from the whole distribution and keeps its
# log-probability; llama.cpp is spared that.
set -euo pipefail
. "$(dirname "$0")/checkpoint.sh"
[ $# -gt 0 ] || set -- bf16 int8 int4
"${PYTHON:-python3}" Benchmarks/peers/llama_cpp_model.py "$model" "$work/gguf" 2> /dev/null
random_rows 1 512 > "$work/prefill.jsonl"
random_rows 1 51 > "$work/one.jsonl"
random_rows 16 51 > "$work/sixteen.jsonl"

line() { # WHAT OURS THEIRS
    awk -v what="$1" -v ours="$2" -v theirs="$3" 'BEGIN {
        printf "| %s | %.1f | %.1f | %.2f |\n", what, ours, theirs, ours / theirs
    }'
}
figure() { sed -n "s/.*\"$1\": \([0-9.]*\).*/\1/p" <<< "$theirs"; }

printf '%s threads, tokens a second\n\n' "$threads"
printf '| weights | Lorikeet | llama.cpp | ratio |\n|---|---|---|---|\n'
for kind in "$@"; do
    case $kind in
        bf16) peer=f16 options=() ;;
        int8 | int8-rounded) peer=q8_0 options=(--quantization int8) ;;
        int4 | int4-rounded) peer=q4_0 options=(--quantization int4) ;;
        *) echo "$kind is none of bf16, int8, int4, int8-rounded, int4-rounded" >&2; exit 1 ;;
    esac
    [ "${kind%-rounded}" = "$kind" ] || options+=(--activations int8)
    ours() { speed "$1" --input "$work/$2.jsonl" --max-new-tokens "$3" ${options[@]+"${options[@]}"}; }
    prefill=$(ours prefill prefill 1)
    one=$(ours decode one 64)
    sixteen=$(ours decode sixteen 64)
    theirs=$("${PYTHON:-python3}" Benchmarks/peers/llama_cpp_decode.py "$work/gguf/$peer.gguf" \
        --threads "$threads" --runs "${RUNS:-3}" 2> /dev/null)
    line "$kind, $peer: decode 1" "$one" "$(figure 'decode 1')"
    line "$kind, $peer: decode 16" "$sixteen" "$(figure 'decode 16')"
    line "$kind, $peer: prefill 512" "$prefill" "$(figure prefill)"
done
