"""Times GRPO steps of TRL on the work of Benchmarks/grpo-step.sh, in f32.

    pip install -r requirements.txt   (torch's CPU wheel: --extra-index-url
                                       https://download.pytorch.org/whl/cpu)
    python trl_grpo_step.py MODEL PROMPTS.jsonl [--steps 2] [--recompute]

4 prompts of 51 tokens with 4 samples of 64 tokens each; LoRA of rank 32 on all linear layers; KL in
the loss. All samples are one micro-batch and activations are kept, which is TRL's fastest here;
--recompute asks for gradient checkpointing. Prints a line for each step, and the memory's peak.
"""

import argparse
import json
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count()))

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoTokenizer, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

PROMPTS, SAMPLES, PROMPT_TOKENS, RESPONSE_TOKENS = 4, 4, 51, 64


class TimedTrainer(GRPOTrainer):
    """Takes the first tokens of each prompt, and measures generation apart."""

    generation = 0.0

    def _tokenize_prompts(self, prompts):
        rows = self.processing_class(text=prompts)["input_ids"]
        return [ids[:PROMPT_TOKENS] for ids in rows], None, {}

    def _generate_single_turn(self, *arguments, **named):
        start = time.perf_counter()
        result = super()._generate_single_turn(*arguments, **named)
        self.generation += time.perf_counter() - start
        assert all(len(ids) == RESPONSE_TOKENS for ids in result[0])
        return result


class StepTimes(TrainerCallback):
    def __init__(self):
        self.trainer = None

    def on_step_begin(self, *arguments, **named):
        self.trainer.generation = 0.0
        self.start = time.perf_counter()

    def on_step_end(self, arguments, state, control, **named):
        seconds = time.perf_counter() - self.start
        generation = self.trainer.generation
        print(
            f"trl step {state.global_step}: {seconds:.2f} s, generation {generation:.2f}, "
            f"rest {seconds - generation:.2f}",
            flush=True,
        )


def peak_gib():
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) / (1 << 20)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("model")
    arguments.add_argument("prompts")
    arguments.add_argument("--steps", type=int, default=2)
    arguments.add_argument("--threads", type=int, default=os.cpu_count())
    arguments.add_argument("--recompute", action="store_true")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)

    with open(options.prompts) as rows:
        prompts = [json.loads(row)["prompt"] for row in rows][:PROMPTS]
    config = GRPOConfig(
        output_dir="/tmp/trl-grpo-step",
        use_cpu=True,
        bf16=False,
        model_init_kwargs={"dtype": "float32"},
        per_device_train_batch_size=PROMPTS * SAMPLES,
        num_generations=SAMPLES,
        max_completion_length=RESPONSE_TOKENS,
        generation_kwargs={"min_new_tokens": RESPONSE_TOKENS},
        gradient_checkpointing=options.recompute,
        beta=0.001,
        learning_rate=3e-5,
        max_steps=options.steps,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        logging_strategy="no",
    )
    times = StepTimes()
    times.trainer = TimedTrainer(
        model=options.model,
        # The length alone differs among answers of random weights.
        reward_funcs=lambda completions, **named: [float(len(text)) for text in completions],
        args=config,
        train_dataset=Dataset.from_list([{"prompt": prompt} for prompt in prompts]),
        processing_class=AutoTokenizer.from_pretrained(options.model),
        peft_config=LoraConfig(
            r=32, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"
        ),
        callbacks=[times],
    )
    times.trainer.train()
    print(f"trl peak memory: {peak_gib():.2f} GiB")


if __name__ == "__main__":
    main()
