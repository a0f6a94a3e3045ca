"""Picture files in and out: opened with care, written with what they remember."""
