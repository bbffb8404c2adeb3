#!/usr/bin/env python3
"""Writes variants/ and variants.json: small pictures in the rarer encodings, and what Pillow makes of each.

    pip install pillow numpy scikit-image
    ./generate_variants.py

Every answer is the SHA-256 of the 8-bit RGB pixels, with the alpha channel dropped and with the picture composed over white by Image.alpha_composite.
"""
import hashlib, io, json, os, struct, zlib
import numpy as np
from PIL import Image, ImageOps
import skimage.data

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "variants")
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]

def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

def rows(a, depth):
    """Filter type 0 rows of samples a[h, w, c], packed to `depth` bits."""
    out = b""
    for row in a:
        flat = row.reshape(-1)
        if depth == 16:
            packed = flat.astype(">u2").tobytes()
        elif depth == 8:
            packed = flat.astype(np.uint8).tobytes()
        else:
            bits = ((flat[:, None].astype(np.uint8) >> np.arange(depth - 1, -1, -1, dtype=np.uint8)) & 1).reshape(-1)
            packed = np.packbits(bits).tobytes()
        out += b"\0" + packed
    return out

def png(name, a, color, depth, interlace=False, extra=()):
    h, w = a.shape[:2]
    a = a.reshape(h, w, -1)
    if interlace:
        data = b"".join(rows(a[y::dy, x::dx], depth) for x, y, dx, dy in ADAM7 if a[y::dy, x::dx].size)
    else:
        data = rows(a, depth)
    body = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, color, 0, 0, interlace))
    body += b"".join(chunk(n, b) for n, b in extra) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    open(os.path.join(OUT, name), "wb").write(body)

def orientation(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif

def bmp(name, w, h, bits, body, masks=None):
    """A bottom-up BMP; h < 0 is top-down."""
    size = 108 if masks and len(masks) == 4 else 40
    header = struct.pack("<IiiHHIIiiII", size, w, h, 1, bits, 3 if masks else 0, len(body), 2835, 2835, 0, 0)
    if size == 108:
        header += struct.pack("<4I", *masks) + b"\0" * (108 - 56)
    elif masks:
        header += struct.pack("<3I", *masks)
    offset = 14 + len(header)
    open(os.path.join(OUT, name), "wb").write(b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) + header + body)

def write():
    os.makedirs(OUT, exist_ok=True)
    save = lambda im, name, **kw: im.save(os.path.join(OUT, name), **kw)
    photo = Image.fromarray(skimage.data.chelsea()).crop((120, 80, 167, 113))           # 47 x 33
    rgb = np.asarray(photo)
    grey = np.asarray(photo.convert("L"))
    h, w = grey.shape
    yy, xx = np.mgrid[0:h, 0:w]
    alpha = ((xx * 7 + yy * 5) % 256).astype(np.uint8)
    rng = np.random.default_rng(3)
    for depth in (1, 2, 4):
        png(f"grey{depth}.png", grey >> (8 - depth), 0, depth)
        png(f"grey{depth}_interlaced.png", grey >> (8 - depth), 0, depth, True)
    png("rgb_interlaced.png", rgb, 2, 8, True)
    png("rgba_interlaced.png", np.dstack([rgb, alpha]), 6, 8, True)
    wide = rgb.astype(np.uint16) * 256 + rng.integers(0, 256, rgb.shape, dtype=np.uint16)
    png("rgb16.png", wide, 2, 16)
    png("rgb16_interlaced.png", wide, 2, 16, True)
    png("rgba16.png", np.dstack([wide, alpha.astype(np.uint16) * 257]), 6, 16)
    png("grey_alpha16.png", np.dstack([grey.astype(np.uint16) * 256 + 77, alpha.astype(np.uint16) * 257]), 4, 16)
    png("grey_transparent.png", grey, 0, 8, extra=[(b"tRNS", struct.pack(">H", int(grey[5, 5])))])
    png("rgb_transparent.png", rgb, 2, 8, extra=[(b"tRNS", struct.pack(">3H", *map(int, rgb[5, 5])))])
    palette = photo.quantize(16)
    colors = bytes(palette.getpalette()[:48])
    png("palette4_alpha.png", np.asarray(palette), 3, 4, extra=[(b"PLTE", colors), (b"tRNS", bytes(range(0, 240, 20)))])
    png("palette8_interlaced.png", np.asarray(palette), 3, 8, True, extra=[(b"PLTE", colors)])
    exif = orientation(6).tobytes()[6:]
    png("exif6.png", rgb, 2, 8, extra=[(b"eXIf", exif)])
    save(Image.fromarray(np.dstack([rgb, alpha])), "rgba.png")
    for value in range(1, 9):
        save(photo, f"exif{value}.jpg", quality=90, exif=orientation(value))
    for sampling in (0, 1, 2):
        save(photo, f"progressive_{sampling}.jpg", quality=80, progressive=True, subsampling=sampling)
        save(photo, f"baseline_{sampling}.jpg", quality=80, subsampling=sampling)
    save(photo, "restart.jpg", quality=80, restart_marker_blocks=2)
    save(photo, "rgb.jpg", quality=80, keep_rgb=True)
    save(photo.convert("CMYK"), "cmyk.jpg", quality=90)
    save(Image.frombytes("CMYK", (w, h), np.dstack([255 - rgb, alpha]).tobytes()), "cmyk_black.jpg", quality=90)
    save(photo, "lossy.webp", quality=80)
    save(photo, "lossless.webp", lossless=True)
    save(Image.fromarray(np.dstack([rgb, alpha])), "lossy_alpha.webp", quality=80)
    save(Image.fromarray(np.dstack([rgb, alpha])), "lossless_alpha.webp", lossless=True, exact=True)
    save(photo, "exif5.webp", quality=80, exif=orientation(5))
    save(photo, "animated.webp", save_all=True, append_images=[ImageOps.mirror(photo), ImageOps.flip(photo)], duration=50, lossless=True)
    save(photo.quantize(31), "interlaced.gif", interlace=True)
    save(photo.quantize(31), "straight.gif", interlace=False)
    save(photo.convert("L"), "grey.gif")
    save(photo.quantize(31), "transparent.gif", transparency=3)
    save(photo.quantize(31), "animated.gif", save_all=True, append_images=[ImageOps.mirror(photo).quantize(31)], duration=50)
    for name in ("straight", "transparent"):     # a screen larger than the frame, and one smaller
        data = bytearray(open(os.path.join(OUT, name + ".gif"), "rb").read())
        at = data.index(b"\x2c\0\0\0\0" + struct.pack("<HH", w, h))
        data[6:10] = struct.pack("<HH", w + 9, h + 4)
        data[at + 1:at + 5] = struct.pack("<HH", 5, 3)
        open(os.path.join(OUT, name + "_inside.gif"), "wb").write(data)
    data[6:10] = struct.pack("<HH", w - 9, h - 4)
    open(os.path.join(OUT, "transparent_outside.gif"), "wb").write(data)
    save(photo, "rgb.bmp")
    save(photo.convert("L"), "grey.bmp")
    save(photo.convert("1"), "black_white.bmp")
    save(palette, "palette.bmp")
    pad = lambda a: np.pad(a, ((0, 0), (0, -a.shape[1] % 4)))
    bgr = rgb[:, :, ::-1]
    bmp("top_down.bmp", w, -h, 24, pad(bgr.reshape(h, -1)).tobytes())
    bmp("rgbx32.bmp", w, h, 32, np.dstack([bgr, alpha])[::-1].tobytes())
    bmp("rgba32_masks.bmp", w, h, 32, np.dstack([bgr, alpha])[::-1].tobytes(), (0xFF0000, 0xFF00, 0xFF, 0xFF000000))
    four = np.asarray(palette)
    nibbles = np.pad(four, ((0, 0), (0, -w % 8)))
    table = b"".join(bytes([colors[3 * i + 2], colors[3 * i + 1], colors[3 * i], 0]) for i in range(16))
    body = (nibbles[::-1, 0::2] << 4 | nibbles[::-1, 1::2]).astype(np.uint8).tobytes()
    header = struct.pack("<IiiHHIIiiII", 40, w, h, 1, 4, 0, len(body), 2835, 2835, 16, 0)
    open(os.path.join(OUT, "palette4.bmp"), "wb").write(b"BM" + struct.pack("<IHHI", 54 + 64 + len(body), 0, 0, 54 + 64) + header + table + body)

def answer(path):
    im = ImageOps.exif_transpose(Image.open(path))
    mode = im.mode
    digest = lambda i: hashlib.sha256(np.asarray(i).tobytes()).hexdigest()
    if mode.startswith("I"):
        im = Image.fromarray((np.asarray(im).astype(np.uint32) >> 8).astype(np.uint8))
    rgba = im.convert("RGBA")
    white = Image.alpha_composite(Image.new("RGBA", im.size, (255, 255, 255, 255)), rgba).convert("RGB")
    return {"mode": mode, "size": list(im.size), "drop": digest(im.convert("RGB")), "white": digest(white)}

if __name__ == "__main__":
    write()
    answers = {name: answer(os.path.join(OUT, name)) for name in sorted(os.listdir(OUT))}
    with open(os.path.join(HERE, "variants.json"), "w") as f:
        json.dump(answers, f, indent=1)
        f.write("\n")
