"""The endless hypermosaic: pictures by path, films that fall into them, a page that flies."""
