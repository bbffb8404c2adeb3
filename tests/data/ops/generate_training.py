"""Writes training.json: losses and updates of PyTorch, torchvision and timm in double, in the form of torch.json. Needs torch, torchvision,
timm."""

import json
import pathlib

import torch
import torch.nn.functional as F
from timm.optim import RMSpropTF
from torchvision.ops import sigmoid_focal_loss

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
cases = []


def operand(tensor):
    tensor = tensor.detach()
    return {"type": f"f32[{','.join(str(n) for n in tensor.shape)}]", "values": tensor.reshape(-1).tolist()}


def case(name, op, fields, inputs, outputs):
    cases.append({"name": name, "op": op, "fields": fields, "inputs": [operand(t) for t in inputs], "outputs": [operand(t) for t in outputs]})


def rounded(tensor):
    return tensor.float().double()  # so that a float backend starts from the same numbers


ROWS, CLASSES = 5, 7
VALUE, VECTOR = (ROWS, CLASSES, 1, 1), (1, CLASSES, 1, 1)


def loss(name, op, fields, targets, weights, function):
    logits = rounded(2 * torch.randn(ROWS, CLASSES)).requires_grad_()
    result = function(logits)
    (0.5 * result).backward()
    inputs = [logits.reshape(VALUE), targets.reshape(VALUE)] + ([] if weights is None else [weights.reshape(VECTOR)])
    case(name, op, fields, inputs, [result])
    case(name, op + "_grad", fields, [torch.tensor(0.5)] + inputs, [logits.grad.reshape(VALUE)])


labels = torch.tensor([6, 0, 3, 3, 1])
hard = F.one_hot(labels, CLASSES).double()
soft = rounded(torch.softmax(torch.randn(ROWS, CLASSES), 1))
several = rounded((torch.rand(ROWS, CLASSES) < 0.4).double())
weights = rounded(0.2 + torch.rand(CLASSES))

for smoothing in (0, 0.1):
    text = {"smoothing": str(smoothing)}
    loss(f"mixed, smoothing {smoothing}", "soft_cross_entropy", text, soft, None,
         lambda x: F.cross_entropy(x, soft, label_smoothing=smoothing))
    loss(f"mixed, weighted, smoothing {smoothing}", "soft_cross_entropy", text, soft, weights,
         lambda x: F.cross_entropy(x, soft, weights, label_smoothing=smoothing))
    loss(f"labels, weighted, smoothing {smoothing}", "soft_cross_entropy", text | {"weighted_mean": "yes"}, hard, weights,
         lambda x: F.cross_entropy(x, labels, weights, label_smoothing=smoothing))
loss("several labels", "binary_cross_entropy", {}, several, None, lambda x: F.binary_cross_entropy_with_logits(x, several))
loss("mixed", "binary_cross_entropy", {}, soft, None, lambda x: F.binary_cross_entropy_with_logits(x, soft))
loss("weighted", "binary_cross_entropy", {}, several, weights, lambda x: F.binary_cross_entropy_with_logits(x, several, weights))
for gamma in (0.5, 2):
    loss(f"focal {gamma}", "binary_cross_entropy", {"gamma": str(gamma)}, several, None,
         lambda x: sigmoid_focal_loss(x, several, alpha=-1, gamma=gamma, reduction="mean"))


for momentum in (0, 0.9):
    p = rounded(torch.randn(3, 4, 3, 3)).requires_grad_()
    optimizer = RMSpropTF([p], lr=0.05, alpha=0.9, eps=1e-10, momentum=momentum, weight_decay=0.01)
    velocity, square = torch.zeros_like(p), torch.ones_like(p)
    for step in range(3):
        before = [p.detach().clone(), square.clone(), velocity.clone()]
        p.grad = rounded(torch.randn(p.shape))
        optimizer.step()
        state = optimizer.state[p]
        square = state["square_avg"].clone()
        # Without momentum timm keeps no buffer; the step itself is what it would hold.
        velocity = state["momentum_buffer"].clone() if momentum else before[0] - p.detach()
        fields = {"alpha": "0.9", "momentum": str(momentum), "eps": "1e-10", "weight_decay": "0.01", "rate_scale": "0.5"}
        case(f"momentum {momentum}, step {step}", "rmsprop_update", fields,
             [before[0], p.grad, before[1], before[2], torch.tensor(0.1)], [p, square, velocity])

gradients = [rounded(3 * torch.randn(2, 3, 3, 3)), rounded(torch.randn(1, 5, 1, 1))]
first = gradients[0].square().sum()
case("first", "squared_norm", {}, [gradients[0]], [first])
case("second", "squared_norm", {}, [gradients[1], rounded(first)], [rounded(first) + gradients[1].square().sum()])
for norm in (0.5, 1000):
    parameter = torch.zeros(4, requires_grad=True)
    parameter.grad = rounded(torch.randn(4))
    before = parameter.grad.clone()
    torch.nn.utils.clip_grad_norm_([parameter], norm)
    case(f"to {norm}", "clip_factor", {"max_norm": str(norm)}, [before.square().sum()], [parameter.grad[0] / before[0]])

path = pathlib.Path(__file__).with_name("training.json")
path.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
print(f"{len(cases)} cases, {path.stat().st_size} bytes")
