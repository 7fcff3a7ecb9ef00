#!/usr/bin/env bash
# Whole GRPO steps of Lorikeet and of TRL in one sitting, on the same random checkpoint and prompts:
# seconds and peak memory of both, and the ratios. The faster of each one's steps counts.
#
#   python3 -m venv VENV && VENV/bin/pip install -r Benchmarks/peers/requirements.txt
#   PYTHON=VENV/bin/python [THREADS=2] [LORIKEET=PROGRAM] Benchmarks/against-trl.sh [STEPS]
#
# A step of TRL takes minutes and 11 GB; STEPS (2 unless given) is for both.
set -euo pipefail
. "$(dirname "$0")/checkpoint.sh"
steps=${1:-2}
LORIKEET=$lorikeet Benchmarks/grpo-step.sh "$steps" trainer.threads="$threads" |
    tee "$work/lorikeet-step.log"
"${PYTHON:-python3}" Benchmarks/peers/trl_grpo_step.py "$model" "$work/prompts.jsonl" \
    --steps "$steps" --threads "$threads" 2> "$work/trl-step.err" | tee "$work/trl-step.log" ||
    { tail -n 5 "$work/trl-step.err" >&2; exit 1; }

least() { tr -s ' ' '\n' | grep -x '[0-9.][0-9.]*' | sort -g | head -n 1; }
ours=$(sed -n 's,^timing_s/step,,p' "$work/lorikeet-step.log" | least)
theirs=$(sed -n 's/^trl step [0-9]*: \([0-9.]*\) s.*/\1/p' "$work/trl-step.log" | least)
our_memory=$(sed -n 's/^peak memory \([0-9.]*\) GiB.*/\1/p' "$work/lorikeet-step.log")
their_memory=$(sed -n 's/^trl peak memory: \([0-9.]*\) GiB/\1/p' "$work/trl-step.log")
awk -v ours="$ours" -v theirs="$theirs" -v mine="$our_memory" -v other="$their_memory" 'BEGIN {
    printf "\n| | Lorikeet | TRL | ratio |\n|---|---|---|---|\n"
    printf "| step, s | %.1f | %.1f | %.1f (bar 6) |\n", ours, theirs, theirs / ours
    printf "| peak memory, GiB | %.2f | %.2f | %.2f (bar 0.25) |\n", mine, other, mine / other
}'
