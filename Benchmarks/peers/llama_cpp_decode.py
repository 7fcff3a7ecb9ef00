"""Tokens a second of llama.cpp: prefill of one prompt, and decoding of 1 and of 16 sequences.

    CMAKE_ARGS="-DGGML_NATIVE=ON" pip install --no-binary llama-cpp-python -r requirements.txt
    python llama_cpp_decode.py MODEL.gguf [--runs 3] [--threads 2]

Prompts are random tokens, and so are the tokens that "decoding" appends: nothing is drawn from the
logits, which spares the peer work that Lorikeet's figures have in them. Best of --runs. Prints a JSON object: {"prefill", "decode 1", "decode 16"} in tokens a second, and the
process's peak memory in GiB.
"""

import argparse
import json
import os
import random
import time

import llama_cpp

PREFILL, PROMPT, RESPONSE = 512, 51, 64


class Session:
    """A context on a loaded model, for so many sequences."""

    def __init__(self, model, sequences, threads, unified=True):
        vocabulary = llama_cpp.llama_model_get_vocab(model)
        self.vocabulary_size = llama_cpp.llama_vocab_n_tokens(vocabulary)
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = sequences * 256 if sequences > 1 else 1024
        settings.n_batch = settings.n_ubatch = max(PREFILL, sequences * PROMPT)
        settings.n_seq_max = sequences
        settings.n_threads = settings.n_threads_batch = threads
        settings.kv_unified = unified
        self.context = llama_cpp.llama_init_from_model(model, settings)
        self.batch = llama_cpp.llama_batch_init(settings.n_batch, 0, 1)
        self.random = random.Random(0)

    def decode(self, places):
        """One step over (sequence, position, wants logits) triples; returns its seconds."""
        self.batch.n_tokens = len(places)
        for i, (sequence, position, logits) in enumerate(places):
            self.batch.token[i] = self.random.randrange(self.vocabulary_size)
            self.batch.pos[i] = position
            self.batch.n_seq_id[i] = 1
            self.batch.seq_id[i][0] = sequence
            self.batch.logits[i] = logits
        start = time.perf_counter()
        if llama_cpp.llama_decode(self.context, self.batch) != 0:
            raise SystemExit("llama.cpp failed to decode")
        llama_cpp.llama_synchronize(self.context)
        return time.perf_counter() - start

    def clear(self):
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)

    def close(self):
        llama_cpp.llama_batch_free(self.batch)
        llama_cpp.llama_free(self.context)


def prefill_speed(session):
    session.clear()
    return PREFILL / session.decode([(0, i, i == PREFILL - 1) for i in range(PREFILL)])


def decode_speed(session, sequences):
    session.clear()
    session.decode(
        [(s, i, i == PROMPT - 1) for s in range(sequences) for i in range(PROMPT)])
    seconds = sum(
        session.decode([(s, PROMPT + i, True) for s in range(sequences)])
        for i in range(RESPONSE - 1))
    return sequences * (RESPONSE - 1) / seconds


def best(runs, measure, *arguments):
    return max(measure(*arguments) for _ in range(runs))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("model")
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--threads", type=int, default=os.cpu_count())
    arguments.add_argument("--verbose", action="store_true")
    options = arguments.parse_args()
    quiet = llama_cpp.llama_log_callback(lambda level, text, data: None)
    if not options.verbose:
        llama_cpp.llama_log_set(quiet, None)
    llama_cpp.llama_backend_init()

    settings = llama_cpp.llama_model_default_params()
    model = llama_cpp.llama_model_load_from_file(options.model.encode(), settings)
    if not model:
        raise SystemExit(f"llama.cpp cannot read {options.model}")
    session = Session(model, 1, options.threads)
    session.decode([(0, 0, True)])  # reads the weights into memory
    figures = {
        "prefill": best(options.runs, prefill_speed, session),
        "decode 1": best(options.runs, decode_speed, session, 1),
        "decode 16": 0,
    }
    session.close()
    # One cache for all sequences or one for each: the faster one counts.
    for unified in (True, False):
        session = Session(model, 16, options.threads, unified)
        speed = best(options.runs, decode_speed, session, 16)
        figures["decode 16"] = max(figures["decode 16"], speed)
        session.close()
    with open("/proc/self/status") as status:
        peak = next(line for line in status if line.startswith("VmHWM"))
    figures["memory"] = int(peak.split()[1]) / (1 << 20)
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
