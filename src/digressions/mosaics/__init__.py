"""The hypermosaic: a picture of pictures, exact in its band, in a folder with a page."""
