"""PyTorch on the CPU, eager; pictures are channels last in memory, the optimizer is the fused one."""

import time

import numpy

from engines import STEPS
from export import dense_weight

COMPILED = False


def modules(torch, network):
    nn, made = torch.nn, {}
    for layer in network.layers:
        given, weights = layer.given, layer.weights
        if layer.kind == "dense":
            matrix = dense_weight(network, layer)
            made[layer.name] = module = nn.Linear(*matrix.shape, bias="bias" in weights)
            module.weight.data = torch.tensor(matrix.T.copy())
        elif layer.kind == "conv2d":
            kernel = weights["weight"].transpose(3, 2, 0, 1).copy()
            channels = network.shapes[layer.inputs[0]][-1]
            made[layer.name] = module = nn.Conv2d(channels, len(kernel), given["kernel"], given["stride"],
                                                  groups=given["groups"], bias="bias" in weights)
            module.weight.data = torch.tensor(kernel)
        elif layer.kind == "batch_norm":
            made[layer.name] = module = nn.BatchNorm2d(len(weights["weight"]), given["epsilon"], given["momentum"])
            module.weight.data = torch.tensor(weights["weight"])
            module.running_mean.data = torch.tensor(weights["running_mean"])
            module.running_var.data = torch.tensor(weights["running_variance"])
        elif layer.kind == "lstm":
            made[layer.name] = module = nn.LSTM(len(weights["weight_input"]), given["units"], batch_first=True)
            for mine, theirs in (("input", "ih"), ("hidden", "hh")):
                getattr(module, f"weight_{theirs}_l0").data = torch.tensor(weights["weight_" + mine].T.copy())
                getattr(module, f"bias_{theirs}_l0").data = torch.tensor(weights["bias_" + mine])
        elif layer.kind == "layer_norm":
            made[layer.name] = module = nn.LayerNorm(len(weights["weight"]), given["epsilon"])
            module.weight.data = torch.tensor(weights["weight"])
        elif layer.kind == "attention":
            made[layer.name] = module = nn.MultiheadAttention(layer.shape[-1], given["heads"], batch_first=True)
            joined = lambda what: torch.cat([torch.tensor(weights[f"{p}.{what}"].T.copy()) for p in ("query", "key", "value")])
            module.in_proj_weight.data, module.in_proj_bias.data = joined("weight"), joined("bias")
            module.out_proj.weight.data = torch.tensor(weights["output.weight"].T.copy())
            module.out_proj.bias.data = torch.tensor(weights["output.bias"])
        else:
            continue
        if "bias" in weights:
            module.bias.data = torch.tensor(weights["bias"])
        if layer.frozen:
            module.requires_grad_(False)
    return made


def make_net(torch, network):
    F, made = torch.nn.functional, modules(torch, network)

    def apply(layer, a):
        given = layer.given
        if layer.kind in ("conv2d", "max_pool"):
            (top, bottom), (left, right) = given["padding"]
            if any((top, bottom, left, right)):
                fill = float("-inf") if layer.kind == "max_pool" else 0.0
                if layer.kind == "conv2d" and top == bottom and left == right:
                    made[layer.name].padding = (top, left)
                elif layer.kind == "max_pool" and top == bottom and left == right:
                    return F.max_pool2d(a[0], given["kernel"], given["stride"], (top, left))
                else:
                    a = [F.pad(a[0], (left, right, top, bottom), value=fill)]
            if layer.kind == "max_pool":
                return F.max_pool2d(a[0], given["kernel"], given["stride"])
        if layer.kind == "attention":
            return made[layer.name](a[0], a[0], a[0], need_weights=False)[0]
        if layer.kind == "lstm":
            y = made[layer.name](a[0])[0]
            return y if given["whole"] else y[:, -1]
        if layer.name in made:
            return made[layer.name](a[0])
        return {"relu": lambda: F.relu(a[0]), "relu6": lambda: F.relu6(a[0]), "add": lambda: a[0] + a[1],
                "gelu": lambda: F.gelu(a[0]), "concat": lambda: torch.cat(a, 1), "flatten": lambda: a[0].flatten(1),
                "global_average_pool": lambda: a[0].mean((2, 3) if a[0].ndim == 4 else 1), "softmax": lambda: a[0].softmax(-1)}[layer.kind]()

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = torch.nn.ModuleDict({k.replace(".", "/"): v for k, v in made.items()})

        def forward(self, x):
            values = {network.input: x}
            for layer in network.layers:
                values[layer.name] = apply(layer, [values[n] for n in layer.inputs])
            return values[network.output]

    return Net()


class Engine:
    artefact_bytes = None

    def __init__(self, case, threads):
        self.case = case
        first = numpy.ascontiguousarray(case.inputs_channels_first())
        case.settle()
        import torch
        torch.set_num_threads(threads)
        network, begin = case.network, time.perf_counter()
        net = make_net(torch, network)
        self.torch, self.x = torch, torch.from_numpy(first)
        if first.ndim == 4:
            self.x = self.x.contiguous(memory_format=torch.channels_last)
            net = net.to(memory_format=torch.channels_last)
        self.losses = []
        if case.kind == "train":
            self.prepare_training(torch, case, net)
        else:
            self.net = net.eval()
            if COMPILED:
                self.net = torch.compile(self.net)
            self.run()
        self.build_seconds = time.perf_counter() - begin
        while 0 < len(self.losses) < STEPS:
            self.train()
            self.losses.append(self.y.item())

    def prepare_training(self, torch, case, net):
        network, F = case.network, torch.nn.functional
        (kind, given), = network.train["optimizer"].items()
        free = [p for p in net.parameters() if p.requires_grad]
        if kind == "sgd":
            self.optimizer = torch.optim.SGD(free, given["learning_rate"], given.get("momentum", 0), fused=True)
        else:
            self.optimizer = torch.optim.Adam(free, given["learning_rate"], fused=True)
        net.train()
        if "mean_squared_error" in network.train["loss"]:
            target = torch.from_numpy(numpy.ascontiguousarray(numpy.moveaxis(case.target, -1, 1)))
            self.loss = lambda x: F.mse_loss(net(x), target)
        else:
            target = torch.from_numpy(case.target.astype(numpy.int64))
            self.loss = lambda x: F.cross_entropy(net(x), target)
        if COMPILED:
            self.loss = torch.compile(self.loss)
        self.run = self.train
        self.train()
        self.losses.append(self.y.item())

    def train(self):
        self.optimizer.zero_grad(set_to_none=True)
        self.y = self.loss(self.x)
        self.y.backward()
        self.optimizer.step()

    def run(self):
        with self.torch.inference_mode():
            self.y = self.net(self.x)

    def outputs(self):
        return numpy.array(self.losses) if self.losses else self.case.channels_last(self.y.numpy())
