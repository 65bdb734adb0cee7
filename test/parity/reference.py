"""What `transformers` computes, for the parity test: tiny models of every family with random weights, their losses, gradients
and the experts after three steps of AdamW.

    python reference.py OUT [CASE ...]

Writes a directory per case: the model as save_pretrained writes it, tokens.json, reference.json and reference.safetensors.
"""
import json
import pathlib
import sys

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from transformers.models.deepseek_v2 import DeepseekV2Config
from transformers.models.mixtral import MixtralConfig
from transformers.models.olmoe import OlmoeConfig
from transformers.models.qwen2_moe import Qwen2MoeConfig
from transformers.models.qwen3_moe import Qwen3MoeConfig

COMMON = dict(vocab_size=41, hidden_size=16, num_hidden_layers=3, num_attention_heads=4, max_position_embeddings=64,
              initializer_range=0.2, pad_token_id=None, bos_token_id=None, eos_token_id=None)
YARN = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=16, beta_fast=32,
            beta_slow=1, mscale=0.707, mscale_all_dim=0.707)
LATENT = dict(kv_lora_rank=8, qk_nope_head_dim=8, qk_rope_head_dim=4, v_head_dim=12, n_routed_experts=4,
              num_experts_per_tok=2, moe_intermediate_size=12, intermediate_size=20, n_shared_experts=2,
              first_k_dense_replace=1)
EXPERTS = dict(num_experts=4, num_experts_per_tok=2)

# name: (config, how it is stored)
CASES = {
    "olmoe": (OlmoeConfig(**COMMON, **EXPERTS, intermediate_size=12), {}),
    "olmoe-clipped": (OlmoeConfig(**COMMON, **EXPERTS, intermediate_size=12, clip_qkv=0.5, norm_topk_prob=True,
                                  num_key_value_heads=2), {"shards": True}),
    "qwen3": (Qwen3MoeConfig(**COMMON, **EXPERTS, num_key_value_heads=2, head_dim=8, moe_intermediate_size=12,
                             intermediate_size=20, norm_topk_prob=True, mlp_only_layers=[1]), {}),
    "qwen3-stacked": (Qwen3MoeConfig(**COMMON, **EXPERTS, num_key_value_heads=2, head_dim=8, moe_intermediate_size=12,
                                     intermediate_size=20, tie_word_embeddings=True, attention_bias=True),
                      {"stacked": True}),
    "qwen2": (Qwen2MoeConfig(**COMMON, **EXPERTS, num_key_value_heads=2, moe_intermediate_size=12, intermediate_size=20,
                             shared_expert_intermediate_size=14, decoder_sparse_step=2), {}),
    "qwen2-windows": (Qwen2MoeConfig(**COMMON, **EXPERTS, num_key_value_heads=2, moe_intermediate_size=12, intermediate_size=20,
                                     shared_expert_intermediate_size=14, use_sliding_window=True, sliding_window=5,
                                     max_window_layers=2), {"dtype": torch.bfloat16}),
    "mixtral": (MixtralConfig(**COMMON, num_local_experts=4, num_experts_per_tok=2, num_key_value_heads=2,
                              intermediate_size=12, sliding_window=7), {}),
    "mixtral-stacked": (MixtralConfig(**COMMON, num_local_experts=4, num_experts_per_tok=3, num_key_value_heads=1,
                                      intermediate_size=12), {"stacked": True, "dtype": torch.float16}),
    "mixtral-llama3-rope": (MixtralConfig(**COMMON, num_local_experts=4, num_experts_per_tok=2, num_key_value_heads=2,
                                          intermediate_size=12, rope_parameters=dict(
                                              rope_type="llama3", rope_theta=10000.0, factor=8.0, low_freq_factor=1.0,
                                              high_freq_factor=4.0, original_max_position_embeddings=16)), {}),
    "deepseek": (DeepseekV2Config(**COMMON, **LATENT, q_lora_rank=None, rope_parameters=YARN, head_dim=4), {}),
    "deepseek-old-rope": (DeepseekV2Config(**COMMON, **LATENT, q_lora_rank=None, rope_parameters=YARN, head_dim=4),
                          {"old_rope": True}),
    "deepseek-groups": (DeepseekV2Config(**COMMON, **LATENT, q_lora_rank=10, n_group=2, topk_group=1,
                                         topk_method="group_limited_greedy", routed_scaling_factor=1.7, head_dim=4,
                                         attention_bias=True), {"stacked": True}),
}
TRAINED = [0, 3]
STEPS, RATE, DECAY = 3, 1e-3, 0.01


def pieces(model, layer, router):
    """(name as stored one by one, the tensor in memory that holds it, its slice) of what is trained in a layer."""
    mlp = model.model.layers[layer].mlp
    if not hasattr(mlp, "experts"):
        return
    old = model.config.model_type == "mixtral"
    base = f"model.layers.{layer}." + ("block_sparse_moe" if old else "mlp")
    gate, up, down = ("w1", "w3", "w2") if old else ("gate_proj", "up_proj", "down_proj")
    both, out = mlp.experts.gate_up_proj, mlp.experts.down_proj
    width = out.shape[2]
    for e in TRAINED:
        yield f"{base}.experts.{e}.{gate}.weight", both, (e, slice(0, width))
        yield f"{base}.experts.{e}.{up}.weight", both, (e, slice(width, 2 * width))
        yield f"{base}.experts.{e}.{down}.weight", out, (e,)
    if router:
        yield f"{base}.gate.weight", mlp.gate.weight, (slice(None),)


def restack(directory, config):
    """Experts of a layer in two tensors, as version 5 of transformers holds them in memory."""
    path = directory / "model.safetensors"
    tensors = load_file(path)
    old = config.model_type == "mixtral"
    names = ("w1", "w3", "w2") if old else ("gate_proj", "up_proj", "down_proj")
    count = getattr(config, "num_local_experts", None) or getattr(config, "num_experts", None) or config.n_routed_experts
    for layer in range(config.num_hidden_layers):
        here = f"model.layers.{layer}." + ("block_sparse_moe" if old else "mlp")
        if f"{here}.experts.0.{names[0]}.weight" not in tensors:
            continue
        there = f"model.layers.{layer}.mlp"
        every = [[tensors.pop(f"{here}.experts.{e}.{n}.weight") for n in names] for e in range(count)]
        tensors[f"{there}.experts.gate_up_proj"] = torch.stack([torch.cat([g, u]) for g, u, _ in every])
        tensors[f"{there}.experts.down_proj"] = torch.stack([d for _, _, d in every])
        if old:
            tensors[f"{there}.gate.weight"] = tensors.pop(f"{here}.gate.weight")
    save_file(tensors, path, {"format": "pt"})


def old_rope(directory):
    """Version 4 kept rope_theta and rope_scaling apart."""
    path = directory / "config.json"
    config = json.loads(path.read_text())
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    rope["type"] = rope.pop("rope_type")
    config["rope_scaling"] = rope
    path.write_text(json.dumps(config))


def steps(model, tokens, router):
    """The loss, the gradients, and everything trained after three steps of AdamW on one batch."""
    def loss_of():
        out = model(input_ids=tokens, labels=tokens)
        logits = out.logits[:, :-1].reshape(-1, model.config.vocab_size)
        return torch.nn.functional.cross_entropy(logits, tokens[:, 1:].reshape(-1), reduction="none")
    todo = [piece for layer in range(model.config.num_hidden_layers) for piece in pieces(model, layer, router)]
    own = [torch.nn.Parameter(held[part].detach().clone()) for _, held, part in todo]
    optimizer = torch.optim.AdamW(own, lr=RATE, betas=(0.9, 0.95), eps=1e-8, weight_decay=DECAY)
    result, losses = {}, []
    for step in range(STEPS):
        model.zero_grad()
        each = loss_of()
        each.mean().backward()
        losses.append(each.mean().item())
        for (name, held, part), parameter in zip(todo, own):
            parameter.grad = held.grad[part].clone()
            if step == 0:
                result[f"grad.{name}"] = parameter.grad.clone()
        if step == 0:
            rows = each.detach().reshape(tokens.shape[0], -1).mean(1).tolist()
        optimizer.step()
        with torch.no_grad():
            for (_, held, part), parameter in zip(todo, own):
                held[part] = parameter
    for (name, _, _), parameter in zip(todo, own):
        result[f"after.{name}"] = parameter.detach().clone()
    return result, {"losses": losses, "perSequence": rows, "trained": TRAINED, "router": router,
                    "rate": RATE, "decay": DECAY}


def main(out, wanted):
    for seed, (name, (config, how)) in enumerate(CASES.items()):
        if wanted and name not in wanted:
            continue
        torch.manual_seed(seed)
        directory = out / name
        model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                if "norm" in key:
                    parameter.add_(0.2 * torch.randn_like(parameter))
                elif "gate.weight" in key:
                    parameter.copy_(torch.randn_like(parameter) * 0.5)
        model.to(how.get("dtype", torch.float32)).save_pretrained(directory, max_shard_size="20KB" if how.get("shards") else "5GB")
        if how.get("stacked"):
            restack(directory, config)
        if how.get("old_rope"):
            old_rope(directory)
        tokens = torch.randint(0, config.vocab_size, (3, 13))
        (directory / "tokens.json").write_text(json.dumps(tokens.tolist()))
        # In a model of its own: `to` has rounded the frequencies of the rotation as well.
        whole = AutoModelForCausalLM.from_config(config, attn_implementation="eager", dtype=torch.float32)
        whole.load_state_dict({key: value.float() for key, value in model.state_dict().items()})
        tensors, summary = steps(whole.train(), tokens, router=name in ("olmoe", "deepseek", "qwen3"))
        save_file(tensors, directory / "reference.safetensors")
        (directory / "reference.json").write_text(json.dumps(summary))
        print(name, summary["losses"], flush=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2:])
