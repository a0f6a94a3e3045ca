"""Pictures on paper: sizes, colours, marks and the files that a print shop takes."""
