"""What people type: parsed, scheduled over the steps, written back. No torch."""
