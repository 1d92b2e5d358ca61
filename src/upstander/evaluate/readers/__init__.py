"""One reader a kind of corpus: its bytes in, labelled cases out, one at a time and in bounded memory."""

from __future__ import annotations

from upstander.evaluate.corpus import Format, Reader
from upstander.evaluate.readers import pan12, panc, wire

READERS: dict[Format, Reader] = {Format.WIRE: wire.read, Format.PAN12: pan12.read, Format.PANC: panc.read}
