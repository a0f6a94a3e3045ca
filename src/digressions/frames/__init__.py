"""Picture frames in photos: found, set upright, filled."""
