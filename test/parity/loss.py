"""What `transformers` makes of a directory: loads it, and prints the mean loss of its tokens.json.

    python loss.py DIR
"""
import json
import pathlib
import sys

import torch
from transformers import AutoModelForCausalLM

directory = pathlib.Path(sys.argv[1])
tokens = torch.tensor(json.loads((directory / "tokens.json").read_text()))
model, found = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, output_loading_info=True)
with torch.no_grad():
    logits = model(input_ids=tokens).logits[:, :-1]
loss = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), tokens[:, 1:].reshape(-1))
print(json.dumps({"loss": loss.item(), "missing": sorted(found["missing_keys"]), "unexpected": sorted(found["unexpected_keys"])}))
