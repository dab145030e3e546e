"""The study of notebook 04: blends and their order, on sources of measured quality."""
