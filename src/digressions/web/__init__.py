"""The viewer and the studio: routes and static files, nothing else."""
