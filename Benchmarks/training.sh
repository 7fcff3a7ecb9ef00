#!/usr/bin/env bash
# Forward and backward over packed tokens, rank 32 on all linear layers of a random bf16 checkpoint of
# Qwen2.5-0.5B's shape: seconds, arithmetic as a share of the machine's f32 GEMM peak, and memory
# over the mapped checkpoint. Rows have 128 tokens, the loss counts all but the first of each.
#
#   [THREADS=2] [STEPS=3] [PYTHON=VENV/bin/python] [LORIKEET=PROGRAM] \
#       Benchmarks/training.sh [TOKENS ...]      (2048 unless given)
#
# The GEMM peak is the best product of 1024 x 1024 x 1024 in f32, measured in the same run: Lorikeet's
# and, where PYTHON has it, torch's. Only useful work counts: what is computed again in backward does
# not; "with recomputation" says what the cores did in truth.
set -euo pipefail
. "$(dirname "$0")/checkpoint.sh"
[ $# -gt 0 ] || set -- 2048
length=128

gemm_peak() {
    "$lorikeet" doctor --threads "$threads" | sed -n 's/^1024 cubed in f32 *\([0-9.]*\) .*/\1/p'
    "${PYTHON:-python3}" - "$threads" 2> /dev/null << 'END' || true
import sys, time
import torch
torch.set_num_threads(int(sys.argv[1]))
a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
best = 1e9
for _ in range(40):
    start = time.perf_counter()
    a @ b
    best = min(best, time.perf_counter() - start)
print(f"{2e-9 * 1024 ** 3 / best:.1f}")
END
}
echo "f32 GEMM peak, GFLOP/s (Lorikeet, torch): $(gemm_peak | tee "$work/gemm" | xargs)"
gemm=$(sort -g "$work/gemm" | tail -n 1)

printf '\n| tokens | recompute | seconds | tokens/s | of GEMM peak | with recomputation | GB over base |\n'
printf '|---|---|---|---|---|---|---|\n'
for tokens in "$@"; do
    awk -v count="$((tokens / length))" -v length_="$length" 'BEGIN {
        srand(1)
        for (row = 0; row < count; row++) {
            text = ""
            for (i = 0; i < 2 * length_; i++) text = text sprintf("%c", 97 + int(rand() * 26))
            printf "{\"prompt\": \"a\", \"response\": \"%s\"}\n", text
        }
    }' > "$work/packed.jsonl"
    for recompute in true false; do
        "$lorikeet" sft model.path="$model" model.lora_rank=32 model.lora_alpha=32 \
            model.enable_gradient_checkpointing=$recompute data.train_files="$work/packed.jsonl" \
            data.max_length="$length" data.truncation=right \
            data.train_batch_size="$((tokens / length))" data.max_token_len_per_gpu="$tokens" \
            optim.lr=1e-4 trainer.total_training_steps="${STEPS:-3}" trainer.total_epochs=1000 \
            trainer.threads="$threads" trainer.default_local_dir="$work/packed" \
            trainer.resume_mode=disable > "$work/packed.log" 2>&1 &
        watch_memory $! || { tail -n 5 "$work/packed.log" >&2; exit 1; }
        grep -o '"timing_s/step": [0-9.]*' "$work/packed/metrics.jsonl" | sort -gk 2 | head -n 1 |
            awk -v tokens="$tokens" -v length_="$length" -v recompute="$recompute" -v gemm="$gemm" \
                -v peak="$peak_memory" -v base="$(stat -c %s "$model/model.safetensors")" '{
            seconds = $2
            # Operations of one forward pass a token: blocks, attention over half the row, adapters.
            blocks = 2 * 24 * (2 * 896 * 896 + 2 * 896 * 128 + 3 * 896 * 4864)
            attention = 24 * 2 * 896 * length_
            low_rank = 2 * 24 * 32 * (2 * (896 + 896) + 2 * (896 + 128) + 3 * (896 + 4864))
            head = 2 * 151936 * 896 * (length_ - 1) / length_
            # Backward: by input what forward is, attention twice, adapters by input and by weight.
            useful = tokens * (2 * blocks + 3 * attention + 3 * low_rank + 2 * head)
            # The head computes its logits again in any case, blocks with recomputation.
            again = tokens * (head + (recompute == "true" ? blocks + attention + low_rank : 0))
            printf "| %d | %s | %.2f | %.0f | %.0f %% | %.0f %% | %.2f |\n", tokens,
                recompute == "true" ? "yes" : "no", seconds, tokens / seconds,
                useful * 1e-7 / seconds / gemm, (useful + again) * 1e-7 / seconds / gemm,
                peak * 1.024e-6 - base * 1e-9
        }'
    done
done
