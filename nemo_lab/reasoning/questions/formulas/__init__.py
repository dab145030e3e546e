"""What a formula in an answer means and whether another means the same: read whole, or not at all."""
