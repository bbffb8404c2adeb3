"""check_onnx.py FOLDER: for every NAME.onnx in it, ONNX's checker and ONNX Runtime's answers for NAME.images.npy, all of them at once and the
first alone, against NAME.OUTPUT.npy. One line a model; exit status 1 where one fails."""

import glob
import os
import sys

import numpy
import onnx
import onnxruntime

TOLERANCE = 1e-5  # of the largest number of an output
LEVEL = 1 / 255
MOST_BYTES = 0.05  # of a prepared picture, that may be rounded the other way


def session_of(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def differences(stem):
    """By output: what it should be, and by how much it differs."""
    session = session_of(stem + ".onnx")
    images = numpy.load(stem + ".images.npy")
    names = [output.name for output in session.get_outputs()]
    for count in (len(images), 1):
        for name, found in zip(names, session.run(names, {"image": images[:count]})):
            wanted = numpy.load(f"{stem}.{name}.npy")[:count]
            if found.shape != wanted.shape or not numpy.isfinite(found).all():
                raise ValueError(f"{name}: {found.shape}, {wanted.shape} expected, all of it finite")
            yield wanted, numpy.abs(found - wanted)


def judge(stem):
    """A sentence, and whether it is good news."""
    onnx.checker.check_model(stem + ".onnx", full_check=True)
    found = list(differences(stem))
    if numpy.load(stem + ".images.npy").dtype == numpy.uint8:  # prepared pictures, in levels
        worst = max(float(difference.max()) for _, difference in found) * 255
        share = max(float((difference > LEVEL / 2).mean()) for _, difference in found)
        return f"{share:.3%} of the bytes differ, by {worst:.2g} levels at most", worst <= 1.001 and share <= MOST_BYTES
    worst = [float(difference.max() / numpy.abs(wanted).max()) for wanted, difference in found]
    return f"differs by {max(worst):.2g}", max(worst) <= TOLERANCE


def main(folder):
    stems = sorted(path[: -len(".onnx")] for path in glob.glob(os.path.join(folder, "*.onnx")))
    failures = 0 if stems else 1
    for stem in stems:
        name = os.path.basename(stem)
        try:
            sentence, good = judge(stem)
            print(f"{name}: {sentence}" + ("" if good else ": too much"))
        except Exception as error:  # each model has its line, whatever went wrong
            good = False
            print(f"{name}: {type(error).__name__}: {error}")
        failures += not good
    return 1 if failures else 0


sys.exit(main(sys.argv[1]))
