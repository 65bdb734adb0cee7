"""The bench's model in plain PyTorch: one line in, one figure out, so that runs interleave with ours.

    python engine-torch.py MODEL_DIR TOKENS.json THREADS

Reads `forward` or `train` from standard input and answers with milliseconds and the loss. Attention is PyTorch's own, tokens
are sorted to their experts, AdamW is the fused one: the fastest of what was tried without compiling.
"""
import json
import sys
import time

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

directory, tokens_path, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
torch.set_num_threads(threads)
config = json.load(open(f"{directory}/config.json"))
W = load_file(f"{directory}/model.safetensors")
H, L, E, K = (config[k] for k in ("num_attention_heads", "num_hidden_layers", "num_local_experts", "num_experts_per_tok"))
D, EPS = config["hidden_size"], config["rms_norm_eps"]
rows = torch.tensor(json.load(open(tokens_path)))
tokens, targets = rows[:, :-1], rows[:, 1:].reshape(-1)
B, S = tokens.shape
half = D // H // 2
angles = torch.arange(S, dtype=torch.float64)[:, None] * config["rope_theta"] ** (-torch.arange(half, dtype=torch.float64) / half)
COS, SIN = angles.cos().float(), angles.sin().float()
TRAINED = [f"model.layers.{l}.block_sparse_moe.experts.{e}.w{p}.weight" for l in range(L) for e in (0, 1) for p in (1, 2, 3)]


def rotated(x):
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * COS - b * SIN, b * COS + a * SIN], -1)


def experts(x, layer):
    at = f"model.layers.{layer}.block_sparse_moe"
    weights, ids = (x @ W[f"{at}.gate.weight"].t()).softmax(-1).topk(K, -1)
    weights = weights / weights.sum(-1, keepdim=True)
    flat = ids.reshape(-1)
    order = torch.argsort(flat, stable=True)
    rows_of = order // K
    parts = x[rows_of].split(torch.bincount(flat, minlength=E).tolist())
    made = []
    for e, part in enumerate(parts):
        gate, down, up = (W[f"{at}.experts.{e}.w{p}.weight"] for p in (1, 2, 3))
        made.append((F.silu(part @ gate.t()) * (part @ up.t())) @ down.t())
    return torch.zeros_like(x).index_add(0, rows_of, torch.cat(made) * weights.reshape(-1)[order, None])


def loss_of():
    x = W["model.embed_tokens.weight"][tokens.reshape(-1)]
    apart = lambda y: y.view(B, S, H, D // H).transpose(1, 2)
    for layer in range(L):
        at = f"model.layers.{layer}"
        seen = F.rms_norm(x, (D,), W[f"{at}.input_layernorm.weight"], EPS)
        q, k, v = (apart(seen @ W[f"{at}.self_attn.{p}_proj.weight"].t()) for p in "qkv")
        y = F.scaled_dot_product_attention(rotated(q), rotated(k), v, is_causal=True)
        x = x + y.transpose(1, 2).reshape(B * S, D) @ W[f"{at}.self_attn.o_proj.weight"].t()
        x = x + experts(F.rms_norm(x, (D,), W[f"{at}.post_attention_layernorm.weight"], EPS), layer)
    return F.cross_entropy(F.rms_norm(x, (D,), W["model.norm.weight"], EPS) @ W["lm_head.weight"].t(), targets)


trained = [W[name].requires_grad_() for name in TRAINED]
optimizer = torch.optim.AdamW(trained, lr=1e-3, betas=(0.9, 0.95), weight_decay=0.01, fused=True)
print("ready", flush=True)
for line in sys.stdin:
    begin = time.perf_counter()
    if line.strip() == "forward":
        with torch.no_grad():
            loss = loss_of().item()
    else:
        optimizer.zero_grad(set_to_none=True)
        whole = loss_of()
        whole.backward()
        optimizer.step()
        loss = whole.item()
    print((time.perf_counter() - begin) * 1e3, loss, flush=True)
