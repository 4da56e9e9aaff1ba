"""JAX: XLA for the CPU, channels last as Ingot; the whole step in one jit, parameters given up to it."""

import time

import numpy

from engines import STEPS


def attention(jax, x, heads, w):
    batch, tokens, width = x.shape
    project = lambda x, part: x @ w(part + ".weight") + w(part + ".bias")
    q, k, v = (project(x, part).reshape(batch, tokens, heads, -1) for part in ("query", "key", "value"))
    scores = jax.numpy.einsum("bqhd,bkhd->bhqk", q, k) * (width / heads) ** -0.5
    seen = jax.numpy.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores), v)
    return project(seen.reshape(batch, tokens, width), "output")


def lstm(jax, x, units, whole, w):
    """The input's part of all steps as one product, then a scan."""
    jnp = jax.numpy
    given = jnp.swapaxes(x @ w("weight_input") + w("bias_input") + w("bias_hidden"), 0, 1)
    start = jnp.zeros((x.shape[0], units), x.dtype)

    def step(carried, part):
        h, c = carried
        i, f, g, o = jnp.split(part + h @ w("weight_hidden"), 4, 1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h if whole else None

    (h, _), all_h = jax.lax.scan(step, (start, start), given)
    return jnp.swapaxes(all_h, 0, 1) if whole else h


def forward(jax, network, weights, x, training):
    """The output, and the running statistics after this batch."""
    jnp, lax = jax.numpy, jax.lax
    values, running = {network.input: x}, {}
    for layer in network.layers:
        a, given = [values[n] for n in layer.inputs], layer.given
        w = lambda key: weights[f"{layer.name}.{key}"]
        if layer.kind == "dense":
            y = a[0] @ w("weight")
        elif layer.kind == "conv2d":
            y = lax.conv_general_dilated(a[0], w("weight"), given["stride"], given["padding"],
                                         dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=given["groups"])
        elif layer.kind == "batch_norm":
            mean, variance = w("running_mean"), w("running_variance")
            if training:
                axes, m = tuple(range(a[0].ndim - 1)), given["momentum"]
                count = a[0].size // a[0].shape[-1]
                batch_mean, batch_variance = a[0].mean(axes), a[0].var(axes)
                running[f"{layer.name}.running_mean"] = mean + m * (batch_mean - mean)
                running[f"{layer.name}.running_variance"] = variance + m * (batch_variance * count / (count - 1) - variance)
                mean, variance = batch_mean, batch_variance
            y = (a[0] - mean) * lax.rsqrt(variance + given["epsilon"]) * w("weight") + w("bias")
        elif layer.kind == "layer_norm":
            y = (a[0] - a[0].mean(-1, keepdims=True)) * lax.rsqrt(a[0].var(-1, keepdims=True) + given["epsilon"])
            y = y * w("weight") + w("bias")
        elif layer.kind == "attention":
            y = attention(jax, a[0], given["heads"], w)
        elif layer.kind == "lstm":
            y = lstm(jax, a[0], given["units"], given["whole"], w)
        elif layer.kind == "max_pool":
            y = lax.reduce_window(a[0], -jnp.inf, lax.max, (1, *given["kernel"], 1), (1, *given["stride"], 1),
                                  ((0, 0), *given["padding"], (0, 0)))
        elif layer.kind == "global_average_pool":
            y = a[0].mean(tuple(range(1, a[0].ndim - 1)))
        elif layer.kind == "flatten":
            y = a[0].reshape(a[0].shape[0], -1)
        elif layer.kind == "concat":
            y = jnp.concatenate(a, -1)
        else:
            y = {"relu": lambda: jnp.maximum(a[0], 0), "relu6": lambda: jnp.clip(a[0], 0, 6),
                 "gelu": lambda: jax.nn.gelu(a[0], approximate=False), "add": lambda: a[0] + a[1], "softmax": lambda: jax.nn.softmax(a[0])}[layer.kind]()
        if layer.kind in ("dense", "conv2d") and "bias" in layer.weights:
            y = y + w("bias")
        values[layer.name] = y
    return values[network.output], running


def loss_of(jax, network, y, target):
    if "mean_squared_error" in network.train["loss"]:
        return ((y - target) ** 2).mean()
    return -jax.numpy.take_along_axis(jax.nn.log_softmax(y), target[:, None], 1).mean()


def make_step(jax, network):
    """step(state, x, target) -> state, loss; state: weights, moments, number of steps."""
    jnp = jax.numpy
    trained = {f"{l.name}.{k}" for l in network.layers for k in l.weights if not l.frozen and not k.startswith("running_")}
    (kind, given), = network.train["optimizer"].items()

    def step(state, x, target):
        weights, moments, count = state
        free = {k: v for k, v in weights.items() if k in trained}
        rest = {k: v for k, v in weights.items() if k not in trained}

        def loss(free):
            y, running = forward(jax, network, free | rest, x, True)
            return loss_of(jax, network, y, target), running

        (value, running), gradients = jax.value_and_grad(loss, has_aux=True)(free)
        weights, moments, count = weights | running, dict(moments), count + 1
        rate = given["learning_rate"]
        for k, g in gradients.items():
            if kind == "sgd":
                if given.get("momentum"):
                    g = moments[k] = given["momentum"] * moments[k] + g
                weights[k] = weights[k] - rate * g
            else:
                m, v = moments[k]
                m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
                moments[k] = (m, v)
                weights[k] = weights[k] - rate * (m / (1 - 0.9**count)) / (jnp.sqrt(v / (1 - 0.999**count)) + 1e-8)
        return (weights, moments, count), value

    def start(arrays):
        weights = {k: jnp.array(v) for k, v in arrays.items()}
        zero = lambda k: jnp.zeros_like(weights[k])
        momenta = {k: zero(k) if kind == "sgd" else (zero(k), zero(k)) for k in trained if k in weights}
        return weights, momenta, jnp.zeros((), jnp.float32)

    return jax.jit(step, donate_argnums=0), start


class Engine:
    artefact_bytes = None

    def __init__(self, case, threads):
        case.settle()
        import jax
        network, begin = case.network, time.perf_counter()
        self.x = jax.numpy.array(case.inputs)
        self.losses = []
        if case.kind == "train":
            self.target = jax.numpy.array(case.target)
            self.step, start = make_step(jax, network)
            self.state = start(network.states())
            self.train()
            self.losses.append(float(self.y))
            self.build_seconds = time.perf_counter() - begin
            while len(self.losses) < STEPS:
                self.train()
                self.losses.append(float(self.y))
            self.run = self.train
        else:
            self.weights = {k: jax.numpy.array(v) for k, v in network.states().items()}
            self.infer = jax.jit(lambda w, x: forward(jax, network, w, x, False)[0])
            self.run()
            self.build_seconds = time.perf_counter() - begin

    def train(self):
        self.state, self.y = self.step(self.state, self.x, self.target)
        self.y.block_until_ready()

    def run(self):
        self.y = self.infer(self.weights, self.x)
        self.y.block_until_ready()

    def outputs(self):
        return numpy.array(self.losses if self.losses else self.y)
