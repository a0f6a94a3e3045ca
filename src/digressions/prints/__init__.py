"""Pictures on paper: sizes, inks, marks and the files that a print shop takes."""
