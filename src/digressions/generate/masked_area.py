"""The masked area of a picture: cut out with what is around it, painted, and put back.

A model paints pictures of its own size. So the part of the picture that the mask is about is cut
out, at the aspect and, where that holds it, at the very pixels of what the model paints, and all
else of the picture is never touched. What has more pixels than the model paints is made smaller for
it, and what was painted is enlarged again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from ..geometry import Box, Size
from ..images.fitting import cut
from ..images.image_files import to_array, to_tensor
from ..images.masks import membrane_blend
from ..images.upscale import Upscaler, enlarge

_AROUND = 1 / 6  # of the masked area's longer side, is shown on each of its sides
_REACH = 2  # pixels as painted, in which an enlarged painting may change to meet finer details


class MaskedArea(NamedTuple):
    """What of a picture a model sees when it paints a masked area.

    Attributes:
        box: In pixels of the picture; it may reach beyond where the picture is too narrow.
        size: That it is painted at.
    """

    box: Box
    size: Size

    @property
    def scale(self) -> float:
        """Pixels of the picture for one that is painted, along a side."""
        return max(self.box.size.width / self.size.width, self.box.size.height / self.size.height)

    @classmethod
    def of(cls, mask: np.ndarray, size: Size) -> MaskedArea:
        """The area of a mask ``(H, W)`` uint8 that is painted at a size.

        It holds everything that is not black with a sixth of that on every side, has the aspect of
        ``size``, at least its pixels, and stays inside the picture, all as far as the picture
        allows.
        """
        picture = Size(mask.shape[1], mask.shape[0])
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if not rows.size:
            rows, columns = np.arange(picture.height), np.arange(picture.width)
        hole = Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
        around = round(_AROUND * max(hole.size))
        wanted = Size(
            min(hole.right + around, picture.width) - max(hole.left - around, 0),
            min(hole.bottom + around, picture.height) - max(hole.top - around, 0),
        )
        scale = max(1.0, _scale(wanted, size))
        most = min(picture.width / size.width, picture.height / size.height)
        if scale > most:
            scale = max(most, _scale(hole.size, size))
        width = max(round(scale * size.width), hole.size.width)
        height = max(round(scale * size.height), hole.size.height)
        left = _start(hole.left, hole.right, width, picture.width)
        top = _start(hole.top, hole.bottom, height, picture.height)
        return cls(Box(left, top, left + width, top + height), size)

    def picture(self, image: np.ndarray) -> np.ndarray:
        """The area's part of a picture ``(H, W, 3)`` uint8, in the picture's pixels."""
        return cut(image, self.box)

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """The area's part of the mask ``(H, W)`` uint8, in the picture's pixels."""
        return cut(mask, self.box, mirrored=False)

    def painted_mask(self, mask: np.ndarray) -> np.ndarray:
        """What is painted, ``(h, w)`` uint8 of ``size``.

        Where that is made smaller or larger, whatever touches the mask, wholly: what is soft in the
        mask is mixed when the painting is put back.
        """
        part = self.mask(mask)
        if self.box.size == self.size:
            return part
        touched = torch.from_numpy(part > 0).float()[None, None]
        whole = F.adaptive_max_pool2d(touched, (self.size.height, self.size.width))
        return (whole[0, 0].numpy() * 255).astype(np.uint8)

    def put_back(
        self, painted: torch.Tensor, image: np.ndarray, mask: np.ndarray, upscaler: Upscaler
    ) -> np.ndarray:
        """A picture with its masked area painted; all else is what it was, bit for bit.

        Args:
            painted: ``(3, h, w)`` float32 in 0..1 of ``size``, which meets what is around the mask.
            image: ``(H, W, 3)`` uint8.
            mask: ``(H, W)`` uint8.
            upscaler: Enlarges what was painted at fewer pixels.

        Returns:
            ``(H, W, 3)`` uint8, a new array.
        """
        part, values = self.picture(image), self.mask(mask)
        own = to_array(painted)
        if self.box.size != self.size:
            own = enlarge(own, *self.box.size, upscaler)
            share = torch.from_numpy(values / np.float32(255))[None, None]
            reach = max(1, round(_REACH * self.scale))
            met = membrane_blend(to_tensor(own)[None], to_tensor(part)[None], share, reach)
            own = to_array(met[0])
        box, result = self.box, image.copy()
        top, left = max(box.top, 0), max(box.left, 0)
        here = result[top : box.bottom, left : box.right]
        rows = slice(top - box.top, top - box.top + here.shape[0])
        columns = slice(left - box.left, left - box.left + here.shape[1])
        touched = values[rows, columns] > 0
        here[touched] = own[rows, columns][touched]
        return result


def _scale(held: Size, size: Size) -> float:
    return max(held.width / size.width, held.height / size.height)


def _start(low: int, high: int, length: int, side: int) -> int:
    """Where a stretch of a length begins that holds ``low`` to ``high`` in its middle, inside
    ``side`` if it fits."""
    start = (low + high - length) // 2
    if length >= side:
        return (side - length) // 2
    return min(max(start, 0), side - length)
