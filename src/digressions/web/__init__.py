"""Static files: the viewer of a mosaic (``static``), the page of a world (``world``)."""
