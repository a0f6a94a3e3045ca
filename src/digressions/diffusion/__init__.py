"""The mathematics of sampling, in torch only: schedules, denoisers, samplers."""
