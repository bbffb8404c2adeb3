#!/usr/bin/env python3
"""Writes the answers in this folder: small vision transformers of timm, one for each kind of block, pool and norm, in float64 and in the form
of ../reference, whose README.md describes the fields. tests/reference/vit_kinds_test.cpp has the same networks. Run where timm is installed."""
import json, pathlib, sys
from functools import partial

import timm, torch
from timm.layers import DiffAttention, LayerNorm, RmsNorm
from timm.layers.mlp import GluMlp, SwiGLU
from timm.models import deit
from timm.models import vision_transformer as vit

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "reference"))
import generate

SIZE = dict(img_size=32, patch_size=8, num_classes=10, embed_dim=48, depth=3, num_heads=3, mlp_ratio=2)
NO_CLASS = dict(class_token=False, global_pool="avg")
REGISTERS = dict(NO_CLASS, no_embed_class=True, reg_tokens=1, init_values=1e-5)
KINDS = {
    "gated": dict(reg_tokens=4, no_embed_class=True, init_values=1e-5, act_layer=torch.nn.SiLU,
                  mlp_layer=partial(GluMlp, act_layer=torch.nn.SiLU, gate_last=False)),
    "gated_in_two": dict(NO_CLASS, fc_norm=False, qkv_bias=False, proj_bias=False, act_layer="silu", norm_layer=partial(RmsNorm, eps=1e-5),
                         embed_norm_layer=partial(RmsNorm, eps=1e-5), mlp_layer=SwiGLU),
    "inner_norms": dict(global_pool="avg", scale_attn_norm=True, scale_mlp_norm=True, norm_layer=partial(LayerNorm, eps=1e-5)),
    "twice": dict(block_fn=vit.ParallelThingsBlock, init_values=1e-5),
    "norm_last": dict(NO_CLASS, block_fn=vit.ResPostBlock, qkv_bias=False, init_values=1e-5),
    "parallel": dict(REGISTERS, block_fn=vit.ParallelScalingBlock),
    "parallel_qk_norm": dict(block_fn=vit.ParallelScalingBlock, pre_norm=True, no_embed_class=True, norm_layer=RmsNorm, qkv_bias=False, qk_norm=True),
    "differential": dict(REGISTERS, attn_layer="diff"),
    "differential_parallel": dict(REGISTERS, block_fn=vit.DiffParallelScalingBlock),
    "attention_pool": dict(class_token=False, global_pool="map", act_layer="gelu_tanh"),
    "attention_pool_of_all": dict(class_token=False, global_pool="map", reg_tokens=1, pool_include_prefix=True, init_values=1e-5),
    "quick_gelu": dict(pre_norm=True, norm_layer=partial(LayerNorm, eps=1e-5), act_layer="quick_gelu"),
    "no_last_norm": dict(reg_tokens=2, no_embed_class=True, final_norm=False),
    "distilled": dict(),
    "embedded_registers": dict(NO_CLASS, fc_norm=False, reg_tokens=4),
}


def difference_of_attentions(self):
    """timm's, which goes through float32 in a network of doubles too."""
    return torch.exp((self.lambda_q1 * self.lambda_k1).sum()) - torch.exp((self.lambda_q2 * self.lambda_k2).sum()) + self.lambda_init


DiffAttention._compute_lambda = vit.DiffParallelScalingBlock._compute_lambda = difference_of_attentions
torch.set_num_threads(1)
for name, fields in KINDS.items():
    if sys.argv[1:] and name not in sys.argv[1:]:
        continue
    kind = deit.VisionTransformerDistilled if name == "distilled" else vit.VisionTransformer
    model = kind(**SIZE, **fields)
    generate.build = lambda spec: (model, generate.TIMM_STAGES)
    answer = generate.reference("timm/vit_kind_" + name, size=32, train_size=32)
    answer["model"] = "vit_kind_" + name
    if isinstance(model.norm, torch.nn.Identity):  # its module does nothing
        del answer["eval"]["stages"]["norm"]
    (HERE / f"{name}.json").write_text(json.dumps(generate.rounded(answer), separators=(",", ":")) + "\n")
