"""Writes the checkpoints that the weights tests read. Needs torch, safetensors and timm; the results are committed.

    python generate.py [--lite0 efficientnet-lite0-57934424.pth] [PART...]

PART is a function here that writes some of them (training_scripts, ...); none: all of them.

Element i (row-major) of a tensor NAME is (7 i + len(NAME)) % 11 - 5, so the tests know every value. Names that end in ".part" are views
and are compared with what they view.
"""
import argparse
import collections
import io
import os
import pickle
import runpy
import struct
import subprocess
import sys
import zipfile

import torch

FOLDER = os.path.dirname(os.path.abspath(__file__))


def path(name):
    return os.path.join(FOLDER, name)


def values(name, shape, dtype=torch.float32):
    count = 1
    for dim in shape:
        count *= dim
    flat = torch.tensor([(7 * i + len(name)) % 11 - 5 for i in range(count)], dtype=torch.float64)
    if dtype == torch.bool:
        flat = flat > 0
    if dtype == torch.uint8:
        flat = flat + 5
    return flat.reshape(shape).to(dtype)


def both(name, obj):
    torch.save(obj, path(name + ".zip.pth"))
    torch.save(obj, path(name + ".stream.pth"), _use_new_zipfile_serialization=False)


def mixed():
    shapes = {"f32": ((2, 3), torch.float32), "f64": ((2,), torch.float64), "f16": ((3,), torch.float16), "bf16": ((2, 2), torch.bfloat16),
              "i64": ((), torch.int64), "i32": ((5,), torch.int32), "u8": ((3,), torch.uint8), "bool": ((4,), torch.bool),
              "none": ((0, 4), torch.float32)}
    return collections.OrderedDict((name, values(name, shape, dtype)) for name, (shape, dtype) in shapes.items())


def strided():
    transposed = values("transposed", (3, 5)).t().contiguous().t()
    permuted = values("permuted", (4, 3, 2, 2)).permute(2, 3, 1, 0).contiguous().permute(3, 2, 0, 1)
    big = values("big", (34, 35)).t().contiguous().t()
    every_second = torch.zeros(4, 6)
    every_second[:, ::2] = values("every_second", (4, 3))
    halves = values("halves", (2, 3), torch.float16).t().contiguous().t()
    return collections.OrderedDict(transposed=transposed, permuted=permuted, big=big, every_second=every_second[:, ::2], halves=halves)


def shared():
    whole = values("whole", (4, 6))
    return collections.OrderedDict([("whole", whole), ("rows.part", whole[1:3]), ("columns.part", whole[:, 4:]), ("again.part", whole)])


def plain(prefix=""):
    return collections.OrderedDict((prefix + name, values(name, shape)) for name, shape in [("conv.weight", (2, 1, 3, 3)), ("fc.bias", (4,))])


def safe():
    both("mixed", mixed())
    both("strided", strided())
    both("shared", shared())
    both("nested", {"epoch": 3, "best": 0.5, "args": [1, "a", None, (True,)], "state_dict": plain("module."),
                    "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 0.1, "params": [0, 1]}]}})
    torch.save({"model": {"state_dict": plain("module._orig_mod.")}, "model_ema": {"x": torch.zeros(1)}}, path("twice_nested.pth"))
    torch.save({"step": 7, "model_ema": plain()}, path("averaged.pth"))
    distilled()
    torch.save(collections.OrderedDict((name, torch.nn.Parameter(tensor)) for name, tensor in plain().items()), path("parameters.pth"))
    torch.save(plain(), path("protocol4.pth"), pickle_protocol=4)
    with_extra = plain()
    with_extra["version"] = 3
    with_extra["note"] = "text"
    torch.save(with_extra, path("extra_entries.pth"))
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.BatchNorm2d(2))
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            tensor.copy_(values(name, tensor.shape, tensor.dtype))
    both("module", module.state_dict())
    compressed(path("mixed.zip.pth"), path("compressed.pth"))


def distilled():
    torch.save({"student": {"module.backbone.x": torch.zeros(1)}, "teacher": plain("backbone."), "epoch": 3}, path("distilled.pth"))
    torch.save({"module": plain("module."), "ds_version": "0"}, path("deepspeed.pth"))


def training_scripts():
    """What public training scripts save: the network beside what they need to go on."""
    import numpy
    settings = argparse.Namespace(lr=0.1, model="x")
    torch.save({"epoch": 3, "arch": "x", "state_dict": plain(), "optimizer": {"state": {0: {"exp_avg": torch.zeros(2)}}}, "version": 2,
                "args": settings, "metric": 77.0}, path("timm_train.pth"))
    torch.save({"model": plain(), "optimizer": {"state": {}, "param_groups": []}, "lr_scheduler": {}, "epoch": 3, "args": settings},
               path("torchvision_reference.pth"))
    torch.save({"best": numpy.float64(0.5), "history": numpy.arange(3.0), "state_dict": plain()}, path("numpy_beside.pth"))
    torch.save(collections.OrderedDict([("n_averaged", torch.tensor(5)), *plain("module.").items()]), path("averaged_model.pth"))
    torch.save({"state_dict": collections.OrderedDict([*plain("net.").items(), ("loss.weight", torch.ones(3))]),
                "hyper_parameters": collections.defaultdict(list, lr=[0.1])}, path("lightning.pth"))
    for key in ["model_state", "ema_state_dict", "params_ema", "network", "weights"]:
        torch.save({key: plain(), "epoch": 3}, path("under_%s.pth" % key))
    torch.save({"epoch": 3, "net_g": plain(), "optimizer": {"x": torch.zeros(3), "y": torch.zeros(3), "z": torch.zeros(3)}},
               path("under_another_name.pth"))
    torch.save({"student": plain(), "teacher": {"module.backbone." + name: tensor + 1 for name, tensor in plain().items()}}, path("two.pth"))
    torch.save({"scale": torch.tensor(2.0).to(torch.float8_e4m3fn), "state_dict": plain()}, path("float8_beside.pth"))


class Net(torch.nn.Module):
    """A network of a user's own, whose class no reader has."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 2, 3, bias=False)
        self.fc = torch.nn.Linear(4, 4)
        self.fc.weight = None
        self.register_buffer("passing", torch.zeros(2), persistent=False)
        self.sizes = {3, 4}
        with torch.no_grad():
            for name, tensor in self.state_dict().items():
                tensor.copy_(values(name, tensor.shape))


class Bare(torch.nn.Module):
    def __init__(self, name, *inner):
        super().__init__()
        self.scale = torch.nn.Parameter(values(name + "scale", (3,)))
        for i, module in enumerate(inner):
            setattr(self, "part%d" % i, module)


def whole_modules():
    torch.save(Net(), path("whole_module.pth"))
    # With the source of the class beside it.
    torch.save(Bare("", Bare("part0.")), path("whole_module.stream.pth"), _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "model": torch.nn.DataParallel(Net()), "ema": None}, path("whole_module_inside.pth"))
    torch.save(collections.UserDict(plain()), path("dict_like.pth"))


def odd_tensors():
    state = plain()
    state["conv.weight"].tagged = "tensor with an attribute"
    state["fc.bias"] = torch.nn.Parameter(state["fc.bias"])
    state["fc.bias"].tagged = True
    state["complex"] = torch.zeros(2, dtype=torch.complex64)
    state["quantized"] = torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)
    state["sparse"] = torch.eye(2).to_sparse()
    state["short"] = torch.ones(2, dtype=torch.int16)
    torch.save(state, path("odd_tensors.pth"))
    bits = torch.arange(256).to(torch.uint8)
    floats = {}
    for kind in ["e4m3fn", "e4m3fnuz", "e5m2", "e5m2fnuz"]:
        floats[kind] = bits.view(getattr(torch, "float8_" + kind))
        floats[kind + ".f32"] = floats[kind].float()
    torch.save(floats, path("float8.pth"))
    from safetensors.torch import save_file
    save_file({kind: floats[kind].clone() for kind in floats if "fnuz" not in kind}, path("float8.safetensors"))


def compressed(source, target):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), old.read(name), zipfile.ZIP_DEFLATED)


class Call:
    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments

    def __call__(self):
        """Never called: pickle wants what it writes as a function to look like one."""


class Storage:
    def __init__(self, key, elements, kind=torch.FloatStorage):
        self.identity = ("storage", kind, key, "cpu", elements)


class Pickler(pickle.Pickler):
    def persistent_id(self, obj):
        return obj.identity if isinstance(obj, Storage) else None


def pickled(obj):
    out = io.BytesIO()
    Pickler(out, protocol=2).dump(obj)
    return out.getvalue()


def tensor(storage, first, shape, strides):
    return Call(torch._utils._rebuild_tensor_v2, storage, first, shape, strides, False, collections.OrderedDict())


def stream(name, obj, storages, little_endian=True, keys=None):
    """`obj`: an object or a finished pickle; `storages`: key -> (elements, bytes)."""
    with open(path(name), "wb") as out:
        for part in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": little_endian, "type_sizes": {}}):
            out.write(pickle.dumps(part, protocol=2))
        out.write(obj if isinstance(obj, bytes) else pickled(obj))
        out.write(pickle.dumps(list(storages) if keys is None else keys, protocol=2))
        for elements, data in storages.values():
            out.write(struct.pack("<q", elements) + data)


def archive(name, entries):
    with zipfile.ZipFile(path(name), "w", zipfile.ZIP_STORED) as out:
        for entry, data in entries:
            out.writestr(zipfile.ZipInfo(entry, (1980, 1, 1, 0, 0, 0)), data)


def hostile():
    command = Call(os.system, "touch executed")
    both("evil_root", command)
    both("evil_nested", {"state_dict": collections.OrderedDict(weight=torch.ones(2), hook=command)})
    both("evil_eval", {"state_dict": {"weight": Call(eval, "1")}})
    torch.save(argparse.Namespace(lr=1), path("evil_object.pth"))
    four = {"0": (4, struct.pack("<4f", 1, 2, 3, 4))}
    s = Storage("0", 4)
    stream("outside_offset.pth", {"w": tensor(s, 1, (4,), (1,))}, four)
    stream("outside_stride.pth", {"w": tensor(s, 0, (2, 2), (3, 1))}, four)
    stream("outside_huge.pth", {"w": tensor(s, 2**62, (2,), (1,))}, four)
    stream("overflow_shape.pth", {"w": tensor(s, 0, (2**32, 2**32), (0, 0))}, four)
    stream("overflow_stride.pth", {"w": tensor(s, 0, (3, 3), (2**62, 2**62))}, four)
    stream("negative.pth", {"w": tensor(s, 3, (4,), (-1,))}, four)
    stream("negative_shape.pth", {"w": tensor(s, 0, (-4,), (1,))}, four)
    stream("expanded_huge.pth", {"w": tensor(s, 0, (2**38,), (0,))}, four)
    stream("expanded_small.pth", {"w": tensor(s, 1, (3, 2), (0, 1))}, four)
    stream("many_copies.pth", {"w%d" % i: tensor(s, 0, (1000, 1000), (0, 0)) for i in range(20)}, four)
    stream("storage_huge.pth", {"w": tensor(Storage("0", 2**61), 0, (2,), (1,))}, {"0": (2**61, b"")})
    stream("storage_overflow.pth", {"w": tensor(Storage("0", 2**62 + 1), 0, (2,), (1,))}, {"0": (2**62 + 1, b"1234")})
    stream("storage_lies.pth", {"w": tensor(s, 0, (4,), (1,))}, {"0": (3, struct.pack("<4f", 1, 2, 3, 4))})
    stream("storage_missing.pth", {"w": tensor(s, 0, (4,), (1,))}, {})
    stream("storage_unknown.pth", {"w": tensor(s, 0, (4,), (1,))}, dict(four, other=(1, b"1234")))
    stream("storage_twice.pth", {"w": tensor(s, 0, (4,), (1,))}, four, keys=["0", "0"])
    stream("storage_two_types.pth", {"w": tensor(s, 0, (4,), (1,)), "v": tensor(Storage("0", 2, torch.DoubleStorage), 0, (2,), (1,))}, four)
    stream("big_endian.pth", {"w": tensor(s, 0, (4,), (1,))}, four, little_endian=False)
    stream("int16.pth", {"w": tensor(Storage("0", 4, torch.ShortStorage), 0, (4,), (1,))}, {"0": (4, b"12345678")})
    stream("not_a_dict.pth", [tensor(s, 0, (4,), (1,))], four)
    stream("no_tensors.pth", {"epoch": 3, "lr": {"w": 1}}, {})
    # One dictionary with the same key twice, which no Python program can write.
    entry = pickled({"w": tensor(s, 0, (4,), (1,))})
    item = entry[entry.index(b"X\x01\x00\x00\x00w"):-2]
    stream("duplicate.pth", b"\x80\x02}(" + item + item + b"u.", four)
    stream("deep.pth", b"\x80\x02" + b"]" * 3000 + b"a" * 2999 + b".", {})
    stream("memo_bomb.pth", b"\x80\x02]q\x00(" + b"h\x00" * 100 + b"e" + b"(h\x00h\x00h\x00h\x00tq\x00" * 200 + b".", {})
    stream("dict_bomb.pth", b"\x80\x02ccollections\nOrderedDict\nq\x01](" + b"]K\x00aK\x01aq\x02" + b"h\x02" * 3000 + b"eq\x03" +
           b"0h\x01h\x03\x85R" * 4000 + b".", {})
    archive("no_pickle.pth", [("archive/version", b"3\n")])
    archive("big_endian.zip.pth", [("a/data.pkl", pickled({})), ("a/byteorder", b"big")])
    archive("script.pth", [("a/data.pkl", pickled({})), ("a/constants.pkl", pickled(()))])
    archive("entry_size.pth", [("a/data.pkl", pickled({"w": tensor(s, 0, (4,), (1,))})), ("a/byteorder", b"little"), ("a/data/0", b"12345678")])
    archive("entry_missing.pth", [("a/data.pkl", pickled({"w": tensor(s, 0, (4,), (1,))})), ("a/byteorder", b"little")])
    with zipfile.ZipFile(path("zip_bomb.pth"), "w", zipfile.ZIP_DEFLATED) as out:
        big = Storage("0", 2**24)
        out.writestr("a/data.pkl", pickled({"w": tensor(big, 0, (2**24,), (1,))}))
        out.writestr("a/data/0", b"\0" * 2**26)


def piece(obj):
    """A pickle without its beginning and its end, to be put into another."""
    return pickled(obj)[2:-1]


def inert():
    """Every way in which a pickle makes Python run something, none of which fovea knows."""
    run = Call(os.system, "touch executed")
    torch.save({"state_dict": plain(), "args": Call(Call(getattr, Call(__import__, "os"), "system"), "touch executed")}, path("evil_getattr.pth"))
    torch.save({"state_dict": plain(), "a": Call(exec, "open('executed', 'w')"), "b": Call(eval, "open('executed', 'w')")}, path("evil_exec.pth"))
    torch.save({"state_dict": plain(), "process": Call(subprocess.Popen, ("touch", "executed"))}, path("evil_popen.pth"))
    torch.save({"state_dict": plain(), "a": Call(__import__, "this"), "b": Call(runpy.run_path, "executed.py"),
                "c": Call(collections.defaultdict, run)}, path("evil_imports.pth"))
    torch.save({"state_dict": plain(), "bytes": Call(torch.storage._load_from_bytes, pickled(run)),
                "c": Call(pickle.loads, pickled(run))}, path("evil_bytes.pth"))
    four = {"0": (4, struct.pack("<4f", 1, 2, 3, 4))}
    w = tensor(Storage("0", 4), 0, (4,), (1,))
    # An object of a class, made without a call, with a state that Python would hand to the class; then an item of a dictionary's kind.
    popen = piece(subprocess.Popen) + piece((("touch", "executed"),)) + b"\x81" + piece({"x": run}) + b"b"
    ordered = piece(collections.OrderedDict) + b")\x81" + piece("x") + piece(run) + b"s"
    stream("evil_new_object.pth", b"\x80\x02}(" + piece("state_dict") + piece({"w": w}) + piece("a") + popen + piece("b") + ordered + b"u.", four)
    stream("evil_module.pth", b"\x80\x02" + piece(torch.nn.Module) + b")\x81" +
           piece({"_parameters": {"w": w, "v": run}, "_buffers": run, "_modules": {"inner": run}}) + b"b.", four)
    # A module that holds itself, and modules that hold the next one twice.
    name = b"X\x01\x00\x00\x00%s"
    made = b"\x80\x02ca\nB\n)\x81q\x00"
    stream("module_in_itself.pth", made + b"}(X\x0b\x00\x00\x00_parameters}X\x08\x00\x00\x00_modules}" + name % b"a" + b"h\x00sub.", {})
    chain = b"\x80\x02ca\nB\n)\x81}(X\x0b\x00\x00\x00_parameters}X\x08\x00\x00\x00_modules}ubq\x00"
    for _ in range(40):
        chain += (b"ca\nB\n)\x81}(X\x0b\x00\x00\x00_parameters}X\x08\x00\x00\x00_modules}(" + name % b"a" + b"h\x00" + name % b"b" +
                  b"h\x00uubq\x00")
    stream("module_bomb.pth", chain + b".", {})


def safetensors_files():
    from safetensors.torch import save_file
    tensors = mixed()
    save_file(tensors, path("mixed.safetensors"), metadata={"format": "pt", "note": "größe \"quoted\""})
    save_file({"w": values("w", (2, 3))}, path("one.safetensors"))


def adapted():
    """What timm makes of a first convolution for other input channels, and of a position table for other grids."""
    from safetensors.torch import save_file
    from timm.layers import resample_abs_pos_embed
    from timm.models._manipulate import adapt_input_conv
    generator = torch.Generator().manual_seed(5)
    tensors = {"conv.3": torch.randn(2, 3, 2, 3, generator=generator), "table.4x4": torch.randn(1, 17, 3, generator=generator),
               "table.3x5": torch.randn(1, 17, 2, generator=generator), "table.7x7": torch.randn(1, 49, 2, generator=generator)}
    for channels in (1, 2, 4, 5, 6, 7):
        tensors["conv.%d" % channels] = adapt_input_conv(channels, tensors["conv.3"])
    for name, prefix, old, sizes in [("table.4x4", 1, (4, 4), [(7, 5), (2, 3), (1, 1), (4, 9), (8, 8)]),
                                     ("table.3x5", 2, (3, 5), [(5, 3), (6, 2)]), ("table.7x7", 0, (7, 7), [(12, 12), (3, 4)])]:
        for size in sizes:
            tensors["%s.%dx%d" % (name, *size)] = resample_abs_pos_embed(tensors[name], size, old, prefix)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path("adapt/timm.safetensors"))


def lite0_names(file):
    import timm
    old = torch.load(file, weights_only=True)
    new = timm.create_model("tf_efficientnet_lite0").state_dict()
    assert len(old) == len(new) == 296
    with open(path("lite0_names.txt"), "w") as out:
        for (old_name, tensor), (new_name, expected) in zip(old.items(), new.items()):
            assert tensor.shape == expected.shape
            out.write("%s %s %s\n" % (old_name, new_name, ",".join(map(str, tensor.shape)) or "-"))


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--lite0")
    options.add_argument("parts", nargs="*")
    options = options.parse_args()
    for part in [globals()[name] for name in options.parts] or [safe, training_scripts, whole_modules, odd_tensors, hostile, inert,
                                                               safetensors_files, adapted]:
        part()
    if options.lite0:
        lite0_names(options.lite0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
