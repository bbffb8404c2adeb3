"""Arrays and pictures in and out: without a copy where memory is as it is wanted, and with one line where it is not."""

import io
import pathlib

import numpy
import pytest
from PIL import Image

import fovea
from fovea import _core
from fovea.errors import InputError


def address(array):
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32", "uint8"])
def test_memory_goes_in_and_out_without_a_copy(dtype):
    array = numpy.arange(24).reshape(2, 3, 4).astype(dtype)
    back = _core._same(array)
    assert address(back) == address(array)
    assert back.dtype == array.dtype and (back == array).all()


def test_read_only_memory_is_taken_as_it_is():
    array = numpy.arange(6, dtype=numpy.float32)
    array.flags.writeable = False
    assert address(_core._same(array)) == address(array)


def test_what_knows_dlpack_alone_is_taken():
    class Other:
        def __init__(self, array):
            self.array = array

        def __dlpack__(self, **options):
            return self.array.__dlpack__(**options)

        def __dlpack_device__(self):
            return self.array.__dlpack_device__()

    array = numpy.arange(6, dtype=numpy.float32)
    assert address(_core._same(Other(array))) == address(array)


def test_memory_with_gaps_is_copied():
    array = numpy.arange(48, dtype=numpy.float32).reshape(6, 8)
    for part in (array[::2, 1:5], array.T, array[:, ::-1], array[2:2]):
        back = _core._same(part)
        assert back.shape == part.shape and (back == part).all()


def test_memory_lives_as_long_as_what_refers_to_it(model, batch):
    logits = model(batch)
    assert not logits.flags.owndata and logits.dtype == numpy.float32
    copy = logits.copy()
    model(batch * 2)
    assert (logits == copy).all()


def test_floats_of_other_widths_are_converted(model, batch):
    assert numpy.allclose(model(batch.astype(numpy.float64)), model(batch))
    assert numpy.allclose(model(batch.astype(numpy.float16)), model(batch), atol=0.05)


@pytest.mark.parametrize(
    "given, words",
    [
        (numpy.zeros((1, 3, 64, 64), numpy.int64), ["int64", "[1,3,64,64]", "float32 [N,channels,height,width]"]),
        (numpy.zeros((1, 3, 64, 64), numpy.complex64), ["complex64", "[1,3,64,64]"]),
        ("no array", ["str was given", "float32"]),
        (None, ["NoneType was given"]),
    ],
)
def test_what_is_no_prepared_picture_is_told(model, given, words):
    with pytest.raises(TypeError) as raised:
        model.logits(given)
    for word in words:
        assert word in str(raised.value)


@pytest.mark.parametrize(
    "given, words",
    [
        (numpy.zeros((8, 8, 3), numpy.float32), ["float32 [8,8,3]", "uint8 [height,width,3]"]),
        (numpy.zeros((8, 8, 4), numpy.uint8), ["uint8 [8,8,4]", "uint8 [height,width,3]"]),
        (numpy.zeros((8,), numpy.uint8), ["uint8 [8]"]),
        (numpy.zeros((0, 8, 3), numpy.uint8), ["uint8 [0,8,3]"]),
        (numpy.zeros((8, 8, 3), numpy.uint16), ["uint16 [8,8,3]"]),
        (3.5, ["float was given"]),
    ],
)
def test_what_is_no_picture_is_told(given, words):
    with pytest.raises(TypeError) as raised:
        fovea.read_image(given)
    for word in words:
        assert word in str(raised.value)


def file_of(pixels, format="PNG"):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format)
    return file.getvalue()


def test_a_picture_is_the_same_however_it_is_given(tmp_path, pixels):
    path = tmp_path / "picture.png"
    path.write_bytes(file_of(pixels))
    ways = [
        str(path),
        pathlib.Path(path),
        path.read_bytes(),
        bytearray(path.read_bytes()),
        memoryview(path.read_bytes()),
        Image.open(path),
        Image.fromarray(pixels),
        pixels,
        numpy.asfortranarray(pixels),
        pixels[::-1][::-1],
    ]
    for way in ways:
        assert (fovea.read_image(way) == pixels).all(), type(way)
    assert (fovea.read_image(pixels[:, :, ::-1], bgr=True) == pixels).all()


def test_grey_pixels_become_three_channels(pixels):
    grey = pixels[:, :, 0]
    wanted = numpy.repeat(grey[:, :, None], 3, 2)
    assert (fovea.read_image(grey) == wanted).all()
    assert (fovea.read_image(numpy.ascontiguousarray(grey)[:, :, None]) == wanted).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "L", "P", "1", "I;16", "CMYK", "YCbCr"])
def test_pictures_of_pil_are_what_their_files_are(tmp_path, pixels, mode):
    picture = Image.fromarray(pixels)
    if mode == "RGBA":
        picture = picture.copy()
        picture.putalpha(Image.fromarray(pixels[:, :, 1]))
    elif mode == "LA":
        picture = picture.convert("LA")
        picture.putalpha(Image.fromarray(pixels[:, :, 1]))
    elif mode == "I;16":
        picture = Image.fromarray(pixels[:, :, 0].astype(numpy.uint16) * 3)
    else:
        picture = picture.convert(mode)
    path = tmp_path / ("picture.tiff" if mode == "CMYK" else "picture.png")
    if mode == "YCbCr":
        picture.convert("RGB").save(path)
    else:
        picture.save(path)
    assert (fovea.read_image(picture) == fovea.read_image(path)).all()


def test_what_cannot_be_read_is_told(tmp_path, pixels, model):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    with pytest.raises(InputError, match="bad.png"):
        fovea.read_image(bad)
    with pytest.raises(InputError):
        fovea.read_image(file_of(pixels, "JPEG")[:500])
    with pytest.raises(InputError, match="picture 1"):
        model.embed([pixels, bad])
    found = model.embed([pixels, bad, pixels], errors="skip")
    assert found.indices == [0, 2] and found.features.shape == (2, 512)
    assert found.left_out[0][0] == 1


def test_torch_s_tensors(model, batch):
    torch = pytest.importorskip("torch")
    given = torch.from_numpy(batch)
    assert address(_core._same(given)) == given.data_ptr()
    answer = model(given.clone().requires_grad_())
    assert isinstance(answer, torch.Tensor) and numpy.array_equal(answer.numpy(), model(batch))
