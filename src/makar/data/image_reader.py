"""Pixels out of the bytes of an image file, with its size checked before a single pixel is decoded.

Formats: PNG, JPEG, WebP, GIF (first frame), BMP, TIFF; nothing else is tried. EXIF orientation is applied, transparency kept as a
fourth channel, grey stays one channel, palettes are expanded, 16-bit grey is reduced to 8. Pillow only warns between 89 and 179
megapixels and decodes; here the limit is ours and an error.
"""

import io
import re
import warnings

import numpy as np
from PIL import Image, ImageOps

from makar.errors import DataError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
PIXEL_LIMIT = 64_000_000
FILE_LIMIT_BYTES = 256 << 20


def read_image(content: bytes, *, pixel_limit: int = PIXEL_LIMIT) -> np.ndarray:
    """Decode an image.

    Args:
        content: The bytes of the file.
        pixel_limit: Most pixels (width times height) that are decoded.

    Returns:
        ``uint8 [height, width, channels]`` with 1 (grey), 3 (colour) or 4 (colour and opacity) channels.

    Raises:
        DataError: Too large, truncated, or no image of a known format.
    """
    with warnings.catch_warnings():
        # Pillow warns about odd metadata that does not concern the pixels; its size warning is an error here.
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                pixels = image.width * image.height
                if pixels > pixel_limit:
                    raise DataError(_too_large(pixels, pixel_limit))
                if pixels == 0:
                    raise DataError("an image without pixels")
                return _pixels(image)
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            stated = re.search(r"\((\d+) pixels\)", str(error))
            raise DataError(_too_large(int(stated[1]) if stated else 0, pixel_limit)) from error
        except Image.UnidentifiedImageError as error:
            raise DataError("not an image that can be read") from error
        except DataError:
            raise
        except MemoryError as error:
            raise DataError("does not fit into memory") from error
        except Exception as error:  # Pillow's decoders raise any kind of exception on damaged files
            reason = str(error).replace("\n", " ")[:120]
            if "truncated" in reason or "broken data" in reason or isinstance(error, EOFError | IndexError):
                raise DataError("truncated or damaged image") from error
            raise DataError(f"damaged image: {reason or type(error).__name__}") from error


def _too_large(pixels: int, limit: int) -> str:
    return f"{pixels / 1e6:.0f} megapixels, more than the limit of {limit / 1e6:.0f}"


def _pixels(image: Image.Image) -> np.ndarray:
    image.seek(0)
    image.load()
    if image.mode.startswith("I") or image.mode == "F":
        return _reduced(image)
    turned = ImageOps.exif_transpose(image)
    if turned.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in turned.info:
        turned = turned.convert("RGBA")
    elif turned.mode in ("1", "L"):
        turned = turned.convert("L")
    else:
        turned = turned.convert("RGB")
    array = np.asarray(turned, np.uint8)
    return np.ascontiguousarray(array[:, :, None] if array.ndim == 2 else array)


def _reduced(image: Image.Image) -> np.ndarray:
    """16-bit grey to 8 bits; a palette of floats or signed numbers has no agreed range and is refused."""
    if image.mode == "F":
        raise DataError("an image of fractions has no agreed range of brightness")
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65_535:
        raise DataError("grey values beyond 16 bits have no agreed range of brightness")
    return np.ascontiguousarray((values >> 8).astype(np.uint8)[:, :, None])
