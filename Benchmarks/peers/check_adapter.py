"""Checks that peft reads an adapter folder as Lorikeet means it.

    python check_adapter.py BASE ADAPTER [--merged FOLDER] [--logits FILE]

- the modules that peft adapts are those in the file, and every tensor arrives bit for bit;
- with --merged, the merged checkpoint gives the logits of base + adapter;
- with --logits, a safetensors file with input_ids [S, T] (I32), attention_mask [S, T] (I32) and
  logits [S, T, V] (F32), these are the logits that peft gives.

Ends with status 1 when a difference is larger than --tolerance.
"""

import argparse
import sys

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM


def logits_of(model, ids, mask):
    with torch.no_grad():
        return model(input_ids=ids, attention_mask=mask).logits * mask[..., None]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("base")
    arguments.add_argument("adapter")
    arguments.add_argument("--merged")
    arguments.add_argument("--logits")
    arguments.add_argument("--tolerance", type=float, default=1e-5)
    options = arguments.parse_args()

    base = AutoModelForCausalLM.from_pretrained(options.base, dtype=torch.float32).eval()
    adapted = PeftModel.from_pretrained(base, options.adapter).eval()
    written = load_file(f"{options.adapter}/adapter_model.safetensors")
    loaded = get_peft_model_state_dict(adapted)
    failures = []
    if set(written) != set(loaded):
        failures.append(f"other modules: {sorted(set(written) ^ set(loaded))[:4]}")
    for name in set(written) & set(loaded):
        if not torch.equal(written[name], loaded[name]):
            failures.append(f"{name} differs")

    if options.logits:
        expected = load_file(options.logits)
        ids, mask = expected["input_ids"].long(), expected["attention_mask"].long()
    else:
        generator = torch.Generator().manual_seed(0)
        ids = torch.randint(base.config.vocab_size, (2, 24), generator=generator)
        mask = torch.ones_like(ids)
    reference = logits_of(adapted, ids, mask)

    def compare(what, found):
        difference = (found - reference).abs().max().item()
        print(f"{what}: largest difference of the logits {difference:.2e}")
        if not difference <= options.tolerance:
            failures.append(f"{what}: {difference:.2e}")

    if options.logits:
        compare("logits", expected["logits"] * mask[..., None])
    if options.merged:
        merged = AutoModelForCausalLM.from_pretrained(options.merged, dtype=torch.float32).eval()
        compare("merged", logits_of(merged, ids, mask))
    print(f"{len(written)} tensors, {'FAILED' if failures else 'the same'}", *failures, sep="\n")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
