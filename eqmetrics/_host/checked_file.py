"""A file with a checksum of the bytes that pass through it, so that one flipped bit is detected."""

from typing import BinaryIO
from zlib import crc32


class CheckedFile:
    """Passes bytes to or from a file and computes their CRC-32. Bytes that are read again after
    seeking back, as NumPy does at the start of an array, count once."""

    def __init__(self, file: BinaryIO):
        self.file = file
        self.sum = 0
        self._at = 0
        self._summed = 0

    def write(self, data: bytes) -> None:
        self.sum = crc32(data, self.sum)
        self.file.write(data)

    def read(self, length: int = -1) -> bytes:
        data = self.file.read(length)
        self._at += len(data)
        if self._at > self._summed:
            self.sum = crc32(data[self._summed - self._at :], self.sum)
            self._summed = self._at
        return data

    def seek(self, offset: int, whence: int) -> None:
        if whence != 1 or offset > 0:
            raise ValueError("A checked file goes back from where it is, and nowhere else.")
        self._at += offset
        self.file.seek(offset, whence)
