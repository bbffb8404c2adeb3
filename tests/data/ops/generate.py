"""Writes torch.json: operations of PyTorch in double, as text of fovea's operations, inputs and results. Needs torch, timm and numpy."""

import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from timm.layers import BlurPool2d, StdConv2d
from timm.layers.activations import quick_gelu
from timm.layers.fast_norm import rms_norm
from timm.layers.grn import GlobalResponseNorm

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
cases = []


def operand(tensor):
    tensor = tensor.detach()
    dtype = {torch.float64: "f32", torch.int32: "i32", torch.int64: "i64"}[tensor.dtype]
    return {"type": f"{dtype}[{','.join(str(n) for n in tensor.shape)}]", "values": tensor.reshape(-1).tolist()}


def case(name, op, fields, inputs, outputs):
    cases.append({"name": name, "op": op, "fields": fields, "inputs": [operand(t) for t in inputs], "outputs": [operand(t) for t in outputs]})


def rand(*shape):
    # Rounded to float, so that a float backend starts from the same numbers.
    return torch.randn(shape).float().double()



def conv(name, x, w, stride, padding, groups):
    top, bottom, left, right = padding
    x, w = rand(*x).requires_grad_(), rand(*w).requires_grad_()
    y = F.conv2d(F.pad(x, (left, right, top, bottom)), w, stride=stride, groups=groups)
    dy = rand(*y.shape)
    y.backward(dy)
    fields = {"stride": f"{stride},{stride}", "padding": ",".join(str(p) for p in padding), "groups": str(groups)}
    case(name, "conv2d", fields, [x, w], [y])
    case(name, "conv2d_input_grad", fields | {"size": f"{x.shape[2]},{x.shape[3]}"}, [w, dy], [x.grad])
    case(name, "conv2d_weight_grad", fields | {"kernel": f"{w.shape[2]},{w.shape[3]}"}, [x, dy], [w.grad])


conv("strided", (2, 3, 7, 6), (4, 3, 3, 3), 2, (1, 1, 1, 1), 1)
conv("same", (1, 4, 6, 6), (4, 1, 5, 5), 2, (1, 2, 1, 2), 4)
conv("groups", (2, 6, 4, 5), (4, 3, 3, 3), 1, (1, 1, 1, 1), 2)
conv("pointwise", (2, 5, 3, 3), (4, 5, 1, 1), 2, (0, 0, 0, 0), 1)

ACTIVATIONS = {
    "relu": F.relu,
    "relu6": F.relu6,
    "silu": F.silu,
    "sigmoid": torch.sigmoid,
    "hard_swish": F.hardswish,
    # torch's own derivative of hardsigmoid holds 1/6 in single precision even for doubles; it is 0 at both kinks as this one's is
    "hard_sigmoid": lambda x: F.relu6(x + 3) / 6,
    "gelu": F.gelu,
}


def activation(kind, function):
    x = torch.tensor([-7, -4, -3, -2, -1, -0.5, 0, 0.5, 1, 2, 3, 4, 5, 6, 7], requires_grad=True)
    y = function(x)
    dy = rand(*x.shape)
    y.backward(dy)
    case(kind, "activation", {"kind": kind}, [x], [y])
    case(kind, "activation_grad", {"kind": kind}, [dy, y if kind in ("relu", "relu6", "sigmoid", "exp") else x], [x.grad])


for kind, function in ACTIVATIONS.items():
    activation(kind, function)

for name, shape, kernel, stride, padding in [("stem", (2, 3, 7, 6), 3, 2, 1), ("halves", (1, 4, 5, 6), 2, 2, 0)]:
    # Small integers tie often, inside and against the padding; negative ones would lose to padding by zeros.
    x = torch.randint(-3, 0, shape).double().requires_grad_()
    y, argmax = F.max_pool2d(x, kernel, stride, padding, return_indices=True)
    dy = rand(*y.shape)
    y.backward(dy)
    argmax = argmax.to(torch.int32)
    fields = {"kernel": f"{kernel},{kernel}", "stride": f"{stride},{stride}", "padding": ",".join([str(padding)] * 4)}
    case(name, "max_pool2d", fields, [x], [y, argmax])
    case(name, "max_pool2d_grad", fields | {"size": f"{shape[2]},{shape[3]}"}, [dy, argmax], [x.grad])

for name, shape in [("pictures", (3, 4, 2, 3)), ("rows", (2, 5, 1, 1))]:
    vector = (1, shape[1], 1, 1)
    x, gamma, beta = rand(*shape).requires_grad_(), rand(shape[1]).requires_grad_(), rand(shape[1]).requires_grad_()
    mean, var = rand(shape[1]), rand(shape[1]) ** 2
    eps, momentum = 1e-3, 0.1
    dy = rand(*shape)
    next_mean, next_var = mean.clone(), var.clone()
    y = F.batch_norm(x, next_mean, next_var, gamma, beta, True, momentum, eps)
    y.backward(dy)
    batch_mean = x.mean((0, 2, 3))
    inv_std = 1 / torch.sqrt(x.var((0, 2, 3), unbiased=False) + eps)
    as_vector = lambda t: t.reshape(vector)
    case(name, "batch_norm_training", {"eps": str(eps), "momentum": str(momentum), "residual": "no", "activation": "identity"},
         [x] + [as_vector(t) for t in (gamma, beta, mean, var)], [y] + [as_vector(t) for t in (batch_mean, inv_std, next_mean, next_var)])
    if name == "pictures":  # of two rows the slope by x is nothing but rounding
        case(name, "batch_norm_training_grad", {"eps": str(eps)}, [dy, x] + [as_vector(t) for t in (gamma, batch_mean, inv_std)],
             [x.grad] + [as_vector(t.grad) for t in (gamma, beta)])
    for t in (x, gamma, beta):
        t.grad = None
    y = F.batch_norm(x, mean, var, gamma, beta, False, momentum, eps)
    y.backward(dy)
    case(name, "batch_norm_inference", {"eps": str(eps)}, [x] + [as_vector(t) for t in (gamma, beta, mean, var)], [y])
    case(name, "batch_norm_inference_grad", {"eps": str(eps)}, [dy, x] + [as_vector(t) for t in (gamma, mean, var)],
         [x.grad] + [as_vector(t.grad) for t in (gamma, beta)])

for smoothing in (0.0, 0.1):
    logits, labels = (3 * rand(4, 6)).requires_grad_(), torch.tensor([0, 5, 2, 2])
    loss = F.cross_entropy(logits, labels, label_smoothing=smoothing)
    (0.7 * loss).backward()
    probabilities = F.softmax(logits, 1)
    fields, shape = {"smoothing": str(smoothing)}, (4, 6, 1, 1)
    labels = labels.to(torch.int32)
    case(f"smoothing {smoothing}", "cross_entropy", fields, [logits.reshape(shape), labels], [loss, probabilities.reshape(shape)])
    case(f"smoothing {smoothing}", "cross_entropy_grad", fields, [torch.tensor(0.7), probabilities.reshape(shape), labels], [logits.grad.reshape(shape)])


# Optimizers: every step by itself, from the state that the step before it left.
def optimizer(name, op, fields, make, state_names, with_step):
    p = rand(7).requires_grad_()
    optimizer = make([p])
    state = [torch.zeros(7) for _ in state_names]
    for step in range(5):
        rate = float(np.float32(0.1 / (step + 1)))
        optimizer.param_groups[0]["lr"] = rate
        p.grad = rand(7)
        inputs = [p.detach().clone(), p.grad.clone()] + [s.clone() for s in state] + [torch.tensor(rate)]
        if with_step:
            inputs.append(torch.tensor(step))
        optimizer.step()
        state = [optimizer.state[p][s].detach().clone() for s in state_names]
        case(f"{name} step {step}", op, fields, inputs, [p.clone()] + state)


optimizer("nesterov", "sgd_update", {"momentum": "0.9", "weight_decay": "0.01", "rate_scale": "1", "nesterov": "yes"},
          lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True), ["momentum_buffer"], False)
optimizer("momentum", "sgd_update", {"momentum": "0.9", "weight_decay": "0", "rate_scale": "1", "nesterov": "no"},
          lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), ["momentum_buffer"], False)
optimizer("adamw", "adamw_update", {"beta1": "0.9", "beta2": "0.99", "eps": "1e-08", "weight_decay": "0.05", "rate_scale": "1"},
          lambda p: torch.optim.AdamW(p, lr=0.1, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.05), ["exp_avg", "exp_avg_sq"], True)


# Means over windows and bicubic resampling; sixteenths, because they are short as text.
def resample(name, op, fields, function, shape, with_gradient=True):
    sixteenths = lambda shape: torch.randint(-64, 65, shape).double() / 16
    x = sixteenths(shape).requires_grad_()
    y = function(x)
    case(name, op, fields, [x], [y])
    if with_gradient:
        dy = sixteenths(y.shape)
        y.backward(dy)
        case(name, f"{op}_grad", fields | {"size": f"{shape[2]},{shape[3]}"}, [dy], [x.grad])


for name, shape, kernel, stride in [("transition", (2, 3, 4, 6), 2, 2), ("leaves a rest", (1, 4, 7, 5), 2, 2), ("overlapping", (1, 2, 7, 9), 3, 2)]:
    fields = {"kernel": f"{kernel},{kernel}", "stride": f"{stride},{stride}"}
    resample(name, "average_pool2d", fields, lambda x: F.avg_pool2d(x, kernel, stride), shape)
for shape, size in [((1, 2, 10, 9), (7, 7)), ((2, 3, 3, 3), (7, 7)), ((1, 2, 7, 7), (7, 7)), ((2, 5, 4, 3), (1, 1))]:
    name = f"{shape[2]}x{shape[3]} to {size[0]}x{size[1]}"
    resample(name, "adaptive_average_pool2d", {"size": f"{size[0]},{size[1]}"}, lambda x: F.adaptive_avg_pool2d(x, size), shape)
for shape, size in [((1, 1, 37, 37), (16, 16)), ((1, 1, 14, 14), (24, 24)), ((1, 1, 14, 14), (7, 10)), ((2, 3, 5, 4), (3, 6)), ((1, 2, 6, 6), (6, 6))]:
    name = f"{shape[2]}x{shape[3]} to {size[0]}x{size[1]}"
    bicubic = lambda x: F.interpolate(x, size, mode="bicubic", antialias=True, align_corners=False)
    resample(name, "resize_bicubic", {"size": f"{size[0]},{size[1]}"}, bicubic, shape, with_gradient=shape[2] < 37)

# Operations that move elements: a view is of the memory, which is N, H, W, C where torch's is N, C, H, W.
x, y, table = torch.arange(48.0).reshape(2, 3, 2, 4), torch.arange(50.0, 82.0).reshape(2, 2, 2, 4), torch.arange(15.0).reshape(1, 5, 3)
case("channels", "concat", {"axis": "1"}, [x, y], [torch.cat([x, y], 1)])
case("rows", "concat", {"axis": "2"}, [x, x, x], [torch.cat([x, x, x], 2)])
case("channels", "slice", {"axis": "1", "begin": "1", "end": "3"}, [x], [x[:, 1:3]])
case("columns", "slice", {"axis": "3", "begin": "0", "end": "2"}, [x], [x[..., :2]])
case("channels", "pad", {"axis": "1", "before": "1", "after": "2"}, [x], [F.pad(x, (0, 0, 0, 0, 1, 2))])
case("map to tokens", "view", {"shape": "[2,3,8,1]"}, [x], [x.flatten(2).unsqueeze(3)])
case("tokens to map", "view", {"shape": "[2,3,2,4]"}, [x.flatten(2).unsqueeze(3)], [x])
case("table", "view", {"shape": "[1,3,5,1]"}, [table], [table.transpose(1, 2).unsqueeze(3)])
case("channels to pixels", "view", {"shape": "[2,1,8,3]"}, [x], [x.permute(0, 2, 3, 1).reshape(2, 1, 8, 3)])

# Tokens (N, T, C) of torch are [N,C,T,1] here, (N, heads, T, width) with the channels of a head side by side.
for name, batch, heads, width, tokens in [("pictures", 2, 3, 4, 5), ("one head", 1, 1, 6, 7)]:
    qkv = rand(batch, tokens, 3 * heads * width).requires_grad_()
    q, k, v = qkv.reshape(batch, tokens, 3, heads, width).permute(2, 0, 3, 1, 4)
    y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, tokens, heads * width)
    dy = rand(*y.shape)
    y.backward(dy)
    scores = q @ k.transpose(2, 3) / width**0.5
    as_tokens = lambda t: t.transpose(1, 2).unsqueeze(3)
    fields, log_sum = {"heads": str(heads)}, torch.logsumexp(scores, 3, keepdim=True)
    case(name, "attention", fields, [as_tokens(qkv)], [as_tokens(y), log_sum])
    case(name, "attention_grad", fields, [as_tokens(t) for t in (dy, qkv, y)] + [log_sum], [as_tokens(qkv.grad)])
    case(name, "attention_probabilities", fields, [as_tokens(qkv)], [F.softmax(scores, 3)])

# Normalizations. LayerNorm is over the last dimension of N, H, W, C; weight standardization as timm's StdConv2d does it.
def norm(name, op, fields, function, x, statistics=None):
    x, gamma, beta = rand(*x).requires_grad_(), rand(x[1]).requires_grad_(), rand(x[1]).requires_grad_()
    y = function(x, gamma, beta)
    dy = rand(*y.shape)
    y.backward(dy)
    vector = lambda t: t.reshape(1, -1, 1, 1)
    of_x = statistics(x) if statistics else []
    case(name, op, fields, [x, vector(gamma), vector(beta)], [y] + of_x)
    fields = {key: value for key, value in fields.items() if key != "eps" or not statistics}
    case(name, f"{op}_grad", fields, [dy, x, vector(gamma)] + of_x, [x.grad, vector(gamma.grad), vector(beta.grad)])


def statistics_of(eps, groups):
    def by_pixel(x):
        return [x.mean(1, keepdim=True), 1 / torch.sqrt(x.var(1, unbiased=False, keepdim=True) + eps)]

    def by_group(x):
        rows = x.reshape(x.shape[0], groups, -1)
        return [t.reshape(x.shape[0], groups, 1, 1) for t in (rows.mean(2), 1 / torch.sqrt(rows.var(2, unbiased=False) + eps))]

    return by_group if groups else by_pixel


def layer_norm(x, gamma, beta):
    return F.layer_norm(x.permute(0, 2, 3, 1), (x.shape[1],), gamma, beta, 1e-6).permute(0, 3, 1, 2)


def global_response_norm(x, gamma, beta):
    module = GlobalResponseNorm(x.shape[1], channels_last=True)
    return torch.func.functional_call(module, {"weight": gamma, "bias": beta}, (x.permute(0, 2, 3, 1),)).permute(0, 3, 1, 2)


for name, shape in [("tokens", (2, 12, 5, 1)), ("map", (2, 7, 3, 4))]:
    norm(name, "layer_norm", {"eps": "1e-06"}, layer_norm, shape, statistics_of(1e-6, 0))
for name, shape, groups in [("pictures", (2, 12, 3, 4), 4), ("one group", (1, 5, 4, 3), 1)]:
    group_norm = lambda x, gamma, beta: F.group_norm(x, groups, gamma, beta, 1e-5)
    norm(name, "group_norm", {"groups": str(groups), "eps": "1e-05"}, group_norm, shape, statistics_of(1e-5, groups))
for name, shape in [("pictures", (2, 7, 3, 4)), ("one picture", (1, 12, 5, 5))]:
    norm(name, "global_response_norm", {"eps": "1e-06"}, global_response_norm, shape)
for name, shape in [("3x3", (4, 5, 3, 3)), ("1x1", (3, 16, 1, 1))]:
    conv = StdConv2d(shape[1], shape[0], shape[2], padding=0, eps=1e-8)
    conv.weight.data = rand(*shape)
    # An input of one 1 in each place gives the standardized weights back.
    taps = torch.eye(shape[1] * shape[2] * shape[3]).reshape(-1, *shape[1:])
    y = conv(taps).reshape(len(taps), shape[0]).t().reshape(shape)
    dy = rand(*shape)
    y.backward(dy)
    case(name, "standardize_weight", {"eps": "1e-08"}, [conv.weight], [y])
    case(name, "standardize_weight_grad", {"eps": "1e-08"}, [dy, conv.weight], [conv.weight.grad])

# Queries of other tokens than the keys and values, which may be wider.
for name, batch, heads, width, values, queries, tokens in [("pool", 2, 2, 6, 6, 1, 9), ("wider values", 1, 3, 4, 8, 5, 7)]:
    tensors = [rand(batch, t, heads * c).requires_grad_() for t, c in [(queries, width), (tokens, width), (tokens, values)]]
    q, k, v = (t.reshape(batch, t.shape[1], heads, -1).transpose(1, 2) for t in tensors)
    y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, queries, heads * values)
    dy = rand(*y.shape)
    y.backward(dy)
    log_sum = torch.logsumexp(q @ k.transpose(2, 3) / width**0.5, 3, keepdim=True)
    fields = {"heads": str(heads)}
    case(name, "cross_attention", fields, [as_tokens(t) for t in tensors], [as_tokens(y), log_sum])
    case(name, "cross_attention_grad", fields, [as_tokens(t) for t in (dy, *tensors, y)] + [log_sum], [as_tokens(t.grad) for t in tensors])

for name, shape in [("tokens", (2, 12, 5, 1)), ("heads", (2, 6, 5, 3))]:
    x, gamma = rand(*shape).requires_grad_(), rand(shape[1]).requires_grad_()
    y = rms_norm(x.permute(0, 2, 3, 1), [shape[1]], gamma, 1e-6).permute(0, 3, 1, 2)
    dy = rand(*shape)
    y.backward(dy)
    inv_rms, vector = torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-6), gamma.reshape(1, -1, 1, 1)
    case(name, "rms_norm", {"eps": "1e-06"}, [x, vector], [y, inv_rms])
    case(name, "rms_norm_grad", {}, [dy, x, vector, inv_rms], [x.grad, gamma.grad.reshape(1, -1, 1, 1)])

later = {"gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "quick_gelu": quick_gelu, "exp": torch.exp}
for kind, function in later.items():
    activation(kind, function)

# Anti-aliased striding, as timm's.
for name, shape, stride, mode in [("even", (2, 3, 6, 4), 2, "reflect"), ("odd", (1, 2, 5, 7), 2, "reflect"), ("zeros", (1, 3, 5, 6), 2, "constant"),
                                  ("no stride", (1, 2, 4, 3), 1, "reflect")]:
    blur = BlurPool2d(shape[1], stride=stride, pad_mode=mode).double()
    resample(name, "blur_pool2d", {"stride": str(stride), "reflect": "yes" if mode == "reflect" else "no"}, blur, shape)

path = pathlib.Path(__file__).with_name("torch.json")
path.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
print(f"{len(cases)} cases, {path.stat().st_size} bytes")
