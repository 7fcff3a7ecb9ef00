"""Writes a checkpoint of Qwen2's architecture as GGUF files for llama.cpp: f16, q8_0, q4_0.

    python llama_cpp_model.py MODEL FOLDER

q8_0 and q4_0 are made by llama.cpp's own quantizer as it comes (which keeps the tied embedding and
head of q4_0 finer). Files that exist are kept. There is no vocabulary: texts are not needed.
"""

import json
import os
import sys

import gguf
import llama_cpp
import torch
from safetensors import safe_open

KINDS = {"q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0, "q4_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0}


def write_f16(model, path):
    with open(f"{model}/config.json") as file:
        config = json.load(file)
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_name("benchmark")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("no_vocab")
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, config["num_hidden_layers"])
    with safe_open(f"{model}/model.safetensors", framework="pt") as weights:
        for name in weights.keys():
            tensor = weights.get_tensor(name)
            kind = torch.float32 if tensor.dim() == 1 else torch.float16
            new_name = names.get_name(name, try_suffixes=(".weight", ".bias"))
            writer.add_tensor(new_name, tensor.to(kind).numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def quantize(source, path, kind):
    settings = llama_cpp.llama_model_quantize_default_params()
    settings.ftype = KINDS[kind]
    if llama_cpp.llama_model_quantize(source.encode(), path.encode(), settings) != 0:
        sys.exit(f"llama.cpp could not write {path}")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    model, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    f16 = f"{folder}/f16.gguf"
    if not os.path.exists(f16):
        write_f16(model, f16 + ".part")
        os.rename(f16 + ".part", f16)
    for kind in KINDS:
        path = f"{folder}/{kind}.gguf"
        if not os.path.exists(path):
            quantize(f16, path + ".part", kind)
            os.rename(path + ".part", path)


if __name__ == "__main__":
    main()
