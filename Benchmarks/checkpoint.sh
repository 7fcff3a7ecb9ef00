# Sourced by the scripts beside it: goes to the repository's root, builds the program unless
# LORIKEET names one, and makes a random bf16 checkpoint of Qwen2.5-0.5B's shape.
#
# Sets lorikeet (the program), work (a folder for files), model (the checkpoint) and threads.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=${WORK:-.build/benchmark}
model=$work/model
threads=${THREADS:-$(nproc)}
if [ -n "${LORIKEET:-}" ]; then
    lorikeet=$LORIKEET
else
    swift build -c release --product lorikeet >&2
    lorikeet=.build/release/lorikeet
fi
mkdir -p "$work"
if [ ! -d "$model" ]; then
    "$lorikeet" init --config Benchmarks/qwen2.5-0.5b.json \
        --tokenizer examples/arithmetic/student --output "$model" --dtype bfloat16
fi

# Rows of random token ids: random_rows COUNT LENGTH
random_rows() {
    awk -v count="$1" -v length_="$2" 'BEGIN {
        srand(1)
        for (row = 0; row < count; row++) {
            printf "{\"prompt_ids\": ["
            for (i = 0; i < length_; i++) printf "%s%d", i ? "," : "", int(rand() * 151000)
            print "]}"
        }
    }'
}

# The best of RUNS runs of `lorikeet generate`, tokens a second: speed (prefill|decode) OPTIONS...
speed() {
    local what=$1 report
    shift
    for _ in $(seq "${RUNS:-3}"); do
        report=$("$lorikeet" generate --model "$model" --threads "$threads" --temperature 1 \
            --ignore-eos --output /dev/null --speed "$@" 2>&1 > /dev/null) ||
            { echo "$report" >&2; exit 1; }
        sed -n "s,.*$what [0-9]* tokens\, \([0-9.]*\)/s.*,\1,p" <<< "$report"
    done | sort -g | tail -n 1
}

# A LoRA adapter of rank 32 on all linear layers, trained for one step: its folder in `adapter`.
make_adapter() {
    adapter=$work/adapter
    [ -d "$adapter" ] && return
    echo '{"prompt": "What is 1 + 1?", "response": "2"}' > "$work/adapter.jsonl"
    "$lorikeet" sft model.path="$model" model.lora_rank=32 model.lora_alpha=32 \
        data.train_files="$work/adapter.jsonl" data.train_batch_size=1 optim.lr=1e-3 \
        trainer.total_training_steps=1 trainer.default_local_dir="$work/sft" \
        trainer.resume_mode=disable >&2
    cp -r "$work/sft/global_step_1/actor/lora_adapter" "$adapter"
}

# What this machine can do, as `lorikeet doctor` measures it: read_bandwidth in GB/s by all threads
# together, peak in GFLOP/s of all threads.
measure_machine() {
    local report
    report=$("$lorikeet" doctor --threads "$threads")
    read_bandwidth=$(sed -n 's/^read bandwidth *\([0-9.]*\) .*/\1/p' <<< "$report")
    peak=$(sed -n 's/^peak of a core *\([0-9.]*\) .*/\1/p' <<< "$report" |
        awk -v threads="$threads" '{ print $1 * threads }')
}

# Waits for a process, and keeps the most memory that it had: peak, and own (in no file), in kB.
watch_memory() { # PROCESS
    local now anonymous
    peak_memory=0 own_memory=0
    while read -r now anonymous < <(awk '/^VmHWM/ { all = $2 } /^RssAnon/ { own = $2 }
        END { if (all) print all, own }' "/proc/$1/status" 2> /dev/null); do
        peak_memory=$now
        [ "$anonymous" -le "$own_memory" ] || own_memory=$anonymous
        sleep 0.1
    done
    wait "$1"
}
