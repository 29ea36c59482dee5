"""The channel atlas: every channel of a network before and after training, browsable from disk.

    from visualization.atlas import Atlas, Channel, Layer, Picture, Side, write_atlas

    write_atlas(Atlas("RASTA", "ImageNet", "fine-tuned", classes, pictures, layers, k=100), folder)

writes `index.html`, which opens by double click without a server or network, and the folder
`atlas` beside it. The page itself is in `web/`.
"""

from visualization.atlas.contents import Atlas, Channel, Layer, Picture, Side
from visualization.atlas.writer import write_atlas

__all__ = ["Atlas", "Channel", "Layer", "Picture", "Side", "write_atlas"]
