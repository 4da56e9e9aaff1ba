#!/usr/bin/env python3
"""Exports classics of torchvision, and an encoder like BERT, from PyTorch to build/bench/exported/NAME/model.onnx,
with random weights of a fixed seed, an input, and what PyTorch computes from it.

    build/bench/venv/bin/python bench/exported.py FOLDER        needs torch, torchvision, onnx and onnxscript
"""
import os
import sys

import numpy
import torch
import torchvision

VISION = ["alexnet", "vgg11", "resnet18", "resnet50", "squeezenet1_1", "mobilenet_v2", "mobilenet_v3_small", "shufflenet_v2_x1_0",
          "densenet121", "googlenet", "efficientnet_b0", "mnasnet1_0", "regnet_y_400mf", "convnext_tiny", "vit_b_16"]


class Encoder(torch.nn.Module):
    """Embeddings, six blocks of twelve heads, 384 wide, and a pooled answer: the shape of MiniLM."""

    def __init__(self, words=30522, width=384, tokens=128, blocks=6):
        super().__init__()
        self.word = torch.nn.Embedding(words, width)
        self.place = torch.nn.Embedding(tokens, width)
        self.norm = torch.nn.LayerNorm(width)
        layer = torch.nn.TransformerEncoderLayer(width, 12, 4 * width, 0.1, "gelu", batch_first=True)
        self.blocks = torch.nn.TransformerEncoder(layer, blocks, enable_nested_tensor=False)
        self.answer = torch.nn.Linear(width, 2)

    def forward(self, tokens):
        x = self.word(tokens) + self.place(torch.arange(tokens.shape[1]))
        return self.answer(self.blocks(self.norm(x))[:, 0])


def settle(model):
    """Batch norms get statistics, as after training, so that nothing grows without bounds."""
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            torch.nn.init.uniform_(module.running_var, 0.8, 1.2)
            torch.nn.init.normal_(module.running_mean, 0, 0.1)
        if isinstance(module, torch.nn.Linear) and not module.weight.any():
            torch.nn.init.normal_(module.weight, 0, 0.02)  # an answer of noughts says nothing
    return model.eval()


def export(folder, name, model, example, input_name):
    path = os.path.join(folder, name)
    os.makedirs(path, exist_ok=True)
    with torch.no_grad():
        result = model(example)
    torch.onnx.export(model, (example,), os.path.join(path, "model.onnx"), input_names=[input_name], output_names=["scores"],
                      opset_version=18, dynamo=False)
    numpy.save(os.path.join(path, f"in_{input_name}.npy"), example.numpy())
    numpy.save(os.path.join(path, "out_scores.npy"), result.numpy())
    print(name, flush=True)


def main(folder):
    for name in VISION:
        torch.manual_seed(1)
        options = {"init_weights": True, "aux_logits": False} if name == "googlenet" else {}
        export(folder, name, settle(getattr(torchvision.models, name)(weights=None, **options)), torch.rand(1, 3, 224, 224), "image")
    torch.manual_seed(1)
    export(folder, "encoder", settle(Encoder()), torch.randint(0, 30522, (1, 128)), "tokens")


main(sys.argv[1])
